"""``POST /v1/images/edits``: a picture is changed, whole or behind a mask.

A form, as the OpenAI images API has it: ``image`` (or one ``image[]``), ``prompt``, and as it may
be ``mask``, the fields of a generation, and ``strength``.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.formparsers import MultiPartException

from guard.errors import InvalidRequest
from guard.gateway.callers import Identity, Scope, require
from guard.gateway.drawing import draw
from guard.gateway.images import GenerationBody, asked_by
from guard.gateway.uploads import FRAME_BYTES, MAX_UPLOAD_BYTES, InMemoryParser, bounded
from guard.pipeline import Edit
from provenance.errors import PictureTooLarge

router = APIRouter(prefix="/v1")

MAX_MASK_BYTES: Final = 4 * 1024 * 1024  # as in the OpenAI images API
MAX_FIELDS: Final = 40
MAX_FILES: Final = 4  # a picture, its mask, and enough more to say what is wrong with them
IMAGE_NAMES: Final = ("image", "image[]")
MASK_NAME: Final = "mask"


class EditBody(GenerationBody):
    """What a client may ask of an edit, besides its files."""

    strength: Annotated[float, Field(gt=0, le=1)] | None = None
    input_fidelity: str | None = None


def _form() -> dict[str, Any]:
    """The form as OpenAPI describes it: FastAPI would read it before anybody asked who sends it."""
    schema = EditBody.model_json_schema()
    file = {"type": "string", "format": "binary"}
    schema["properties"] |= {"image": file, MASK_NAME: file}
    schema["required"] = ["image", *schema["required"]]
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


@router.post("/images/edits", openapi_extra=_form())
async def edit(
    request: Request, identity: Annotated[Identity, Depends(require(scope=Scope.EDIT))]
) -> Response:
    """Edit under policy: what is sent in is assessed before anything is drawn."""
    fields, files = await _read(request)
    images = [file for name, file in files if name in IMAGE_NAMES]
    masks = [file for name, file in files if name == MASK_NAME]
    if len(images) != 1 or len(masks) > 1:
        raise InvalidRequest(
            f'one picture is edited at a time, with one mask or none; {len(images)} came in "image"'
            f' or "image[]", and {len(masks)} in "mask"'
        )
    if unknown := sorted({name for name, _ in files} - {*IMAGE_NAMES, MASK_NAME}):
        raise InvalidRequest(f"files are taken as image and mask, not as {', '.join(unknown)}")
    mask = masks[0] if masks else None
    if mask is not None and len(mask) > MAX_MASK_BYTES:
        raise PictureTooLarge(
            f"the mask has more than {MAX_MASK_BYTES:,} bytes; send a smaller one"
        )
    try:
        body = EditBody.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    asked = asked_by(body, request, identity)
    asked = asked.model_copy(
        update={"edit": Edit(image=images[0], mask=mask, strength=body.strength)}
    )
    return await draw(
        request,
        asked,
        identity,
        stream="image_edit" if body.stream else None,
        end_user=body.safety_identifier or body.user,
    )


async def _read(request: Request) -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """The text fields and the files of the form. Nothing touches a disk."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise InvalidRequest(
            'send multipart/form-data with the picture in "image" and the words in "prompt"'
        )
    stream = bounded(request, MAX_UPLOAD_BYTES + MAX_MASK_BYTES + FRAME_BYTES)
    parser = InMemoryParser(request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"this form cannot be read: {error.message}") from error
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    try:
        for name, value in form.multi_items():
            if not isinstance(value, str):
                files.append((name, await value.read()))
            elif name in fields:
                raise InvalidRequest(f"{name[:40]!r} stands twice in the form; give it once")
            elif name in (*IMAGE_NAMES, MASK_NAME):
                raise InvalidRequest(f"{name!r} must be a file of the form, not a text")
            else:
                fields[name] = value
    finally:
        await form.close()
    return fields, files
