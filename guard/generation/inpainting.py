"""Inpainting with a text-to-image model, whatever its latent.

After each step the latent outside the mask is put back to the original's, noised as far as the
step went, so that what is drawn inside fits what stands around it (RePaint, arXiv 2201.09865,
without its resampling). Stock inpainting does the same for latents of 4 channels only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from guard.generation.core import Original
from provenance.picture import Pixels

SEAM: Final = 8.0  # px inside a mask over which the drawn passes into the original

if TYPE_CHECKING:
    from torch import Generator, Tensor


def as_tensor(originals: Sequence[Original]) -> Tensor:
    """Pictures as pipelines take them: (n, 3, height, width) in 0..1."""
    import torch

    pixels = np.stack([original.pixels for original in originals])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255.0


def latents_of(pipeline: Any, pictures: Tensor) -> Tensor:
    """The latents of pictures (n, 3, height, width) in 0..1, as a Stable Diffusion draws them."""
    import torch

    weight = next(pipeline.vae.parameters())
    with torch.no_grad():
        latents = pipeline.vae.encode((pictures * 2.0 - 1.0).to(weight)).latent_dist.mode()
    scaled: Tensor = latents * pipeline.vae.config.scaling_factor
    return scaled


def masks_of(originals: Sequence[Original]) -> Tensor:
    """Masks as pipelines take them: (n, 1, height, width), 1 where the picture is to change."""
    import torch

    masks = [original.mask for original in originals if original.mask is not None]
    return torch.from_numpy(np.stack(masks)).unsqueeze(1).float()


def paste_back(drawn: Pixels, original: Original) -> Pixels:
    """`drawn` inside the mask, the original's very pixels outside, and no seam between the two."""
    import cv2

    if original.mask is None:
        return drawn
    # Distances to the nearest pixel that stays, 1 at the mask's own edge. Its part that lies on the
    # edge of the picture is no seam, and a thin mask must still change in its middle.
    depth = cv2.distanceTransform(original.mask.astype(np.uint8), cv2.DIST_L2, 3)
    share = np.minimum(depth / min(SEAM, max(1.0, float(depth.max()) / 2)), 1.0)[..., None]
    blended = original.pixels + share * (drawn.astype(np.float32) - original.pixels)
    return np.where(original.mask[..., None], np.rint(blended), original.pixels).astype(np.uint8)


class Surroundings:
    """The latents of originals, and how to put them back around a mask after a step."""

    def __init__(
        self, pipeline: Any, originals: Sequence[Original], generators: Sequence[Generator]
    ) -> None:
        """`generators`: one for each picture, whose noise is then drawn twice from one state."""
        import torch
        from torch.nn import functional

        self._latents = latents_of(pipeline, as_tensor(originals))
        shape = self._latents.shape[1:]
        noise = [torch.randn(shape, generator=generator) for generator in generators]
        self._noise = torch.stack(noise).to(self._latents)
        # A cell of which any pixel may change is drawn anew; its other pixels are pasted back.
        cells = functional.adaptive_max_pool2d(masks_of(originals), self._latents.shape[-2:])
        self._changes = (cells > 0).to(self._latents.device)

    def put_back(self, pipeline: Any, step: int, latents: Tensor) -> Tensor:
        """The latents after `step`, the original's outside the mask."""
        import torch

        around = self._latents
        following = pipeline.scheduler.timesteps[-pipeline.num_timesteps :][step + 1 : step + 2]
        if len(following):
            around = pipeline.scheduler.add_noise(
                around, self._noise, following.repeat(len(around))
            )
        return torch.where(self._changes, latents, around)
