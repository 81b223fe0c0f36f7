"""``POST /v1/moderations``: the OpenAI moderations API over the checker."""

import base64
import binascii
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from guard.check import Checker, CheckResult
from guard.errors import InvalidRequest
from guard.gateway.callers import Admission, Identity, Scope, require
from guard.pipeline.request import Caller
from guard.prompts.adapters.crosswalk import OPENAI
from policies.categories import CATEGORIES
from policies.decision import Action

MAX_INPUTS = 32

router = APIRouter(prefix="/v1")


class ImageUrl(BaseModel):
    """A picture as a data URL; others are not fetched."""

    url: str


class TextPart(BaseModel):
    """A text among the inputs."""

    type: Literal["text"]
    text: str


class ImagePart(BaseModel):
    """A picture among the inputs."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ModerationBody(BaseModel):
    """What a client may send."""

    model_config = ConfigDict(extra="forbid")

    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MAX_INPUTS)]
        | Annotated[list[Part], Field(min_length=1, max_length=MAX_INPUTS)]
    )
    model: str | None = None


@router.post("/moderations")
async def moderate(
    body: ModerationBody,
    request: Request,
    identity: Annotated[Identity, Depends(require(scope=Scope.MODERATE))],
) -> dict[str, Any]:
    """Assess and decide. Parts of a mixed input are judged one by one, as separate results."""
    checker: Checker = request.app.state.checker
    given: list[str | TextPart | ImagePart] = (
        [body.input] if isinstance(body.input, str) else [*body.input]
    )
    admission: Admission = request.app.state.callers.admission
    results = [await _admitted(admission, identity, checker, one) for one in given]
    return {
        "id": f"modr-{uuid4().hex}",
        "model": f"{checker.policy.name}@{checker.policy.version}",
        "results": [_result(kind, result) for kind, result in results],
    }


async def _admitted(
    admission: Admission, identity: Identity, checker: Checker, part: str | TextPart | ImagePart
) -> tuple[str, CheckResult]:
    if isinstance(part, ImagePart):
        caller = await admission.looking(identity)
        return await run_in_threadpool(_look, checker, part, caller)
    text = part.text if isinstance(part, TextPart) else part
    caller, tried = await admission.checking(identity, text)
    result = await run_in_threadpool(checker.text, text, caller=caller)
    await admission.checked(tried, result.decision)
    return "text", result


def _look(checker: Checker, part: ImagePart, caller: Caller) -> tuple[str, CheckResult]:
    if not part.image_url.url.startswith("data:"):
        raise InvalidRequest("send pictures as data URLs in base64; addresses are not fetched")
    return "image", checker.image(data_of(part.image_url.url), caller=caller)


def data_of(url: str) -> bytes:
    """The file in a data URL, or in bare base64. Raises InvalidRequest."""
    head, comma, encoded = url.rpartition(",")
    if comma and not (head.startswith("data:") and head.endswith(";base64")):
        raise InvalidRequest("send pictures as data URLs in base64, or as base64 alone")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"the data URL is not base64: {error}") from error


def _result(kind: str, result: CheckResult) -> dict[str, Any]:
    scores = {name: c.score for name, c in result.categories.items()}
    flags = {name: c.flagged for name, c in result.categories.items()}
    theirs = {**OPENAI, **{f"x-{ours}": ours for ours in CATEGORIES}}
    return {
        "flagged": result.decision >= Action.REVIEW,
        "categories": {name: flags.get(ours, False) for name, ours in theirs.items()},
        "category_scores": {name: scores.get(ours, 0.0) for name, ours in theirs.items()},
        "category_applied_input_types": {
            name: [kind] if ours in scores else [] for name, ours in theirs.items()
        },
        "gateway": result.document(),
    }
