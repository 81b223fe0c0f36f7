"""Muon for weight matrices, AdamW for everything else.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) orthogonalises the momentum of each
matrix, and a convolution is a matrix of output channels by everything else. Scaled as in Liu et al.
(arXiv 2502.16982) it shares AdamW's learning rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor

_NEWTON_SCHULZ: Final = (3.4445, -4.7750, 2.0315)  # the quintic of Jordan et al.
_ITERATIONS: Final = 5
_ADAMW_RMS: Final = 0.2  # the usual size of AdamW's update, which Muon's is scaled to


def orthogonalise(matrix: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values come out in about 0.7..1.2."""
    a, b, c = _NEWTON_SCHULZ
    x = matrix.bfloat16()
    wide = x.size(0) <= x.size(1)
    if not wide:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x if wide else x.T
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; for parameters of two or more dimensions."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no line search
        """Take one step along the orthogonalised momentum."""
        if closure is not None:
            raise TypeError("Muon evaluates no closure; call it without one.")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                average = state["momentum"].lerp_(parameter.grad, 1.0 - group["momentum"])
                ahead = parameter.grad.lerp(average, group["momentum"])
                matrix = ahead.reshape(parameter.size(0), -1)
                scale = _ADAMW_RMS * max(matrix.shape) ** 0.5
                update = orthogonalise(matrix).reshape(parameter.shape).to(parameter.dtype)
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a hidden layer's matrix; tables, entry and exit are left to AdamW."""
    outside = ("embedding", "conv_in", "conv_out", "positional")
    return parameter.ndim >= 2 and not any(word in name for word in outside)
