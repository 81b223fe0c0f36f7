"""The network: a fully convolutional grid of cells, each with a score and a box for each symbol."""

from typing import Any, Final

import torch
from torch import Tensor, nn

STRIDE: Final = 8  # pixels of a cell's side
_WIDTHS: Final = (12, 24, 40, 56)


def _block(inside: int, out: int, *, stride: int = 1, dilation: int = 1, kernel: int = 3) -> Any:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inside, out, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=False),
    )


class GridNet(nn.Module):
    """(B, 3, H, W) in [0, 1] to logits (B, C, h, w) and sides (B, 4, h, w), h = ceil(H / 8).

    Sides: from the middle of a cell to left, top, right and bottom of its symbol, in cells, as
    logarithms.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.trunk = nn.Sequential(
            _block(3, a, stride=2, kernel=5),
            _block(a, b, stride=2),
            _block(b, c, stride=2),
            _block(c, d),
            _block(d, d, dilation=2),
            _block(d, d, dilation=4),
            _block(d, d),
        )
        self.score = nn.Conv2d(d, classes, 1)
        self.sides = nn.Conv2d(d, 4, 1)
        self.score.bias = nn.Parameter(torch.full((classes,), -4.0))  # rare (Lin et al. 2017)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(pixels * 2 - 1)
        return self.score(features), self.sides(features)
