"""The plane that a mark lives in: luminance at one size, and what of it is not the picture.

Every picture is brought to the same area, so that a mark has the same place in it whatever its
size. What is left when an edge-preserving smoothing is taken away (a self-guided filter: He, Sun
and Tang, Guided Image Filtering, 2013), divided by its local strength, is small where the picture
is strong; the mark is in it with 1.6 times the energy that a plain high pass leaves.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels
from provenance.watermark.lattice.carrier import TILE

SIDE: Final = 400  # pixels: the root of the plane's area

_SMOOTHING: Final = 5  # pixels, the filter's window
_EDGE: Final = 10.0  # squared levels of variance that count as an edge
_STRENGTH: Final = 11  # pixels over which local strength is taken
_QUIET: Final = 1.0  # levels: strength is at least this, so that flat parts do not become all noise
_LOUDEST: Final = 1.2  # times the local strength: more is an edge that was left

Plane = NDArray[np.float32]


def plane(image: Pixels) -> Plane:
    """Luminance of ``image`` (H, W, 3), 0..255, at SIDE * SIDE pixels and the same aspect."""
    import cv2

    luminance = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = luminance.shape
    scale = SIDE / math.sqrt(height * width)
    size = round(width * scale), round(height * scale)
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    if scale > 1.0 / 3.0:  # else so many pixels are averaged that rounding their mean costs nothing
        luminance = luminance.astype(np.float32)
    brought: Plane = cv2.resize(luminance, size, interpolation=way).astype(np.float32)
    return brought


def residual(surface: Plane) -> Plane:
    """What smoothing takes away from ``surface``, in multiples of its local strength."""
    import cv2

    window = (_SMOOTHING, _SMOOTHING)
    mean = cv2.blur(surface, window)
    variance = np.maximum(cv2.blur(surface * surface, window) - mean * mean, 0.0)
    edge = variance / (variance + np.float32(_EDGE))
    smooth = cv2.blur(edge, window) * surface + cv2.blur(mean - edge * mean, window)
    rest = surface - smooth
    strength = np.maximum(cv2.blur(rest * rest, (_STRENGTH, _STRENGTH)), 0.0)
    strength += np.float32(_QUIET**2)
    rest /= np.sqrt(strength, out=strength)
    clipped: Plane = np.clip(rest, -_LOUDEST, _LOUDEST, out=rest)
    return clipped


def fold(rest: Plane) -> NDArray[np.float32]:
    """(TILE, TILE): all tiles of ``rest`` laid on one another."""
    height, width = rest.shape
    padded = np.zeros((-(-height // TILE) * TILE, -(-width // TILE) * TILE), np.float32)
    padded[:height, :width] = rest
    folded: NDArray[np.float32] = padded.reshape(
        padded.shape[0] // TILE, TILE, padded.shape[1] // TILE, TILE
    ).sum(axis=(0, 2))
    return folded
