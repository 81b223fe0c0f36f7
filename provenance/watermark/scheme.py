"""What every watermark scheme obeys, and what it finds."""

from typing import Final, Protocol

import numpy as np
from pydantic import ConfigDict, Field

from policies.decision import Frozen
from provenance.errors import MarkInvalid
from provenance.picture import Pixels

FALSE_POSITIVE_LIMIT: Final = 1e-6
"""``detect`` answers None above this probability, and ``embed`` refuses a mark that stays above."""


class Geometry(Frozen):
    """How the mark lies on the picture: scale 1.0, rotation 0.0 and no flip is as made.

    ``scale`` is the mark's size over its size on a whole picture of this area: 1.0 however the
    whole picture was resized, 1.41 where half of it was cut away, below 1.0 where a border was
    added. ``rotation`` in degrees, counter-clockwise; ``flipped`` left to right, before the
    rotation.
    """

    scale: float = Field(default=1.0, gt=0.0)
    rotation: float = 0.0
    flipped: bool = False


class Detection(Frozen):
    """A mark that was found.

    ``false_positive_probability``: how likely a picture without a mark looks as marked as this
    one, 0..1. It says nothing on who wrote the mark: marks can be copied. ``geometry`` is None if
    the scheme does not look for any. ``known_as`` names the software whose fixed mark it is, if it
    is one. ``key_id`` names the key that it was written under (keys.py), if the scheme has keys.
    """

    model_config = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    scheme: str
    payload: bytes
    false_positive_probability: float = Field(ge=0.0, le=1.0)
    geometry: Geometry | None = None
    known_as: str | None = None
    key_id: str | None = None


class Scheme(Protocol):
    """A way to write a payload into pixels, unseen, and to find it again."""

    @property
    def name(self) -> str:
        """As ``load_scheme`` knows it."""
        ...

    @property
    def alg(self) -> str:
        """The algorithm's name in a C2PA soft binding."""
        ...

    @property
    def payload_bits(self) -> int:
        """Bits of payload, a multiple of 8."""
        ...

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """A marked copy of ``image`` (H, W, 3) uint8 RGB, of the same shape; deterministic.

        The mark was read back before it is returned. MarkInvalid if the payload or the picture
        is unfit for the scheme, WatermarkFailed if this picture would not hold the mark.
        """
        ...

    def detect(self, image: Pixels) -> Detection | None:
        """The mark in ``image`` (H, W, 3) uint8 RGB; None if there is none that can be told."""
        ...


def size(image: Pixels) -> tuple[int, int]:
    """(height, width) of a picture; MarkInvalid unless it is (H, W, 3) uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise MarkInvalid(
            f"A watermark needs (height, width, 3) uint8 pixels, these are {image.shape}"
            f" {image.dtype}. Decode the file with provenance.picture first."
        )
    return int(image.shape[0]), int(image.shape[1])


def check_payload(scheme: Scheme, payload: bytes) -> None:
    """MarkInvalid unless ``payload`` has the scheme's length."""
    wanted = scheme.payload_bits // 8
    if len(payload) != wanted:
        raise MarkInvalid(
            f"{scheme.name} writes {wanted} bytes, the payload has {len(payload)}."
            f" Give {2 * wanted} hex digits."
        )
