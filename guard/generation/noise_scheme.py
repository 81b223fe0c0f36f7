"""The mark in the noise that pictures began with, read like any other watermark.

Reading takes the core that drew the picture and the operator's key, and a while. Who has the
weights can draw another picture from the same noise, so such a mark proves nothing alone either.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from typing import Final

from guard.errors import InvalidRequest
from guard.generation.core import Core, CoreInfo
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.noise_mark import PAYLOAD_BYTES, NoiseMark
from provenance.errors import MarkInvalid
from provenance.picture import Pixels
from provenance.watermark import FALSE_POSITIVE_LIMIT, Detection, Scheme
from provenance.watermark.keys import key_id
from provenance.watermark.scheme import size

NAME: Final = "starting-noise"
ALG: Final = "org.wardmark.starting-noise.1"
_DOMAIN: Final = b"wardmark-noise-key/1"
_STRETCH: Final = 1.125  # of a resized picture: how much longer one side may have become


def noise_mark(mark_key: bytes) -> NoiseMark:
    """The mark of noise that belongs to a deployment's key of watermarks (mark.keys)."""
    return NoiseMark(hmac.digest(mark_key, _DOMAIN, "sha256"))


class NoiseScheme(Scheme):
    """Reads what ``core`` drew under any of ``keys`` (mark.keys). Raises InvalidRequest for a core
    that is not gone backwards."""

    name = NAME
    alg = ALG
    payload_bits = 8 * PAYLOAD_BYTES

    def __init__(self, core: Core, keys: Sequence[bytes]) -> None:
        if not isinstance(core, DiffusersCore) or not core.info.marks_noise:
            raise InvalidRequest(
                f"The core {core.info.name!r} cannot tell what noise a picture began with; name "
                "'scenes', or a Stable Diffusion checkpoint of the settings."
            )
        self._core = core
        self._marks = {key_id(key): noise_mark(key) for key in keys}

    def embed(self, image: Pixels, payload: bytes) -> Pixels:  # noqa: ARG002
        """MarkInvalid: a finished picture has begun already."""
        raise MarkInvalid(
            f"A {NAME} mark is written while a picture is drawn; see noise_marks in wardmark.toml."
        )

    def detect(self, image: Pixels) -> Detection | None:
        """The mark of ``image`` (H, W, 3), brought to the size that the core would have drawn. None
        where none can be told, which says nothing. Raises CoreUnavailable."""
        import cv2

        height, width = size(image)
        tried = list(_sizes(self._core.info, width, height))
        found = []
        for wide, high in tried:
            same = (wide, high) == (width, height)
            shown = image if same else cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
            noise = self._core.starting_noise(shown)
            for id_, mark in self._marks.items():
                reading = mark.read(noise)
                if reading is not None:
                    found.append((reading.false_positive_probability, reading.payload, id_))
        if not found:
            return None
        chance, payload, id_ = min(found)
        chance = min(1.0, chance * len(found))
        if chance > FALSE_POSITIVE_LIMIT:
            return None
        return Detection(
            scheme=NAME, payload=payload, false_positive_probability=chance, key_id=id_
        )


def _sizes(info: CoreInfo, width: int, height: int) -> Iterator[tuple[int, int]]:
    """(width, height) that a picture may have been drawn in: its own, and the one nearest to the
    core's default area that has its shape."""
    grid = range(-(-info.min_side // info.size_multiple) * info.size_multiple, info.max_side + 1)
    sides = grid[:: info.size_multiple]
    if width in sides and height in sides:
        yield width, height
    area = info.default_width * info.default_height
    shape = width / height
    fitting = [
        (wide, high)
        for wide in sides
        for high in sides
        if max(wide / high / shape, shape * high / wide) <= _STRETCH
    ]
    nearest = min(
        fitting,
        key=lambda at: (
            abs(at[0] * at[1] - area) / area + max(at[0] / at[1] / shape, shape * at[1] / at[0])
        ),
        default=None,
    )
    if nearest is not None and nearest != (width, height):
        yield nearest
