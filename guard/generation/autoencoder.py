"""A small autoencoder with AutoencoderKL's interface, so that stock diffusers pipelines take it.

The latent is linear and needs no training: the picture reduced by area to a proxy an eighth its
size, cut into 4 x 4 patches, each turned on its principal axes. Only the decoder's way from the
proxy back to full size is learnt, by sub-pixel convolutions (Shi et al., arXiv 1609.05158).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

REDUCTION: Final = 8  # picture pixels a proxy pixel
PATCH: Final = 4  # proxy pixels a latent cell; so a cell is 32 picture pixels
PATCH_VALUES: Final = 3 * PATCH * PATCH
_ENCODER_LOG_VARIANCE: Final = -30.0  # the encoder is deterministic: samples equal the mean


class Axes(NamedTuple):
    """Principal axes of patches: mean (48,), axes (48, k) and the target deviation of each (k,)."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    deviations: NDArray[np.float32]


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + inner


class _Upscaler(nn.Module):
    """Proxy (n, 3, h, w) to picture (n, 3, 8h, 8w): a residual over bicubic interpolation."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        middle, fine = width * 2 // 3, width // 3
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*[_Residual(width) for _ in range(blocks)])
        self.to_middle = nn.Conv2d(width, middle * 4, 3, padding=1)
        self.middle = _Residual(middle)
        self.to_fine = nn.Conv2d(middle, fine * 4, 3, padding=1)
        self.fine = _Residual(fine)
        self.exit = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)  # type: ignore[arg-type]

    def forward(self, proxy: Tensor) -> Tensor:
        x = self.body(self.entry(proxy))
        x = self.middle(F.pixel_shuffle(self.to_middle(F.silu(x)), 2))
        x = self.fine(F.pixel_shuffle(self.to_fine(F.silu(x)), 2))
        detail = F.pixel_shuffle(self.exit(F.silu(x)), 2)
        smooth = F.interpolate(proxy, scale_factor=REDUCTION, mode="bicubic", align_corners=False)
        return smooth + detail


class PatchAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers is untyped
    """Pictures (n, 3, H, W) in -1..1 to latents (n, k, H/32, W/32) and back.

    `block_out_channels` carries no channels: its length of six tells pipelines that one latent
    cell is 2**5 = 32 pixels wide.
    """

    # The arguments that are unused here are what pipelines look for in the settings.
    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 3,  # noqa: ARG002
        latent_channels: int = 16,
        block_out_channels: tuple[int, ...] = (1, 1, 1, 1, 1, 1),  # noqa: ARG002
        scaling_factor: float = 1.0,  # noqa: ARG002
        shift_factor: float | None = None,  # noqa: ARG002
        sample_size: int = 512,  # noqa: ARG002
        force_upcast: bool = False,  # noqa: ARG002
        width: int = 48,
        blocks: int = 5,
    ) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(PATCH_VALUES), requires_grad=False)
        self.analysis = nn.Parameter(torch.zeros(PATCH_VALUES, latent_channels), False)
        self.synthesis = nn.Parameter(torch.zeros(latent_channels, PATCH_VALUES), False)
        self.upscaler = _Upscaler(width, blocks)

    def set_axes(self, axes: Axes) -> None:
        """Take the principal axes over; the latent channel i then deviates by deviations[i]."""
        spread = torch.from_numpy(axes.deviations)
        basis = torch.from_numpy(axes.axes)
        self.mean.data = torch.from_numpy(axes.mean).clone()
        self.analysis.data = (basis * spread).contiguous()
        self.synthesis.data = (basis / spread).T.contiguous()

    def proxy_to_latent(self, proxy: Tensor) -> Tensor:
        """(n, 3, h, w) in -1..1 to (n, k, h/4, w/4)."""
        patches = F.pixel_unshuffle(proxy, PATCH).permute(0, 2, 3, 1)
        return ((patches - self.mean) @ self.analysis).permute(0, 3, 1, 2).contiguous()

    def latent_to_proxy(self, latent: Tensor) -> Tensor:
        """(n, k, h, w) to (n, 3, 4h, 4w) in about -1..1."""
        patches = latent.permute(0, 2, 3, 1) @ self.synthesis + self.mean
        return F.pixel_shuffle(patches.permute(0, 3, 1, 2).contiguous(), PATCH)

    def encode(
        self, x: Tensor, return_dict: bool = True
    ) -> AutoencoderKLOutput | tuple[DiagonalGaussianDistribution]:
        """The latent of a picture, as the (degenerate) distribution that pipelines expect."""
        mean = self.proxy_to_latent(F.avg_pool2d(x, REDUCTION))
        moments = torch.cat([mean, torch.full_like(mean, _ENCODER_LOG_VARIANCE)], 1)
        distribution = DiagonalGaussianDistribution(moments)
        return AutoencoderKLOutput(latent_dist=distribution) if return_dict else (distribution,)

    def decode(
        self,
        z: Tensor,
        return_dict: bool = True,
        generator: torch.Generator | None = None,  # noqa: ARG002  # chance has no part in it
    ) -> DecoderOutput | tuple[Tensor]:
        """The picture of a latent, in about -1..1."""
        sample = self.upscaler(self.latent_to_proxy(z))
        return DecoderOutput(sample=sample) if return_dict else (sample,)


def principal_axes(proxies: NDArray[np.uint8], channels: int, exponent: float = 0.5) -> Axes:
    """The principal axes of the patches of proxies (n, h, w, 3).

    Channels are scaled to deviate by (their share of variance) ** (exponent / 2), with a mean
    square of one: an exponent of 0 whitens fully, which gives noise-like axes as much weight as
    the picture's layout; 1 leaves the picture's own weights.
    """
    scaled = torch.from_numpy(proxies).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    patches = F.pixel_unshuffle(scaled, PATCH).permute(0, 2, 3, 1).reshape(-1, PATCH_VALUES)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T.double()))
    order = torch.arange(PATCH_VALUES - 1, PATCH_VALUES - 1 - channels, -1)
    own = values[order].clamp(min=1e-12).sqrt()
    target = own**exponent
    target = target / target.square().mean().sqrt()
    return Axes(
        mean.numpy(),
        vectors[:, order].float().numpy().copy(),
        (target / own).float().numpy(),
    )
