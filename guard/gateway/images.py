"""``POST /v1/images/generations``: the OpenAI images API over the pipeline."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from guard.errors import InvalidRequest
from guard.gateway.callers import Identity, Scope, require
from guard.gateway.drawing import draw
from guard.pipeline import ImageRequest, Pipeline
from guard.pipeline.request import MAX_IMAGES
from provenance.picture import Format

router = APIRouter(prefix="/v1")


class GenerationBody(BaseModel):
    """What a client may ask for. By ``extra_body`` come ``seed``, ``steps``, ``negative_prompt``,
    ``visible_label``.

    Settings that mean nothing here (``quality``, ``style`` ...) are taken and ignored; what would
    change what the client gets and cannot be done is refused. ``safety_identifier``, or ``user``,
    tells the people behind one key apart.
    """

    model_config = ConfigDict(extra="forbid")

    prompt: str
    model: str | None = None
    n: Annotated[int, Field(ge=1, le=MAX_IMAGES)] = 1
    size: str = "auto"
    output_format: Format = "png"
    response_format: Literal["b64_json"] = "b64_json"
    stream: bool = False
    partial_images: Annotated[int, Field(ge=0, le=3)] = 0  # none is sent: see streaming.py
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
) -> Response:
    """Generate under policy. 400 moderation_blocked carries every reason."""
    asked = asked_by(body, request, identity)
    return await draw(request, asked, identity, stream="image_generation" if body.stream else None)


def asked_by(body: GenerationBody, request: Request, identity: Identity) -> ImageRequest:
    """What the pipeline is asked. Raises InvalidRequest for a model or a size that is none."""
    pipeline: Pipeline = request.app.state.pipeline
    name = pipeline.core.info.name
    if body.model not in (None, name):
        raise InvalidRequest(f"no model {body.model!r} here; GET /v1/models lists them: {name}")
    width, height = _size(body.size)
    return ImageRequest(
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


def _size(text: str) -> tuple[int | None, int | None]:
    if text == "auto":
        return None, None
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise InvalidRequest(f"size {text!r} is not WIDTHxHEIGHT in pixels, such as 512x512")
    return int(sides[0]), int(sides[1])
