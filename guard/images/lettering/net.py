"""The network: fully convolutional, a grid of cells with the log odds that each holds letters."""

from typing import Any, Final

import torch
from torch import Tensor, nn

STRIDE: Final = 8  # pixels of a cell's side
_WIDTHS: Final = (12, 20, 32)


def _block(inside: int, out: int, *, stride: int = 1, dilation: int = 1, kernel: int = 3) -> Any:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inside, out, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=False),
    )


class LetterNet(nn.Module):
    """(B, 3, H, W) in [0, 1] to log odds (B, 1, h, w), h = ceil(H / 8)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = _WIDTHS
        self.trunk = nn.Sequential(
            _block(3, a, stride=2, kernel=5),
            _block(a, b, stride=2),
            _block(b, c, stride=2),
            _block(c, c),
            _block(c, c, dilation=2),
            _block(c, c, dilation=4),
        )
        self.score = nn.Conv2d(c, 1, 1)
        self.score.bias = nn.Parameter(torch.full((1,), -3.0))  # rare (Lin et al. 2017)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.score(self.trunk(pixels * 2 - 1))
        return logits
