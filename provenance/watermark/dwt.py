"""dwtDct and dwtDctSvd: the methods of invisible-watermark 0.2.0, for its marks and its readers.

What either writes the other reads, bit for bit (payload bit i mod 64 in the i-th 8x8 block of the
U channel, in raster order). Pixels differ, because this writer mends the package's: it moves a
block to the nearest value that carries the bit instead of the one in the same cell, leaves the
detail bands alone (the package swaps two of them), and adds the change to RGB directly instead of
rounding all pixels to YUV and back.

No block is looped over. The first Haar level's average of an orthonormal transform is a 2x2 mean,
the DCT keeps singular values, so a change of the largest one adds a multiple of u v^T to the
averages themselves; and u, v come from a power iteration over all blocks at once, which Perron's
theorem starts rightly since the averages are positive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MarkInvalid, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark import known, presence
from provenance.watermark.blocks import FEWEST_PIXELS, SHORTEST_SIDE, Blocks, averages, fits
from provenance.watermark.scheme import FALSE_POSITIVE_LIMIT, Detection, check_payload, size

FEWEST_RUNS: Final = 12
"""Of equal bits in a payload, see presence.distinct_runs; with fewer it cannot be told from flat
content. Of 20,000 random payloads the least had 18."""

HEADROOM: Final = (0, 4, 6, 8, 12)
"""Levels. Near black and white the change of U is cut off; if the mark does not come back, values
are first clipped to this distance from 0 and 255, the smallest that helps. More would be seen."""

_U_TO_RGB: Final = (0.0, -0.395, 2.032)  # OpenCV's YUV: what one level of U adds to R, G and B
_POWER_STEPS: Final = 6  # converges to 1e-15 where the second singular value is below s/18
_CONVERGED: Final = 1e-10  # relative residual
_PEAK_MARGIN: Final = 3.0  # more than rounding to 8 bits does to one average


_OFFSETS: Final = (0.0, -4.0, -2.0, 2.0)
"""Where marks are looked for beside their aim. The package's own dwtDctSvd marks land at -4, since
it cuts off half a level of U by truncating, eightfold in a singular value; lossy formats shift
marks by up to 2 either way (measured on photographs, docs/watermark.md)."""


class Handles(NamedTuple):
    """What a method may move in each block.

    ``values`` (n,): the number that is quantised, >= 0. ``directions`` (16, n): adding d times
    this to the block adds d to its value. ``least`` (n,): below it another number would be read.
    """

    values: NDArray[np.float64]
    directions: Blocks
    least: NDArray[np.float64]


def largest_singular(blocks: Blocks) -> Handles:
    """dwtDctSvd: the largest singular value of each 4x4 block."""
    matrix = blocks.reshape(4, 4, -1)
    gram = np.einsum("kin,kjn->ijn", matrix, matrix)
    right = np.ones((4, matrix.shape[2]))
    for _ in range(_POWER_STEPS):
        right = np.einsum("ijn,jn->in", gram, right)
        right /= np.maximum(np.sqrt(np.einsum("in,in->n", right, right)), 1e-300)
    image = np.einsum("ijn,jn->in", matrix, right)
    values = np.sqrt(np.einsum("in,in->n", image, image))
    left = image / np.maximum(values, 1e-300)
    residual = np.einsum("jin,jn->in", matrix, left) - values * right
    slow = np.abs(residual).max(axis=0) > _CONVERGED * np.maximum(values, 1.0)
    if slow.any():
        u, s, vt = np.linalg.svd(matrix[:, :, slow].transpose(2, 0, 1))
        values[slow], left[:, slow], right[:, slow] = s[:, 0], u[:, :, 0].T, vt[:, 0, :].T
    directions = (left[:, None, :] * right[None, :, :]).reshape(16, -1)
    return Handles(values, directions, np.zeros_like(values))


def largest_average(blocks: Blocks) -> Handles:
    """dwtDct: the largest of the averages, the first left out; the package takes no DCT."""
    candidates = blocks[1:]
    peak = candidates.argmax(axis=0)
    column = np.arange(blocks.shape[1])
    directions = np.zeros_like(blocks)
    directions[peak + 1, column] = 1.0
    runner_up = np.where(directions[1:] == 0.0, candidates, 0.0).max(axis=0)
    return Handles(candidates[peak, column], directions, runner_up + _PEAK_MARGIN)


@dataclass(frozen=True)
class DwtScheme:
    """One of the two methods, as a Scheme. Cheap to make, safe to share between threads.

    ``written_by_others``: generators write fixed marks by it, which ``detect`` names.
    """

    name: str
    alg: str
    handles: Callable[[Blocks], Handles]
    payload_bits: int = 64
    written_by_others: bool = False

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """See Scheme. Refuses pictures under 256x256 pixels of area or 64 of a side, and payloads
        of fewer than FEWEST_RUNS runs; clips near black and white where it must (HEADROOM)."""
        check_payload(self, payload)
        bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8))
        if presence.distinct_runs(bits) < FEWEST_RUNS:
            raise MarkInvalid(
                f"The payload {payload.hex()} is too regular: {self.name} could not tell its mark"
                " from a flat picture. Choose one with mixed digits, such as a random number."
            )
        if not fits(image):
            height, width = size(image)
            raise MarkInvalid(
                f"The picture is {width}x{height}; {self.name} needs {FEWEST_PIXELS:,} pixels and"
                f" {SHORTEST_SIDE} on the shorter side. Scale it up or choose another scheme."
            )
        for headroom in HEADROOM:
            marked = self._written(np.clip(image, headroom, 255 - headroom), bits)
            found = self.detect(marked)
            if found is not None and found.payload == payload:
                return marked
        raise WatermarkFailed(
            f"This picture does not hold a {self.name} mark: it could not be read back. Choose"
            " another scheme or another picture."
        )

    def detect(self, image: Pixels) -> Detection | None:
        """See Scheme. Geometry is not looked for: crops, turns and scalings lose the mark.

        That there is a mark is sure; its payload has no check, and a picture that was changed may
        give one with wrong bits. Trust it only where a record of that payload agrees. Of dwtDct,
        the fixed marks of others are told first (known.py), their payloads being 4 to 17 bytes.
        """
        if not fits(image):
            return None
        if self.written_by_others:
            seen = known.recognise(image)
            if seen.false_positive_probability <= FALSE_POSITIVE_LIMIT:
                return Detection(
                    scheme=self.name,
                    payload=seen.mark.payload,
                    false_positive_probability=seen.false_positive_probability,
                    known_as=seen.mark.written_by,
                )
        reading = self.read(image, self.payload_bits)
        if reading.false_positive_probability > FALSE_POSITIVE_LIMIT:
            return None
        return Detection(
            scheme=self.name,
            payload=np.packbits(reading.bits).tobytes(),
            false_positive_probability=reading.false_positive_probability,
        )

    def read(self, image: Pixels, length: int) -> presence.Reading:
        """A payload of ``length`` bits (a multiple of 4), and how likely it is to be none."""
        return presence.read(self.handles(averages(image)).values, length, _OFFSETS)

    def _written(self, image: Pixels, bits: NDArray[np.uint8]) -> Pixels:
        blocks = averages(image)
        values, directions, least = self.handles(blocks)
        aim = presence.SCALE * (0.25 + 0.5 * np.resize(bits, len(values)))
        cell = np.maximum(
            np.rint((values - aim) / presence.SCALE),
            np.ceil((least - aim) / presence.SCALE),
        )
        target = np.maximum(cell, 0.0) * presence.SCALE + aim
        return _with_change(image, directions * (target - values))


DWT_DCT: Final = DwtScheme(
    "dwtDct", "org.wardmark.dwtdct.1", largest_average, written_by_others=True
)
DWT_DCT_SVD: Final = DwtScheme("dwtDctSvd", "org.wardmark.dwtdctsvd.1", largest_singular)


def _with_change(image: Pixels, change: Blocks) -> Pixels:
    """``image`` with ``change`` added to the averages of its U channel."""
    rows, columns = image.shape[0] // 8, image.shape[1] // 8
    averages = change.reshape(4, 4, rows, columns).transpose(2, 0, 3, 1)
    u = (averages.reshape(rows * 4, columns * 4) / 2.0).repeat(2, axis=0).repeat(2, axis=1)
    marked = image.copy()
    for channel, gain in enumerate(_U_TO_RGB):
        if gain:
            plane = marked[: rows * 8, : columns * 8, channel]
            plane[...] = np.clip(np.rint(plane + gain * u), 0.0, 255.0).astype(np.uint8)
    return marked
