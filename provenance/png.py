"""Writing PNG: one filter for every row, compressed by Intel's ISA-L.

zlib, which OpenCV and Pillow write PNG with, takes three times as long for files of the same size
(docs/adr/0025-png-by-isa-l.md). Reading is theirs.
"""

import struct
from typing import Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_AVERAGE: Final = 3  # the filter: what differs from the mean of the samples left and above
_COLOUR_TYPES: Final = {3: 2, 4: 6}  # by the number of channels: RGB, RGBA
_LEVEL: Final = 1  # of 0 to 3; 2 and 3 take longer for files one part in a hundred smaller


def write_png(samples: NDArray[np.uint8]) -> bytes:
    """A PNG file of (H, W, 3) RGB or (H, W, 4) RGBA samples, 8 bits each (W3C PNG, third edition).

    Raises KeyError for another number of channels.
    """
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    data = isal_zlib.compress(_filtered(samples).data, _LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _filtered(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, 1 + W * channels): each row behind the number of its filter."""
    height, width, channels = samples.shape
    around = np.zeros((height + 1, channels * (width + 1)), np.uint8)  # nothing left and above
    here = around[1:, channels:]
    here[:] = samples.reshape(height, -1)
    left, above = around[1:, :-channels], around[:-1, channels:]
    mean = ((left ^ above) >> 1) + (left & above)  # rounded down, within 8 bits
    rows = np.empty((height, 1 + channels * width), np.uint8)
    rows[:, 0] = _AVERAGE
    np.subtract(here, mean, out=rows[:, 1:])
    return rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
