"""Lattice, the scheme: marks a picture, and finds the mark however the picture was turned."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from provenance.errors import MarkInvalid, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark.keys import key_id
from provenance.watermark.lattice import code, search
from provenance.watermark.lattice.carrier import carrier
from provenance.watermark.lattice.plane import Plane, fold, plane, residual
from provenance.watermark.lattice.reading import (
    Sighting,
    chance_of,
    false_positive_bound,
    payload_at,
    sight,
    turned_back,
)
from provenance.watermark.lattice.registration import Homography, Upright, bent, upright
from provenance.watermark.lattice.writing import write
from provenance.watermark.scheme import Detection, Geometry, check_payload, size

PUBLIC_KEY: Final = b"wardmark lattice public key"
"""Of marks that everybody may read, and therefore anybody may write."""

SHORTEST, LONGEST = 256, 8192  # pixels of a side that can be marked
FLATTEST: Final = 3.0  # longer side over shorter
SHORTEST_READ: Final = 64  # pixels of a side in which a mark is looked for
STEEPEST_READ: Final = 8.0

CERTAIN: Final = 1e-9
"""A picture without a mark passes for marked with less than this probability: each decoding passes
the check by chance with 2^-32."""
MOST_DECODINGS: Final = 4
_WORDS: Final = 64
"""Words that one decoding tries where the pilots agree so well that this chance is taken only once
in _WORDS**2 pictures without a mark: it adds a 64th to the sum."""

_GATE: Final = 4.6  # standard deviations of pilots before the data is decoded
_PLAIN: Final = 6.0  # of a grid that is decoded before all others are looked at
_BENDS: Final = 3  # times that a grid is bent
_PROGRESS: Final = 0.2  # standard deviations that a bend must win
_BOOSTS: Final = (0.0, 2.0, 4.0)  # dB, while a mark does not come back


@dataclass(frozen=True)
class Lattice:
    """See Scheme. ``keys``: the first writes, all read. Cheap to make, safe between threads."""

    keys: Sequence[bytes] = (PUBLIC_KEY,)
    name: str = field(default="lattice", init=False)
    alg: str = field(default="org.wardmark.lattice.1", init=False)
    payload_bits: int = field(default=8 * code.PAYLOAD_BYTES, init=False)

    def __post_init__(self) -> None:
        if not self.keys or any(not key for key in self.keys):
            raise MarkInvalid("A lattice mark needs a key. Give one, or none for the public key.")

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """See Scheme. Sides from 256 to 8192 pixels, up to 1:3."""
        check_payload(self, payload)
        height, width = size(image)
        if min(height, width) < SHORTEST or max(height, width) > LONGEST:
            raise MarkInvalid(
                f"The picture is {width}x{height}; lattice marks sides from {SHORTEST} to"
                f" {LONGEST:,} pixels. Scale it first."
            )
        if max(height, width) > FLATTEST * min(height, width):
            raise MarkInvalid(
                f"The picture is {width}x{height}; lattice marks pictures up to 1:{FLATTEST:.0f}."
                " Crop it first."
            )
        key = self.keys[0]
        word = code.encode(payload, key)
        for boost in _BOOSTS:
            marked = write(image, word, carrier(key), boost)
            found = _Search(marked, (key,)).as_it_lies()
            if found is not None and found.payload == payload:
                return marked
        raise WatermarkFailed(
            "This picture does not hold a lattice mark: it could not be read back. A picture of"
            " one colour, or nearly, has no place to hide it; choose another picture."
        )

    def detect(self, image: Pixels) -> Detection | None:
        """See Scheme. Finds the mark after scaling, turning, mirroring, cropping to a quarter,
        stretching by a tenth and mild perspective."""
        height, width = size(image)
        shortest, longest = sorted((height, width))
        if shortest < SHORTEST_READ or longest > STEEPEST_READ * shortest:
            return None
        looked = _Search(image, self.keys)
        return looked.as_it_lies() or looked.anywhere()


class _Candidate(NamedTuple):
    """A place where a mark of ``key`` may be."""

    key: bytes
    found: Upright


class _Search:
    """One picture's search. What is likelier comes first, because each decoding is a chance to be
    wrong: MOST_DECODINGS of them keep the sum of all chances below CERTAIN."""

    def __init__(self, image: Pixels, keys: Sequence[bytes]) -> None:
        self.decodings = 0
        self.chances = 0.0
        self._surface: Plane = plane(image)
        self._rest = residual(self._surface)
        self._keys = keys
        self._sightings = 0
        self._waiting: list[_Candidate] = []

    def as_it_lies(self) -> Detection | None:
        """The mark, if the picture was not cropped, nor turned but by quarters."""
        folded = fold(self._rest)
        for key in self._keys:
            found = Upright(self._rest, np.eye(3), sight(carrier(key), folded))
            detection = self._consider(_Candidate(key, found), _GATE)
            if detection is not None:
                return detection
        return None

    def anywhere(self) -> Detection | None:
        """The mark on any grid of tiles that can be found, bent if need be."""
        for basis in search.grids(self._rest):
            laid = upright(self._surface, basis)
            folded = fold(laid.rest)
            for key in self._keys:
                found = Upright(*laid, sight(carrier(key), folded))
                detection = self._consider(_Candidate(key, found), _PLAIN)
                if detection is not None:
                    return detection
        if not self._waiting:
            return None
        self._waiting.sort(key=lambda candidate: -candidate.found.sighting.score)
        best = self._waiting[0]
        return self._read(best) or self._bent(best) or self._read_all(self._waiting[1:])

    def _bent(self, candidate: _Candidate) -> Detection | None:
        key, found = candidate
        for _ in range(_BENDS):
            after = bent(self._surface, found, carrier(key))
            if after is None or after.sighting.score < found.sighting.score + _PROGRESS:
                return None
            found = after
            # bending has chosen what agrees with the pilots, so their agreement proves nothing
            detection = self._read(_Candidate(key, found), pilots_count=False)
            if detection is not None:
                return detection
        return None

    def _consider(self, candidate: _Candidate, gate: float) -> Detection | None:
        self._sightings += 1
        if candidate.found.sighting.score >= gate:
            return self._read(candidate)
        self._waiting.append(candidate)
        return None

    def _read_all(self, candidates: Sequence[_Candidate]) -> Detection | None:
        for candidate in candidates:
            detection = self._read(candidate)
            if detection is not None:
                return detection
        return None

    def _read(self, candidate: _Candidate, *, pilots_count: bool = True) -> Detection | None:
        key, found = candidate
        if found.sighting.score < _GATE or self.decodings == MOST_DECODINGS:
            return None
        self.decodings += 1
        chance = chance_of(found.sighting.score if pilots_count else 0.0, self._sightings)
        words = _WORDS if chance * _WORDS**2 <= 1.0 else 1
        decoded = payload_at(carrier(key), found.sighting, key, words)
        self.chances += chance * (decoded.tried if decoded else words)
        if decoded is None:
            return None
        return Detection(
            scheme="lattice",
            payload=decoded.payload,
            false_positive_probability=false_positive_bound(self.chances),
            geometry=_geometry(found.homography, found.sighting),
            key_id=key_id(key),
        )


def _geometry(homography: Homography, sighting: Sighting) -> Geometry:
    """How the pattern lies on the picture, from the tile as it was made."""
    back = [turned_back(sighting.orientation, *step) for step in ((1.0, 0.0), (0.0, 1.0))]
    matrix = homography[:2, :2] @ np.array(back).T
    return Geometry(
        scale=math.sqrt(abs(float(np.linalg.det(matrix)))),
        rotation=math.degrees(math.atan2(matrix[0, 1], matrix[1, 1])),
        flipped=bool(np.linalg.det(matrix) < 0.0),
    )
