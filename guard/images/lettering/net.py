"""The network: fully convolutional, a grid of cells with the log odds that each holds letters."""

from typing import Final

import torch
from torch import Tensor, nn

from guard.images.grid import block

_WIDTHS: Final = (12, 20, 32)


class LetterNet(nn.Module):
    """(B, 3, H, W) in [0, 1] to log odds (B, 1, h, w), h = ceil(H / 8)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = _WIDTHS
        self.trunk = nn.Sequential(
            block(3, a, stride=2, kernel=5),
            block(a, b, stride=2),
            block(b, c, stride=2),
            block(c, c),
            block(c, c, dilation=2),
            block(c, c, dilation=4),
        )
        self.score = nn.Conv2d(c, 1, 1)
        self.score.bias = nn.Parameter(torch.full((1,), -3.0))  # rare (Lin et al. 2017)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.score(self.trunk(pixels * 2 - 1))
        return logits
