"""What breaks detectors: the same picture darker, glaring, blurred, covered, compressed, smaller.

Each shift is one stated strength, deterministic, and says where the boxes of the picture then are.
The family follows Hendrycks and Dietterich (2019); the strengths are ours and stand here.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from provenance.picture import Pixels, decode, encode

DARKNESS: Final = 0.25  # of the light
GLARE_RADIUS: Final = 0.35  # of the shorter side
BLUR_SIGMA: Final = 1 / 200  # of the longer side
OCCLUSION: Final = 0.25  # of the area, as bars
_BARS: Final = 8
JPEG_QUALITY: Final = 15
SMALL: Final = 0.35  # of each side
_GREY: Final = 114


class Shifted(NamedTuple):
    """The shifted picture; a point (x, y) of the original lies at ``scale`` * (x, y) + offset."""

    pixels: Pixels
    scale: float = 1.0
    left: int = 0
    top: int = 0


Shift = Callable[[Pixels], Shifted]


def darkness(pixels: Pixels) -> Shifted:
    """A quarter of the light, in 8 bits: shadows lose their steps."""
    return Shifted(np.rint(pixels * DARKNESS).astype(np.uint8))


def glare(pixels: Pixels) -> Shifted:
    """A white spot off the middle that burns out and fades."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    radius = GLARE_RADIUS * min(height, width)
    away = ((x - 0.4 * width) ** 2 + (y - 0.4 * height) ** 2) / (2 * radius**2)
    light = 1.2 * np.exp(-away)[..., None]
    return Shifted(np.rint(255 - (255 - pixels) * (1 - np.clip(light, 0, 1))).astype(np.uint8))


def blur(pixels: Pixels) -> Shifted:
    """Out of focus: a Gaussian of 1/200 of the longer side."""
    import cv2

    sigma = BLUR_SIGMA * max(pixels.shape[:2])
    return Shifted(np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8))


def occlusion(pixels: Pixels) -> Shifted:
    """Grey bars over a quarter of the picture, as of a fence."""
    covered = pixels.copy()
    period = max(2, -(-pixels.shape[1] // _BARS))
    bar = max(1, round(period * OCCLUSION))
    for left in range(period // 2, pixels.shape[1], period):
        covered[:, left : left + bar] = _GREY
    return Shifted(covered)


def compression(pixels: Pixels) -> Shifted:
    """JPEG of quality 15."""
    return Shifted(decode(encode(pixels, "jpeg", quality=JPEG_QUALITY)).pixels)


def small_objects(pixels: Pixels) -> Shifted:
    """The picture at 35 % in the middle of grey, as if seen from three times as far."""
    import cv2

    height, width = pixels.shape[:2]
    size = (max(1, round(width * SMALL)), max(1, round(height * SMALL)))
    inner = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    framed = np.full_like(pixels, _GREY)
    framed[top : top + size[1], left : left + size[0]] = inner
    return Shifted(framed, SMALL, left, top)


SHIFTS: Final[Mapping[str, Shift]] = {
    "darkness": darkness,
    "glare": glare,
    "blur": blur,
    "occlusion": occlusion,
    "compression": compression,
    "small_objects": small_objects,
}
