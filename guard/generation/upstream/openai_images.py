"""Any service that speaks OpenAI's images API (field names of the API reference, 2026)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from guard.errors import InvalidRequest, UpstreamRefused
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
from guard.generation.upstream.service import Answer, Service
from provenance.picture import Pixels

REFUSALS: Final = frozenset(
    {"moderation_blocked", "content_policy_violation", "content_filter", "review_required"}
)
"""Codes by which services say that their own rules stand against a prompt or its picture."""


class OpenAIImagesCore(Core):
    """``sends``: further settings that the service takes at the top level of its JSON, of ``seed``,
    ``steps``, ``negative_prompt`` and ``guidance``. Without ``seed`` the same seed draws another
    picture each time. ``asks_for_base64``: older models want to be told."""

    def __init__(
        self,
        service: Service,
        name: str,
        model: str,
        limits: UpstreamLimits,
        *,
        sends: frozenset[str] = frozenset(),
        edits: bool = False,
        asks_for_base64: bool = False,
    ) -> None:
        self._service, self._model, self._sends = service, model, sends
        self._asks_for_base64 = asks_for_base64
        self._info = info_of(name, service.url, model, limits, edits=edits)

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
        """See Core. One call a request; with seeds one a picture, as a call has one seed."""
        self.info.check_batch(requests)
        drawn: list[list[Pixels]] = []
        for number, request in enumerate(requests):
            parts = request.singles if "seed" in self._sends else [request]
            drawn.append([one for part in parts for one in self._draw(part, cancelled)])
            if progress is not None:
                progress(number + 1, len(requests))
        return drawn

    def _draw(
        self, request: GenerationRequest, cancelled: Callable[[], bool] | None
    ) -> list[Pixels]:
        body = self._body(request)
        if request.original is None:
            answer = self._service.post("/images/generations", cancelled, json=body)
        else:
            files = {"image": ("image.png", as_png(request.original.pixels), "image/png")}
            mask = mask_png(request, changed="clear")
            if mask is not None:
                files["mask"] = ("mask.png", mask, "image/png")
            form = {key: str(value) for key, value in body.items()}
            answer = self._service.post("/images/edits", cancelled, data=form, files=files)
        _raise_refusal(answer)
        check_status(answer)
        data = mapping(answer.json(), answer.host).get("data")
        items = data if isinstance(data, list) else []
        encoded = [
            from_base64(mapping(item, answer.host).get("b64_json"), answer.host) for item in items
        ]
        if len(encoded) != request.count:
            raise UpstreamRefused(
                f"{answer.host} gave {len(encoded)} of {request.count} pictures; it keeps back what"
                " its own rules refuse"
            )
        return [kept_outside(picture(one, answer.host, request), request) for one in encoded]

    def _body(self, request: GenerationRequest) -> dict[str, Any]:
        if request.negative_prompt and "negative_prompt" not in self._sends:
            raise InvalidRequest(f"{self.info.name!r} takes no negative prompt; leave it out.")
        body: dict[str, Any] = {
            "model": self._model,
            "prompt": request.prompt,
            "n": request.count,
            "size": f"{request.width}x{request.height}",
        }
        if self._asks_for_base64:
            body["response_format"] = "b64_json"
        extra = {
            "seed": request.seed,
            "steps": request.steps,
            "guidance": request.guidance,
            "negative_prompt": request.negative_prompt,
        }
        return body | {key: value for key, value in extra.items() if key in self._sends}


def _raise_refusal(answer: Answer) -> None:
    """Tell a refusal by the service's own rules from everything else that is not 200."""
    if answer.status not in (400, 403, 422):
        return
    said: Mapping[str, object] = mapping(answer.json(), answer.host)
    error = said.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if code in REFUSALS:
        raise UpstreamRefused(
            f"{answer.host} refused by its own rules ({code}); our policy had let it pass"
        )
