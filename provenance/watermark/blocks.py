"""The 8x8 blocks of the U channel that invisible-watermark's two methods write into.

Of each block they take the sixteen 2x2 sums of one level of a Haar transform, halved: the first
averages of an orthonormal transform.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels
from provenance.watermark.scheme import size

Blocks = NDArray[np.float64]
"""(16, n): the 4x4 averages of each 8x8 block of U, row by row, in raster order."""

FEWEST_PIXELS: Final = 256 * 256  # the package's own limit
SHORTEST_SIDE: Final = 64  # pixels

_HAAR: Final = 0.7071067811865476  # PyWavelets' own, multiplied in its order: a sum on the border
# of a cell is then read as the package reads it, to the last bit


def fits(image: Pixels) -> bool:
    """Whether a picture is large enough for these methods."""
    height, width = size(image)
    return height * width >= FEWEST_PIXELS and min(height, width) >= SHORTEST_SIDE


def averages(image: Pixels) -> Blocks:
    """Of the U channel in 8 bits, centred at 128, as the package takes it from 8-bit pictures."""
    return _averages(image)


def averages_of_floats(image: Pixels) -> Blocks:
    """Of the U channel in floating point, centred at 0.5, as it comes out where a pipeline hands
    the package its picture before that is rounded to 8 bits."""
    return _averages(image.astype(np.float32))


def _averages(image: NDArray[np.uint8] | NDArray[np.float32]) -> Blocks:
    import cv2

    rows, columns = image.shape[0] // 8, image.shape[1] // 8
    whole = np.ascontiguousarray(image[: rows * 8, : columns * 8])
    u: NDArray[np.float64] = cv2.cvtColor(whole, cv2.COLOR_RGB2YUV)[..., 1] * _HAAR
    pairs = (u[0::2] + u[1::2]) * _HAAR
    sums = pairs[:, 0::2] + pairs[:, 1::2]
    return sums.reshape(rows, 4, columns, 4).transpose(1, 3, 0, 2).reshape(16, -1)
