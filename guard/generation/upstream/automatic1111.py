"""Stable Diffusion web UI (AUTOMATIC1111) and what speaks its API: ``/sdapi/v1``."""

import base64
import threading
from collections.abc import Callable, Sequence
from typing import Any

from guard.errors import CoreFailed, GenerationCancelled
from guard.generation.core import Core, CoreInfo, GenerationRequest, Progress
from guard.generation.upstream.pictures import (
    UpstreamLimits,
    as_png,
    check_status,
    from_base64,
    info_of,
    kept_outside,
    mapping,
    mask_png,
    picture,
)
from guard.generation.upstream.service import Service
from policies.errors import WardmarkError
from provenance.picture import Pixels

PROGRESS_EVERY = 0.5  # seconds


class Automatic1111Core(Core):
    """``model``: the checkpoint's name there, None for whichever is loaded. Scripts and extensions
    are never named: they are code."""

    def __init__(
        self,
        service: Service,
        name: str,
        limits: UpstreamLimits,
        *,
        model: str | None = None,
        sampler: str | None = None,
    ) -> None:
        self._service, self._model, self._sampler = service, model, sampler
        self._info = info_of(name, service.url, model, limits, edits=True)

    @property
    def info(self) -> CoreInfo:
        """See Core."""
        return self._info

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """See Core. One call a request: its pictures are drawn from consecutive seeds there too."""
        self.info.check_batch(requests)
        with _Followed(self._service, requests[0].steps, progress):
            return [self._draw(request, cancelled) for request in requests]

    def _draw(
        self, request: GenerationRequest, cancelled: Callable[[], bool] | None
    ) -> list[Pixels]:
        way = "txt2img" if request.original is None else "img2img"
        try:
            answer = self._service.post(f"/sdapi/v1/{way}", cancelled, json=self._body(request))
        except GenerationCancelled:
            self._service.tell("/sdapi/v1/interrupt")
            raise
        check_status(answer)
        images = mapping(answer.json(), answer.host).get("images")
        if not isinstance(images, list) or len(images) < request.count:
            raise CoreFailed(f"{answer.host} answered with fewer pictures than were asked for.")
        # What extensions add stands behind the pictures.
        encoded = [from_base64(image, answer.host) for image in images[: request.count]]
        return [kept_outside(picture(one, answer.host, request), request) for one in encoded]

    def _body(self, request: GenerationRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "width": request.width,
            "height": request.height,
            "steps": request.steps,
            "cfg_scale": request.guidance,
            "seed": request.seed,
            "batch_size": request.count,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
        }
        if self._sampler is not None:
            body["sampler_name"] = self._sampler
        if self._model is not None:
            body["override_settings"] = {"sd_model_checkpoint": self._model}
        edit = request.original
        if edit is not None:
            body["init_images"] = [_base64(as_png(edit.pixels))]
            body["denoising_strength"] = edit.strength
            mask = mask_png(request, changed="white")
            if mask is not None:
                body |= {"mask": _base64(mask), "inpainting_fill": 1, "inpaint_full_res": False}
        return body


class _Followed:
    """Asks for the progress beside the drawing; a word that does not come is not missed."""

    def __init__(self, service: Service, steps: int, progress: Progress | None) -> None:
        self._service, self._steps, self._progress = service, steps, progress
        self._done = threading.Event()

    def __enter__(self) -> None:
        if self._progress is not None:
            threading.Thread(target=self._follow, name="progress", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _follow(self) -> None:
        assert self._progress is not None  # noqa: S101  # else not started
        while not self._done.wait(PROGRESS_EVERY):
            try:
                said = self._service.get("/sdapi/v1/progress", {"skip_current_image": "true"})
                share = mapping(said.json(), said.host).get("progress")
            except WardmarkError:
                continue
            if isinstance(share, int | float) and not self._done.is_set():
                self._progress(min(max(round(share * self._steps), 0), self._steps), self._steps)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
