"""The perceptual fingerprint: PDQ, 256 bits that stay near when a picture is re-encoded or scaled.

Source: Meta, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019),
through the pdqhash binding. Crops and rotations by other than quarter turns lose it.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from policies.decision import Frozen
from provenance.picture import Pixels

BITS: Final = 256

MATCH_DISTANCE: Final = 31
"""Bits. At or below, two usable fingerprints are of the same picture (the paper's own limit)."""

MIN_QUALITY: Final = 50
"""0..100. Below, the paper advises against matching: too few edges to tell pictures apart."""

VARIANTS: Final = 8
"""Quarter turns and flips: the dihedral group of the square."""

_MAX_SIDE: Final = 512  # pixels; so does PDQ's own program, before it averages down to 64x64
_TURNED_SIDE: Final = 128  # pixels, of the copies that are turned: twice PDQ's own grid

# The tail of the distance between unrelated pictures, measured in docs/watermark.md: one pair in
# a thousand is nearer than 82 bits, ever fewer below, and one in 20,000 looks all but the same.
_TAIL_START: Final = 82  # bits
_TAIL_PROBABILITY: Final = 1e-3
_TAIL_DECADE: Final = 50.0  # bits
_TAIL_FLOOR: Final = 1e-4


class Fingerprint(Frozen):
    """``pdq``: 64 hex digits. ``quality``: 0 (flat) to 100 (full of edges)."""

    pdq: str = Field(pattern="^[0-9a-f]{64}$")
    quality: int = Field(ge=0, le=100)

    @property
    def usable(self) -> bool:
        """False if the picture is too flat for a match to mean anything."""
        return self.quality >= MIN_QUALITY


def fingerprint(pixels: Pixels) -> Fingerprint:
    """The fingerprint of a picture (H, W, 3) uint8 RGB of any size; deterministic."""
    import pdqhash

    bits, quality = pdqhash.compute(_reduced(pixels))
    return Fingerprint(pdq=_hex(bits), quality=quality)


def dihedral(pixels: Pixels) -> tuple[Fingerprint, ...]:
    """Fingerprints of the picture as it stands and of its 7 other quarter turns and flips.

    The first is ``fingerprint(pixels)``. A copy that was turned or mirrored is near one of them.
    """
    # pdqhash.compute_dihedral turns the coefficients, not the picture, which costs 10 to 40 of the
    # MATCH_DISTANCE bits. Turning a small copy costs 6 in the median (docs/image-guard.md).
    as_it_stands = fingerprint(pixels)
    small = _reduced(pixels, _TURNED_SIDE)
    turned = [np.rot90(side, k) for side in (small, small[:, ::-1]) for k in range(4)]
    others = (fingerprint(np.ascontiguousarray(view)) for view in turned[1:])
    quality = as_it_stands.quality
    return (as_it_stands, *(Fingerprint(pdq=each.pdq, quality=quality) for each in others))


def distance(a: Fingerprint | str, b: Fingerprint | str) -> int:
    """Hamming distance, 0..256 bits, of two fingerprints or their hex digits."""
    return (_integer(a) ^ _integer(b)).bit_count()


def matches(a: Fingerprint, b: Fingerprint) -> bool:
    """True if both are usable and at most MATCH_DISTANCE apart.

    An unusable fingerprint matches nothing, not even itself: of two flat pictures nothing can be
    said.
    """
    return a.usable and b.usable and distance(a, b) <= MATCH_DISTANCE


def false_positive_probability(distance: int, *, comparisons: int = 1) -> float:
    """How likely it is that unrelated pictures are this near, 0..1.

    ``comparisons`` is the number of records searched times the variants tried; the probability
    is multiplied by it (union bound). The null is the larger of two: 256 fair bits, and the
    measured tail of usable fingerprints of synthetic scenes. These share horizons and skies, or
    the same shape in other colours, and are much nearer to one another than photographs; so it
    never falls below 1e-4, and a fingerprint alone establishes little among them.
    """
    fair = sum(math.comb(BITS, k) for k in range(distance + 1)) / (1 << BITS)
    decades = (min(distance, _TAIL_START) - _TAIL_START) / _TAIL_DECADE
    tail = max(_TAIL_FLOOR, _TAIL_PROBABILITY * math.pow(10.0, decades))
    return min(1.0, comparisons * max(fair, tail))


def _reduced(pixels: Pixels, max_side: int = _MAX_SIDE) -> Pixels:
    height, width = pixels.shape[:2]
    if max(height, width) <= max_side:
        return np.ascontiguousarray(pixels)
    import cv2

    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _hex(bits: NDArray[np.int_]) -> str:
    return np.packbits(bits.astype(np.uint8)).tobytes().hex()


def _integer(value: Fingerprint | str) -> int:
    return int(value.pdq if isinstance(value, Fingerprint) else value, 16)
