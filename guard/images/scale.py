"""Pictures brought to the size that a reader wants."""

from typing import NamedTuple

import numpy as np

from provenance.picture import Pixels


class Scaled(NamedTuple):
    """``pixels`` are the original's times ``scale``."""

    pixels: Pixels
    scale: float


def reduced(pixels: Pixels, max_side: int) -> Scaled:
    """``pixels`` with its longer side at most ``max_side``; never enlarged."""
    return scaled(pixels, min(1.0, max_side / max(pixels.shape[:2])))


def scaled(pixels: Pixels, scale: float) -> Scaled:
    """``pixels`` times ``scale`` > 0, each side at least one pixel."""
    import cv2

    if scale == 1.0:
        return Scaled(np.ascontiguousarray(pixels), 1.0)
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return Scaled(np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8), scale)
