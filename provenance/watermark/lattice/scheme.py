"""Lattice, the scheme: marks a picture, and finds the mark however the picture was turned."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from provenance.errors import MarkInvalid, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark.keys import key_id
from provenance.watermark.lattice import code, search
from provenance.watermark.lattice.carrier import carrier
from provenance.watermark.lattice.plane import Plane, fold, plane, residual
from provenance.watermark.lattice.reading import (
    Sighting,
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
"""A mark is told only below this probability of being none."""

_GATE: Final = 4.6  # standard deviations of pilots before the data is decoded
_BENDS: Final = 3  # times that a grid is bent
_BENT: Final = 2  # grids that are bent
_PROGRESS: Final = 0.2  # standard deviations that a bend must win to be followed by another
_WORTH_BENDING: Final = 4.3  # standard deviations
_DECODINGS: Final = 4.0  # of an unmarked picture, on average at most; benchmarks/watermark.py
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


class _Search:
    """One picture's search, and how much of it was done: that is what chance had to work with."""

    def __init__(self, image: Pixels, keys: Sequence[bytes]) -> None:
        self._surface: Plane = plane(image)
        self._rest = residual(self._surface)
        self._keys = keys
        self._sightings = 0
        self.decodings = 0
        self._best: list[tuple[bytes, Upright]] = []

    def as_it_lies(self) -> Detection | None:
        """The mark, if the picture was not cropped, nor turned but by quarters."""
        folded = fold(self._rest)
        for key in self._keys:
            found = Upright(self._rest, np.eye(3), sight(carrier(key), folded))
            detection = self._read(key, found)
            if detection is not None:
                return detection
        return None

    def anywhere(self) -> Detection | None:
        """The mark on any grid of tiles that can be found, bent if need be."""
        for basis in search.grids(self._rest):
            for key in self._keys:
                detection = self._read(key, upright(self._surface, basis, carrier(key)))
                if detection is not None:
                    return detection
        self._best.sort(key=lambda pair: -pair[1].sighting.score)
        for key, found in self._best[:_BENT]:
            detection = self._bend(key, found)
            if detection is not None:
                return detection
        return None

    def _bend(self, key: bytes, found: Upright) -> Detection | None:
        if found.sighting.score < _WORTH_BENDING:
            return None
        for _ in range(_BENDS):
            after = bent(self._surface, found, carrier(key))
            if after is None:
                return None
            detection = self._read(key, after)
            if detection is not None:
                return detection
            if after.sighting.score < found.sighting.score + _PROGRESS:
                return None
            found = after
        return None

    def _read(self, key: bytes, found: Upright) -> Detection | None:
        self._sightings += 1
        self._best.append((key, found))
        if found.sighting.score < _GATE:
            return None
        self.decodings += 1
        payload = payload_at(carrier(key), found.sighting, key)
        chance = false_positive_bound(
            found.sighting.score, self._sightings, max(_DECODINGS, self.decodings)
        )
        if payload is None or chance > CERTAIN:
            return None
        return Detection(
            scheme="lattice",
            payload=payload,
            false_positive_probability=chance,
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
