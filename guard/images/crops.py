"""Photographs cut into crops, for the training of small detectors."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from guard.images.grid import STRIDE
from guard.images.scale import scaled
from provenance.picture import Pixels, decode, read_file

SMALLEST: Final = 0.5  # of a photograph's size, to which it is reduced before it is cut
LOOKED_AT: Final = 16  # photographs at a time
KEPT: Final = 256  # crops
WORTH_KEEPING: Final = -2.0  # log odds


def photographs(folder: Path, least: int) -> list[Pixels]:
    """All pictures under ``folder`` of ``least`` pixels and more, in the order of their names."""
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".png", ".jpg", ".webp"))
    found = (decode(read_file(file)).pixels for file in files)
    return [pixels for pixels in found if min(pixels.shape[:2]) >= least]


def crop_of(pixels: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    """A square of a photograph, which is at most halved before and mirrored half of the time."""
    least = side / min(pixels.shape[:2])
    view = scaled(pixels, float(rng.uniform(max(SMALLEST, least), 1.0))).pixels
    top = int(rng.integers(0, view.shape[0] - side + 1))
    left = int(rng.integers(0, view.shape[1] - side + 1))
    crop = view[top : top + side, left : left + side]
    return np.ascontiguousarray(crop[:, :: rng.choice([1, -1])])


class Mistakes:
    """Crops of ``side`` pixels out of photographs in which there is nothing to find, and of which
    the detector was sure all the same: the latest of them."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._crops: deque[Pixels] = deque(maxlen=KEPT)

    def look(
        self,
        net: nn.Module,
        logits_of: Callable[[Tensor], Tensor],
        pictures: Sequence[Pixels],
        rng: np.random.Generator,
    ) -> None:
        """Add what the detector is surest of in a few photographs. ``logits_of``: of (1, 3, H, W)
        in [0, 1] to (1, C, h, w), a cell being STRIDE pixels."""
        net.eval()
        for _ in range(LOOKED_AT):
            pixels = pictures[int(rng.integers(len(pictures)))]
            whole = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                logits = logits_of(whole)[0].amax(0)
            row, column = divmod(int(logits.argmax()), logits.shape[1])
            if float(logits[row, column]) < WORTH_KEEPING:
                continue
            off = int(rng.integers(0, self._side - STRIDE))
            top = min(max(0, row * STRIDE - off), pixels.shape[0] - self._side)
            left = min(max(0, column * STRIDE - off), pixels.shape[1] - self._side)
            self._crops.append(pixels[top : top + self._side, left : left + self._side].copy())
        net.train()

    def some(self, count: int, rng: np.random.Generator) -> list[Pixels]:
        """``count`` of them, or none where none was made yet."""
        if not self._crops:
            return []
        return [self._crops[int(rng.integers(len(self._crops)))] for _ in range(count)]
