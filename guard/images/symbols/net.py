"""The network: a fully convolutional grid of cells, each with a score and a box for each symbol."""

from typing import Final

import torch
from torch import Tensor, nn

from guard.images.grid import block

_WIDTHS: Final = (12, 24, 40, 56)


class GridNet(nn.Module):
    """(B, 3, H, W) in [0, 1] to logits (B, C, h, w) and sides (B, 4, h, w), h = ceil(H / 8).

    Sides: from the middle of a cell to left, top, right and bottom of its symbol, in cells, as
    logarithms.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.trunk = nn.Sequential(
            block(3, a, stride=2, kernel=5),
            block(a, b, stride=2),
            block(b, c, stride=2),
            block(c, d),
            block(d, d, dilation=2),
            block(d, d, dilation=4),
            block(d, d),
        )
        self.score = nn.Conv2d(d, classes, 1)
        self.sides = nn.Conv2d(d, 4, 1)
        self.score.bias = nn.Parameter(torch.full((classes,), -4.0))  # rare (Lin et al. 2017)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(pixels * 2 - 1)
        return self.score(features), self.sides(features)
