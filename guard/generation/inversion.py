"""From a picture back to something like the noise that a pipeline drew it from.

The way of drawing is gone backwards (DDIM inversion, Song et al., arXiv 2010.02502, appendix F),
without a prompt, since who verifies a picture does not know it. Pictures that hold little (a shape
on a plain ground) do not remember their noise, whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.generation.inpainting import latents_of
from provenance.picture import Pixels

if TYPE_CHECKING:
    from torch import Tensor


class Level(NamedTuple):
    """How noisy a latent is: ``signal`` of the picture's latent and ``noise`` of standard noise,
    at the moment that the model knows as ``time``."""

    time: Any
    signal: float
    noise: float


def starting_noise(pipeline: Any, pictures: Sequence[Pixels], steps: int) -> NDArray[np.float32]:
    """(n, cells): of each picture (height, width, 3), as standard noise is laid out in a latent."""
    import torch

    with torch.no_grad():
        shown = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255.0
        latents = latents_of(pipeline, shown)
        wordless = _wordless(pipeline).expand(len(latents), -1, -1)
        clean, *levels = _levels(pipeline.scheduler, steps)
        here = clean
        for there in levels:
            said = pipeline.unet(latents, there.time, encoder_hidden_states=wordless).sample
            picture, noise = parts(pipeline.scheduler, latents, said, here)
            latents = there.signal * picture + there.noise * noise
            here = there
    flat: NDArray[np.float32] = latents.flatten(1).float().cpu().numpy()
    return flat


def _wordless(pipeline: Any) -> Tensor:
    tokenizer = pipeline.tokenizer
    tokens = tokenizer(
        "", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    hidden: Tensor = pipeline.text_encoder(tokens.input_ids.to(pipeline.device))[0]
    return hidden


def _levels(scheduler: Any, steps: int) -> list[Level]:
    """From the clean latent to pure noise: the levels that the scheduler itself would pass."""
    if _flows(scheduler):
        own = type(scheduler).from_config(scheduler.config)
        own.set_timesteps(steps)
        times = [None, *own.timesteps.flip(0)]
        sigmas = own.sigmas.flip(0).tolist()
        return [Level(time, 1.0 - s, s) for time, s in zip(times, sigmas, strict=True)]
    kept = scheduler.alphas_cumprod  # the share of signal in the variance, by time
    passed = np.linspace(0, len(kept) - 1, steps + 1).round().astype(int)[1:].tolist()
    shares = [(time, float(kept[time])) for time in passed]
    return [Level(None, 1.0, 0.0), *(Level(t, s**0.5, (1.0 - s) ** 0.5) for t, s in shares)]


def _flows(scheduler: Any) -> bool:
    """Whether noise and picture are mixed along a straight line (flow matching)."""
    return _predicts(scheduler) == "flow_prediction"


def _predicts(scheduler: Any) -> str:
    return str(scheduler.config.get("prediction_type", "epsilon"))


def parts(scheduler: Any, latents: Tensor, said: Tensor, at: Level) -> tuple[Tensor, Tensor]:
    """The picture's latent and the noise, of which the model ``said`` that latents consist."""
    match _predicts(scheduler):
        case "flow_prediction":
            return latents - at.noise * said, latents + at.signal * said
        case "v_prediction":
            return (
                at.signal * latents - at.noise * said,
                at.signal * said + at.noise * latents,
            )
        case _:
            return (latents - at.noise * said) / at.signal, said
