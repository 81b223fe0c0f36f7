"""``POST /beta/litellm_basic_guardrail_api``: LiteLLM's Generic Guardrail API over the checker.

Every text and picture of a request or response is assessed and decided on, those of its structured
messages too. What is in it and cannot be looked at (sound, files, pictures at addresses) is named
as not assessed and stops it, unless the operator of LiteLLM says otherwise. An outage of ours is an
error, which LiteLLM raises: never a pass.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from guard.check import Checker, CheckResult
from guard.errors import InvalidRequest
from guard.gateway.callers import Callers, Identity, Scope, require
from guard.gateway.moderations import data_of
from guard.pipeline.request import Caller
from policies.decision import Action

MAX_PARTS = 512  # texts and pictures of one request

router = APIRouter()


class Ours(BaseModel):
    """``litellm_params.additional_provider_specific_params`` that mean something here.

    ``on_not_assessed``: what becomes of a request with a part that nobody can look at.
    """

    model_config = ConfigDict(extra="allow")

    on_not_assessed: Literal["block", "pass"] = "block"


class GuardrailBody(BaseModel):
    """What LiteLLM sends; what it sends beyond, now or later, is named as not assessed."""

    model_config = ConfigDict(extra="allow")

    input_type: Literal["request", "response"] = "request"
    texts: list[str] | None = None
    images: list[str] | None = None
    structured_messages: list[dict[str, Any]] | None = None
    tools: list[Any] | None = None
    tool_calls: list[Any] | None = None
    request_data: dict[str, Any] | None = None
    litellm_call_id: str | None = None
    litellm_trace_id: str | None = None
    litellm_version: str | None = None
    model: str | None = None
    request_headers: dict[str, Any] | None = None
    additional_provider_specific_params: Ours | None = None


class _Parts(NamedTuple):
    """What there is to look at. ``stops``: content that cannot be; ``told``: what else is there and
    is nobody's content, such as the description of a tool."""

    texts: tuple[str, ...]
    images: tuple[str, ...]
    stops: tuple[str, ...]
    told: tuple[str, ...]


@router.post("/beta/litellm_basic_guardrail_api")
async def guardrail(
    body: GuardrailBody,
    request: Request,
    identity: Annotated[Identity, Depends(require(scope=Scope.MODERATE))],
) -> dict[str, Any]:
    """Answer NONE or BLOCKED, with every reason beside it. 503 where a guard is down."""
    checker: Checker = request.app.state.checker
    parts = _parts_of(body)
    if len(parts.texts) + len(parts.images) > MAX_PARTS:
        raise InvalidRequest(f"more than {MAX_PARTS} texts and pictures; send fewer at once")
    ours = body.additional_provider_specific_params or Ours()
    callers: Callers = request.app.state.callers
    admission = callers.admission
    asked = parts.texts if body.input_type == "request" else ()  # what a person may be probing with
    admitted = [await admission.checking(identity, text, _person(body)) for text in asked]
    caller = await admission.looking(identity)
    caller = max((c for c, _ in admitted), key=lambda c: c.probing or 0, default=caller)
    results = await run_in_threadpool(_check, checker, parts, caller)
    for (_, tried), result in zip(admitted, results, strict=False):  # the texts stand first
        await admission.checked(tried, result.decision)
    refused = [result for result in results if result.decision >= Action.REDACT]
    stops = parts.stops if ours.on_not_assessed == "block" else ()
    why = [reason.message for result in refused for reason in _worst(result)]
    why += [f"nobody can look at {part}" for part in stops]
    return {
        "action": "BLOCKED" if why else "NONE",
        "blocked_reason": "; ".join(dict.fromkeys(why)) or None,
        "gateway": {
            "policy": checker.policy.ref.model_dump(),
            "not_assessed": [*parts.stops, *parts.told],
            "results": [result.document() for result in results],
        },
    }


def _person(body: GuardrailBody) -> str | None:
    """Who asks, as LiteLLM knows them; believed of keys of the scope bulk alone."""
    known = body.request_data or {}
    named = ("user_api_key_end_user_id", "user_api_key_user_id", "user_api_key_hash")
    return next((str(known[name]) for name in named if known.get(name)), None)


def _check(checker: Checker, parts: _Parts, caller: Caller) -> list[CheckResult]:
    texts = checker.texts(parts.texts, caller=caller)
    return [*texts, *(checker.image(data_of(url), caller=caller) for url in parts.images)]


def _worst(result: CheckResult) -> Iterator[Any]:
    return (reason for reason in result.reasons if reason.action is result.decision)


def _parts_of(body: GuardrailBody) -> _Parts:
    """Each text and picture once: those of the messages mostly stand among the others too."""
    texts, images = list(body.texts or ()), list(body.images or ())
    stops: list[str] = []
    for number, message in enumerate(body.structured_messages or ()):
        content = message.get("content")
        pieces = content if isinstance(content, list) else [content]
        for place, piece in enumerate(pieces):
            where = f"structured_messages[{number}].content[{place}]"
            match piece:
                case None:
                    pass
                case str(text) | {"type": "text" | "input_text", "text": str(text)}:
                    texts.append(text)
                case {"type": "image_url", "image_url": {"url": str(url)}} | {
                    "type": "image_url" | "input_image",
                    "image_url": str(url),
                }:
                    images.append(url)
                case {"type": str(kind)}:
                    stops.append(f"{where} ({kind[:64]})")
                case _:
                    stops.append(where)
    seen = [url for url in dict.fromkeys(images) if _is_data(url)]
    stops += [f"images[{n}] (an address)" for n, url in enumerate(images) if not _is_data(url)]
    told = [name for name in ("tools", "tool_calls") if getattr(body, name)]
    told += sorted(name for name, value in (body.model_extra or {}).items() if value)
    written = dict.fromkeys(text for text in texts if text.strip())
    return _Parts(tuple(written), tuple(seen), tuple(dict.fromkeys(stops)), tuple(told))


def _is_data(url: str) -> bool:
    """Addresses are not fetched; LiteLLM sends pictures as data URLs or bare base64."""
    return "://" not in url
