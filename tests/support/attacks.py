"""White-box attacks on the demonstration detector: ours, and a well-kept library's on the same.

Projected gradient descent (Madry et al. 2018) that hides the symbols of a picture: from the bare
detector, or adaptively, from it and all its second readings at once, through a differentiable
diffusion and, for JPEG, the identity (BPDA, Athalye et al. 2018). The library is the Adversarial
Robustness Toolbox, the extra ``attacks``.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from guard.images.second_view import CONTRAST, ITERATIONS, RATE, second_views
from provenance.picture import Pixels

STEPS: Final = 30
STEP: Final = 1 / 6  # of the largest change


class Readings(nn.Module):
    """(1, 3, H, W) in [0, 1] to (1, 1): how much is still to be hidden, over all readings.

    The sum of the log of all odds of a symbol, in any cell, of each reading; a cell that has next
    to none counts no less. ``adaptive``: the second readings are attacked too.
    """

    def __init__(self, net: nn.Module, *, adaptive: bool) -> None:
        super().__init__()
        self._net, self._adaptive = net, adaptive

    def forward(self, shown: Tensor) -> Tensor:
        views = [shown]
        if self._adaptive:
            _, jpeg = second_views(as_pixels(shown.detach()))
            views += [diffused(shown), shown + (as_tensor(jpeg) - shown).detach()]
        left = sum(self._net(view)[0].clamp(min=-6).exp().sum().log() for view in views)
        return torch.as_tensor(left).reshape(1, 1)


def hidden(readings: Readings, pixels: Pixels, size: float) -> Pixels:
    """Pixels at most ``size`` / 255 away in which no symbol should be found."""
    start, limit = as_tensor(pixels), size / 255
    change = (torch.rand_like(start) * 2 - 1) * limit
    for _ in range(STEPS):
        change.requires_grad_(True)
        (slope,) = torch.autograd.grad(readings((start + change).clamp(0, 1)).sum(), change)
        with torch.no_grad():
            change = (change - limit * STEP * slope.sign()).clamp(-limit, limit)
    return as_pixels((start + change).clamp(0, 1))


def hidden_by_art(readings: Readings, pixels: Pixels, size: float) -> Pixels:
    """The same by the Adversarial Robustness Toolbox, with the same steps from a random start."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    class Left(nn.Module):
        def forward(self, output: Tensor, _: Tensor) -> Tensor:
            return -output.sum()  # it climbs; what is left to hide is to fall

    start = as_tensor(pixels)
    estimator = PyTorchClassifier(
        readings, Left(), start.shape[1:], 2, clip_values=(0.0, 1.0), device_type="cpu"
    )  # 2: it takes no fewer classes, of which the loss above knows nothing
    attack = ProjectedGradientDescentPyTorch(
        estimator,
        eps=size / 255,
        eps_step=size / 255 * STEP,
        max_iter=STEPS,
        num_random_init=1,
        batch_size=1,
        verbose=False,
    )
    found = attack.generate(start.numpy(), y=np.eye(1, 2, dtype=np.float32))
    return as_pixels(torch.from_numpy(found))


def diffused(image: Tensor) -> Tensor:
    """The second reading's diffusion, differentiable. (B, 3, H, W)."""
    for _ in range(ITERATIONS):
        change = torch.zeros_like(image)
        for axis in (2, 3):
            step = torch.diff(image, dim=axis)
            flow = step / (1 + (step / CONTRAST) ** 2)
            ahead = [0, 0, 0, 0]
            ahead[(3 - axis) * 2 + 1] = 1
            behind = [0, 0, 0, 0]
            behind[(3 - axis) * 2] = 1
            change = change + nn.functional.pad(flow, ahead)
            change = change - nn.functional.pad(flow, behind)
        image = image + RATE * change
    return image.clamp(0, 1)


def as_tensor(pixels: Pixels) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def as_pixels(image: Tensor) -> Pixels:
    """(1, 3, H, W) in [0, 1] to (H, W, 3) uint8."""
    array = image[0].permute(1, 2, 0).detach().numpy() * 255
    return np.ascontiguousarray(np.rint(array).astype(np.uint8))
