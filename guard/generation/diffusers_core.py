"""Any local diffusers checkpoint as a core: Stable Diffusion, SDXL, SD3, Flux, and ours."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled, InvalidRequest
from guard.generation.checkpoint import Checkpoint, digest_of, read_checkpoint
from guard.generation.core import Core, CoreInfo, Domain, GenerationRequest, Progress
from policies.errors import WardmarkError
from provenance.picture import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WAIT: Final = 0.05  # seconds between two looks at `cancelled` while another request is drawn


class DiffusersCore(Core):
    """A checkpoint directory, loaded at the first request and kept.

    Requests take turns: pipelines keep state in themselves while they draw. Nothing is fetched
    from a network, and the checkpoint's own safety checker is not used, since ours stands around
    the core.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str | None = None,
        domain: Domain = "open",
        device: str | None = None,
    ) -> None:
        """Read the checkpoint's settings. Raises CoreUnavailable if it may not be loaded.

        `domain` is for whoever vouches for the checkpoint to say: no file in it is asked.
        `device`: "cpu", "cuda", ...; None takes CUDA where there is one.
        """
        self._checkpoint: Checkpoint = read_checkpoint(directory)
        self._name = name or directory.resolve().name
        self._domain: Domain = domain
        self._device = device
        self._turn = threading.Lock()
        self._loaded: Any = None

    @cached_property
    def info(self) -> CoreInfo:
        """Limits from the checkpoint's settings, and the digest over all its files."""
        return CoreInfo(
            name=self._name,
            domain=self._domain,
            digest=digest_of(self._checkpoint.directory),
            **self._checkpoint.limits.model_dump(),
        )

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """Draw; see `Core.generate_batch`."""
        self.info.check_batch(requests)
        while not self._turn.acquire(timeout=_WAIT):
            _stop_if(cancelled)
        try:
            _stop_if(cancelled)
            if self._loaded is None:
                self._loaded = self._load()
            drawn = iter(self._draw(self._loaded, requests, progress, cancelled))
        finally:
            self._turn.release()
        return [list(islice(drawn, request.count)) for request in requests]

    def _load(self) -> Any:
        import torch
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        # A module that a checkpoint names is only used if we imported it; this one is ours.
        import guard.generation.autoencoder  # noqa: F401

        for chatty in (diffusers_logging, transformers_logging):
            # Their warnings quote what of the prompt was cut off; prompts are never logged.
            chatty.set_verbosity_error()
            chatty.disable_progress_bar()
        # Ours stands around the core, so the checkpoint's own is not even loaded.
        without = {"safety_checker": None} if "safety_checker" in self._checkpoint.parts else {}
        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            pipeline = DiffusionPipeline.from_pretrained(
                self._checkpoint.directory,
                local_files_only=True,
                use_safetensors=True,
                # Half precision saves memory where it is fast; on a CPU it is slower.
                dtype=torch.float32 if device == "cpu" else torch.bfloat16,
                **without,
            )
        except Exception as error:
            raise CoreUnavailable(
                f"The checkpoint {self._checkpoint.directory} cannot be loaded "
                f"({type(error).__name__}: {error})."
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(device)

    def _draw(
        self,
        pipeline: Any,
        requests: Sequence[GenerationRequest],
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> list[Pixels]:
        import torch

        first = requests[0]

        def after_step(
            running: Any, step: int, _: object, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            _stop_if(cancelled)
            latents = tensors.get("latents")
            if latents is not None and not bool(torch.isfinite(latents).all()):
                raise CoreFailed(
                    f"{self._name!r} came to numbers that are no picture at step {step + 1}. "
                    "Ask for other steps or guidance; if it stays so, the checkpoint is broken."
                )
            if progress is not None:
                progress(step + 1, getattr(running, "num_timesteps", first.steps))
            return tensors

        # Schedulers keep their place in a run: each request gets a fresh one.
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
        arguments = arguments_for(pipeline, requests)
        try:
            drawn = pipeline(**arguments, callback_on_step_end=after_step).images
        except WardmarkError:
            raise
        except Exception as error:
            raise CoreFailed(
                f"{self._name!r} broke while drawing ({type(error).__name__}: {error})."
            ) from error
        return [self._picture(image, first) for image in drawn]

    def _picture(self, image: NDArray[np.float32], request: GenerationRequest) -> Pixels:
        if image.shape != (request.height, request.width, 3):
            raise CoreFailed(
                f"{self._name!r} drew {image.shape} instead of "
                f"{(request.height, request.width, 3)}."
            )
        if not np.isfinite(image).all():
            raise CoreFailed(f"{self._name!r} decoded to numbers that are no picture.")
        pixels: Pixels = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        if not pixels.any():
            raise CoreFailed(f"{self._name!r} drew nothing but black.")
        return pixels


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise GenerationCancelled("The generation was stopped as asked; nothing was kept.")


def arguments_for(pipeline: Any, requests: Sequence[GenerationRequest]) -> dict[str, Any]:
    """The pipeline's arguments for requests of one `batch_key`.

    Families differ in what they take, so the pipeline's signature is asked.
    """
    import torch

    accepted = inspect.signature(pipeline.__call__).parameters
    first = requests[0]
    each = [(request, number) for request in requests for number in range(request.count)]
    arguments: dict[str, Any] = {
        "prompt": [request.prompt for request, _ in each],
        "width": first.width,
        "height": first.height,
        "num_inference_steps": first.steps,
        "guidance_scale": first.guidance,
        # On the CPU, so that a seed means the same noise on every device.
        "generator": [
            torch.Generator().manual_seed(request.seed + number) for request, number in each
        ],
        "output_type": "np",
    }
    if first.negative_prompt:
        if "negative_prompt" not in accepted:
            raise InvalidRequest("This core takes no negative prompt; leave it out.")
        arguments["negative_prompt"] = [request.negative_prompt for request, _ in each]
        if "true_cfg_scale" in accepted:  # Flux: guidance_scale alone knows no negative prompt
            arguments["true_cfg_scale"] = first.guidance
    return arguments
