"""Any local diffusers checkpoint as a core: Stable Diffusion, SDXL, SD3, Flux, and ours."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled, InvalidRequest
from guard.generation.checkpoint import Checkpoint, digest_of, digest_with, read_checkpoint
from guard.generation.core import (
    LOOK_SECONDS,
    Core,
    CoreInfo,
    Domain,
    GenerationRequest,
    Original,
    Precision,
    Progress,
)
from guard.generation.inpainting import Surroundings, as_tensor, masks_of, paste_back
from guard.generation.inversion import starting_noise
from guard.generation.lora import Lora, check_lora, merge
from guard.generation.word_maps import WordMap, unet_of, watching
from policies.errors import WardmarkError
from provenance.picture import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray



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
        dtype: Precision | None = None,
        strength: float | None = None,
        loras: Sequence[Lora] = (),
    ) -> None:
        """Read the checkpoint's settings. Raises CoreUnavailable if it may not be loaded.

        `domain` is for whoever vouches for the checkpoint to say: no file in it is asked.
        `device`: "cpu", "cuda", ...; None takes CUDA where there is one. `dtype`: None is
        full precision on a CPU, bfloat16 elsewhere. `strength`: of
        an edit for which none is asked, if not the one that its settings state. `loras`: are added
        in this order, and to the digest.
        """
        self._checkpoint: Checkpoint = read_checkpoint(directory)
        self._name = name or directory.resolve().name
        self._domain: Domain = domain
        self._device = device
        self._dtype = dtype
        for lora in loras:
            check_lora(lora)
        self._loras = tuple(loras)
        self._own = {} if strength is None else {"default_strength": strength}
        self._turn = threading.Lock()
        self._loaded: Any = None

    @cached_property
    def info(self) -> CoreInfo:
        """Limits from the checkpoint's settings, and the digest over all its files."""
        return CoreInfo(
            name=self._name,
            domain=self._domain,
            digest=digest_with(digest_of(self._checkpoint.directory), self._loras),
            edits=self._checkpoint.edits,
            inpaints=self._checkpoint.edits,
            marks_noise=self._checkpoint.inverts,
            shows_words="unet" in self._checkpoint.parts,
            **self._checkpoint.limits.model_dump() | self._own,
        )

    def load(self) -> None:
        """See `Core.load`."""
        with self._own_turn(None):
            pass

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """Draw; see `Core.generate_batch`. Where memory is short, fewer pictures at once."""
        self.info.check_batch(requests)
        with self._own_turn(cancelled):
            singles = [single for request in requests for single in request.singles]
            drawn = iter(self._draw(singles, progress, cancelled))
        return [list(islice(drawn, request.count)) for request in requests]

    def word_maps(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[WordMap, ...]:
        """Where each word of the prompt had its say: draws the one picture of ``request`` again.

        Raises InvalidRequest for a core without a UNet, else as `generate`.
        """
        self.info.check(request)
        with self._own_turn(cancelled):
            unet = unet_of(self._loaded)
            with watching(unet, request.width, request.height) as watch:
                self._draw(request.singles[:1], progress, cancelled)
            return watch.maps(request.prompt, self._loaded.tokenizer)

    def starting_noise(self, pixels: Pixels) -> NDArray[np.float32]:
        """(cells,): something like the noise that ``pixels`` (height, width, 3) was drawn from, if
        this core drew it. Raises InvalidRequest for a core that is not gone backwards, or a size
        that it does not draw; CoreUnavailable."""
        if not self.info.marks_noise:
            raise InvalidRequest(f"{self._name!r} cannot tell what noise a picture began with.")
        self.info.check_size(pixels.shape[1], pixels.shape[0])
        with self._own_turn(None):
            noise: NDArray[np.float32] = starting_noise(
                self._loaded, [pixels], self.info.default_steps
            )[0]
        return noise

    @contextmanager
    def _own_turn(self, cancelled: Callable[[], bool] | None) -> Iterator[None]:
        """One run at a time, over loaded weights."""
        while not self._turn.acquire(timeout=LOOK_SECONDS):
            _stop_if(cancelled)
        try:
            _stop_if(cancelled)
            if self._loaded is None:
                self._loaded = self._load()
            yield
        finally:
            self._turn.release()

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
        # Half precision saves memory where it is fast; on a CPU it is slower.
        dtype = self._dtype or ("float32" if device == "cpu" else "bfloat16")
        try:
            pipeline = DiffusionPipeline.from_pretrained(
                self._checkpoint.directory,
                local_files_only=True,
                use_safetensors=True,
                dtype=getattr(torch, dtype),
                **without,
            )
        except Exception as error:
            raise CoreUnavailable(
                f"The checkpoint {self._checkpoint.directory} cannot be loaded "
                f"({type(error).__name__}: {error})."
            ) from error
        for lora in self._loras:
            merge(pipeline, lora)
        return pipeline.to(device)

    def _draw(
        self,
        singles: Sequence[GenerationRequest],
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> list[Pixels]:
        """One picture of each, in as many runs as memory asks for."""
        drawn: list[Pixels] = []
        at_once = len(singles)
        while len(drawn) < len(singles):
            runs, before = -(-len(singles) // at_once), len(drawn) // at_once

            def report(done: int, whole: int, before: int = before, runs: int = runs) -> None:
                if progress is not None:
                    progress(done + whole * before, whole * runs)

            try:
                part = singles[len(drawn) : len(drawn) + at_once]
                drawn += self._run(part, report, cancelled)
            except Exception as error:
                if not _is_out_of_memory(error):
                    raise
                if at_once == 1:
                    raise CoreFailed(
                        f"{self._name!r} has not the memory for one picture of {part[0].width}x"
                        f"{part[0].height}. Ask for a smaller one."
                    ) from error
                at_once //= 2
        return drawn

    def _run(
        self,
        singles: Sequence[GenerationRequest],
        progress: Progress,
        cancelled: Callable[[], bool] | None,
    ) -> list[Pixels]:
        """Draw one picture of each in one run of a pipeline of its own."""
        import torch

        pipeline = self._view(singles[0].original)
        surroundings = self._surroundings(pipeline, singles)

        def after_step(
            running: Any, step: int, _: object, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            _stop_if(cancelled)
            latents = tensors["latents"]
            if not bool(torch.isfinite(latents).all()):
                raise CoreFailed(
                    f"{self._name!r} came to numbers that are no picture at step {step + 1}. "
                    "Ask for other steps or guidance; if it stays so, the checkpoint is broken."
                )
            if surroundings is not None:
                tensors["latents"] = surroundings.put_back(running, step, latents)
            progress(step + 1, getattr(running, "num_timesteps", singles[0].steps))
            return tensors

        arguments = arguments_for(pipeline, singles)
        if singles[0].noise is not None:
            arguments["latents"] = _marked_noise(pipeline, singles)
        if surroundings is not None:
            del arguments["mask_image"]
        hooks: dict[str, Any] = {"callback_on_step_end": after_step}
        if "callback_on_step_end" not in inspect.signature(pipeline.__call__).parameters:
            hooks = {  # PixArt
                "callback": lambda i, _, latents: after_step(pipeline, i, _, {"latents": latents}),
                "callback_steps": 1,
            }
        try:
            drawn = pipeline(**arguments, **hooks).images
        except WardmarkError:
            raise
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            raise CoreFailed(
                f"{self._name!r} broke while drawing ({type(error).__name__}: {error})."
            ) from error
        return [
            self._picture(image, request) for image, request in zip(drawn, singles, strict=True)
        ]

    def _view(self, original: Original | None) -> Any:
        """A pipeline of one run around the loaded weights, with a scheduler of its own.

        Pipelines and schedulers keep their place in a run in themselves.
        """
        import diffusers

        loaded = self._loaded
        name = type(loaded).__name__
        if original is not None:
            stock = original.mask is not None and self._checkpoint.stock_inpainting
            ending = "InpaintPipeline" if stock else "Img2ImgPipeline"
            name = name.removesuffix("Pipeline") + ending
        view = getattr(diffusers, name).from_pipe(
            loaded,
            vae=loaded.vae,  # named, since one that is not AutoencoderKL is dropped otherwise
            scheduler=type(loaded.scheduler).from_config(loaded.scheduler.config),
            dtype=loaded.dtype,
        )
        view.set_progress_bar_config(disable=True)
        return view

    def _surroundings(
        self, pipeline: Any, singles: Sequence[GenerationRequest]
    ) -> Surroundings | None:
        """What to put back around the masks where no stock pipeline does it."""
        masked = [s for s in singles if s.original is not None and s.original.mask is not None]
        if not masked or self._checkpoint.stock_inpainting:
            return None
        originals = [s.original for s in masked if s.original is not None]
        return Surroundings(pipeline, originals, _generators(masked))

    def _picture(self, image: NDArray[np.float32], request: GenerationRequest) -> Pixels:
        if image.shape != (request.height, request.width, 3):
            raise CoreFailed(
                f"{self._name!r} drew {image.shape} instead of "
                f"{(request.height, request.width, 3)}."
            )
        if not np.isfinite(image).all():
            raise CoreFailed(f"{self._name!r} decoded to numbers that are no picture.")
        # Decoders leave planes behind one another; whoever looks at it wants rows of RGB.
        pixels: Pixels = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8, order="C")
        if not pixels.any():
            raise CoreFailed(f"{self._name!r} drew nothing but black.")
        return pixels if request.original is None else paste_back(pixels, request.original)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    # Only accelerators have an error of their own; the CPU's allocator says it in words.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise GenerationCancelled


def arguments_for(pipeline: Any, singles: Sequence[GenerationRequest]) -> dict[str, Any]:
    """The pipeline's arguments for requests of one picture each and of one `batch_key`.

    Families differ in what they take, so the pipeline's signature is asked.
    """
    accepted = inspect.signature(pipeline.__call__).parameters
    first = singles[0]
    arguments: dict[str, Any] = {
        "prompt": [request.prompt for request in singles],
        "width": first.width,
        "height": first.height,
        "num_inference_steps": first.steps,
        "guidance_scale": first.guidance,
        "generator": _generators(singles),
        "output_type": "np",
    }
    if first.original is not None:
        originals = [request.original for request in singles if request.original is not None]
        arguments["image"] = as_tensor(originals)
        arguments["strength"] = first.original.strength
        if first.original.mask is not None:
            arguments["mask_image"] = masks_of(originals)
        # Img2Img pipelines of the older families take the size from the picture.
        for side in {"width", "height"} - accepted.keys():
            del arguments[side]
    # PixArt and Sana would draw another size and scale it, and put prompts into words of their own.
    arguments |= {
        name: False for name in ("use_resolution_binning", "clean_caption") if name in accepted
    }
    if first.negative_prompt:
        if "negative_prompt" not in accepted:
            raise InvalidRequest("This core takes no negative prompt; leave it out.")
        arguments["negative_prompt"] = [request.negative_prompt for request in singles]
        if "true_cfg_scale" in accepted:  # Flux: guidance_scale alone knows no negative prompt
            arguments["true_cfg_scale"] = first.guidance
    return arguments


def _marked_noise(pipeline: Any, singles: Sequence[GenerationRequest]) -> Any:
    """Noise of sizes by each seed, and of signs by each payload: (n, channels, rows, columns)."""
    import torch

    cell = pipeline.vae_scale_factor
    rows, columns = singles[0].height // cell, singles[0].width // cell
    shape = (pipeline.unet.config.in_channels, rows, columns)
    drawn = []
    for request, generator in zip(singles, _generators(singles), strict=True):
        plain = torch.randn(shape, generator=generator)
        assert request.noise is not None  # noqa: S101  # all or none: they are of one batch
        signs = torch.from_numpy(
            request.noise.mark.signs(request.noise.payloads[0], plain.numel())
        ).view(shape)
        drawn.append(torch.where(signs == 0, plain, plain.abs() * signs))
    return torch.stack(drawn).to(pipeline.device, pipeline.dtype)


def _generators(singles: Sequence[GenerationRequest]) -> list[Any]:
    """A source of noise for each picture: on the CPU, so that a seed means the same everywhere."""
    import torch

    return [torch.Generator().manual_seed(request.seed) for request in singles]
