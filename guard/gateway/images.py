"""``POST /v1/images/generations``: the OpenAI images API over the pipeline."""

import base64
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from guard.errors import InvalidRequest
from guard.gateway.callers import Identity, Scope, require
from guard.gateway.errors import error_body, gateway_block
from guard.pipeline import ImageRequest, Outcome, Pipeline, Released, deliver
from guard.pipeline.request import MAX_IMAGES
from provenance.picture import Format

router = APIRouter(prefix="/v1")


class GenerationBody(BaseModel):
    """What a client may ask for. By ``extra_body`` come ``seed``, ``steps``, ``negative_prompt``,
    ``visible_label``.

    Settings that mean nothing here (``quality``, ``style``, ``user`` ...) are taken and ignored;
    what would change what the client gets and cannot be done is refused.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: str
    model: str | None = None
    n: Annotated[int, Field(ge=1, le=MAX_IMAGES)] = 1
    size: str = "auto"
    output_format: Format = "png"
    response_format: Literal["b64_json"] = "b64_json"
    stream: Literal[False] = False
    background: Literal["opaque", "auto"] = "auto"
    seed: int | None = None
    steps: int | None = None
    negative_prompt: str = ""
    visible_label: bool = False
    quality: str | None = None
    style: str | None = None
    moderation: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    output_compression: int | None = None


@router.post("/images/generations")
async def generate(
    body: GenerationBody,
    request: Request,
    identity: Annotated[Identity, Depends(require(scope=Scope.GENERATE))],
) -> dict[str, Any]:
    """Generate under policy. 400 moderation_blocked carries every reason."""
    pipeline: Pipeline = request.app.state.pipeline
    name = pipeline.core.info.name
    if body.model not in (None, name):
        raise InvalidRequest(f"no model {body.model!r} here; GET /v1/models lists them: {name}")
    width, height = _size(body.size)
    asked = ImageRequest(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        width=width,
        height=height,
        steps=body.steps,
        seed=body.seed,
        count=body.n,
        format=body.output_format,
        visible_label=body.visible_label,
        caller=identity.caller(),
    )
    outcome = await run_in_threadpool(pipeline.run, asked)
    return _response(outcome, body.output_format)


def _size(text: str) -> tuple[int | None, int | None]:
    if text == "auto":
        return None, None
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise InvalidRequest(f"size {text!r} is not WIDTHxHEIGHT in pixels, such as 512x512")
    return int(sides[0]), int(sides[1])


def _response(outcome: Outcome, output_format: Format) -> dict[str, Any]:
    asked = outcome.asked
    return {
        "created": int(time.time()),
        "data": [_datum(released) for released in outcome.released],
        "size": f"{asked.width}x{asked.height}",
        "quality": "high",
        "output_format": output_format,
        "background": "opaque",
        "gateway": {
            "decision_id": outcome.decision_id,
            "policy": outcome.prompt_decision.policy.model_dump(),
            "seed": asked.seed,
            "not_assessed": sorted(outcome.prompt_assessment.not_assessed),
            "refused": [
                error_body(
                    str(refusal.error),
                    status=400,
                    code=refusal.error.code,
                    gateway=gateway_block(refusal.error),
                )["error"]
                for refusal in outcome.refusals
            ],
        },
    }


def _datum(released: Released) -> dict[str, Any]:
    return {
        "b64_json": base64.b64encode(deliver(released)).decode("ascii"),
        "gateway": {
            "content_id": released.content_id,
            "sha256": released.sha256,
            "record": released.entry.id if released.entry else None,
            "receipts": [receipt.model_dump(mode="json") for receipt in released.trail.receipts],
            "not_run": list(released.trail.not_run),
        },
    }
