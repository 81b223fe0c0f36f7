"""Pictures as they come over the wire, believed no further than a stranger's."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from guard.errors import CoreFailed, CoreUnavailable
from guard.generation.core import CoreInfo, GenerationRequest, Limits
from guard.generation.upstream.service import Answer
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import Pixels, decode, encode

Edits = Literal["none", "whole", "masked"]


class UpstreamLimits(Limits):
    """What the operator says that the service takes; sides in pixels."""

    default_width: int = Field(default=1024, gt=0)
    default_height: int = Field(default=1024, gt=0)
    size_multiple: int = Field(default=8, gt=0)
    min_side: int = Field(default=256, gt=0)
    max_side: int = Field(default=2048, gt=0)
    default_steps: int = Field(default=20, gt=0)
    max_steps: int = Field(default=150, gt=0)
    max_batch: int = Field(default=4, gt=0, le=10)
    default_guidance: float = Field(default=7.0, ge=0.0)


def info_of(
    name: str, url: str, model: str | None, limits: UpstreamLimits, *, edits: bool = False
) -> CoreInfo:
    """Always open: nobody here knows what it can draw. Its digest is of the address and the model's
    name; the weights behind them nobody can know."""
    digest = hashlib.sha256(f"{url}\0{model}".encode()).hexdigest()
    known = limits.model_dump(include=set(Limits.model_fields))
    return CoreInfo(
        name=name,
        domain="open",
        digest=digest,
        edits=edits,
        inpaints=edits,
        batches=False,
        **known,
    )


def picture(encoded: bytes, host: str, request: GenerationRequest) -> Pixels:
    """The pixels of one answer. Raises CoreFailed for anything but a picture of the size asked."""
    try:
        pixels = decode(encoded).pixels
    except (PictureInvalid, PictureTooLarge) as error:
        raise CoreFailed(f"{host} answered with something that is no picture ({error}).") from error
    if pixels.shape[:2] != (request.height, request.width):
        raise CoreFailed(
            f"{host} drew {pixels.shape[1]}x{pixels.shape[0]} instead of"
            f" {request.width}x{request.height}; correct its sizes in wardmark.toml."
        )
    if not pixels.any():
        raise CoreFailed(f"{host} drew nothing but black.")
    return pixels


def from_base64(text: object, host: str) -> bytes:
    """The bytes in ``text``, with or without the head of a data: URL. Raises CoreFailed."""
    if not isinstance(text, str):
        raise CoreFailed(f"{host} answered without a picture where its API has one.")
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise CoreFailed(f"{host} answered with damaged base64.") from error


def as_png(pixels: Pixels) -> bytes:
    """(H, W, 3) uint8 RGB as PNG."""
    return encode(pixels, "png")


def mask_png(request: GenerationRequest, *, changed: Literal["white", "clear"]) -> bytes | None:
    """The mask of an edit as PNG: what may change is white on black, or the picture's transparent
    part. None where the whole may change."""
    edit = request.original
    if edit is None or edit.mask is None:
        return None
    if changed == "white":
        return as_png(np.repeat(np.where(edit.mask, 255, 0)[..., None], 3, axis=2).astype(np.uint8))
    import cv2

    alpha = np.where(edit.mask, 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".png", np.dstack([edit.pixels[..., ::-1], alpha]))
    if not done:
        raise CoreFailed("The mask cannot be written as PNG.")
    return data.tobytes()


def kept_outside(drawn: Pixels, request: GenerationRequest) -> Pixels:
    """Outside the mask an edit leaves every pixel as it was; services are not held to that."""
    edit = request.original
    if edit is None or edit.mask is None:
        return drawn
    return np.where(edit.mask[..., None], drawn, edit.pixels)


def check_status(answer: Answer) -> None:
    """Raise CoreUnavailable or CoreFailed for an answer that is none, and no refusal either."""
    if answer.status in (401, 403, 404):
        raise CoreUnavailable(
            f"{answer.host} answers with status {answer.status}. Look at its address, model and"
            " key in wardmark.toml."
        )
    if answer.status != 200:
        raise CoreFailed(
            f"{answer.host} does not take this request (status {answer.status}); correct what"
            " wardmark.toml says of it."
        )


def mapping(value: object, host: str) -> Mapping[str, object]:
    """``value`` as a JSON object. Raises CoreFailed."""
    if not isinstance(value, dict):
        raise CoreFailed(f"{host} does not answer as its API does.")
    return value
