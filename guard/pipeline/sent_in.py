"""The picture that an edit begins with: opened within limits, and fitted to what the core draws.

- PNG, JPEG, WebP, AVIF, TIFF and GIF of one frame, up to ``MAX_PIXELS``; 16 bits become 8
- transparency: the picture is laid on white; without a mask, what was transparent may change
- a mask must have the picture's size: it may change where the mask is transparent, or, in a mask
  without transparency, where it is lighter than mid-grey
- a size that the core does not draw is brought to the nearest that it does; where that would
  stretch the picture by more than ``MAX_STRETCH``, it is refused
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from guard.errors import InvalidRequest
from guard.generation import CoreInfo, Original
from guard.pipeline.request import Edit
from provenance.picture import Picture, Pixels, decode

MAX_PIXELS: Final = 4096 * 4096  # of a picture sent in; cores draw far smaller ones
MAX_STRETCH: Final = 1.125  # of one side against the other
_MIDDLE: Final = 128  # of 0 to 255


@dataclass(frozen=True, eq=False)
class SentIn:
    """A picture and what may change of it. ``data``: the file. ``mask``: (H, W) bool, or None
    for the whole."""

    data: bytes = field(repr=False)
    media_type: str
    pixels: Pixels = field(repr=False)
    mask: NDArray[np.bool_] | None = field(repr=False)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def showing(self, pixels: Pixels) -> "SentIn":
        """The same with other pixels, such as after redaction."""
        return replace(self, pixels=pixels)


def open_sent(edit: Edit) -> SentIn:
    """Decode picture and mask. Raises PictureInvalid, PictureTooLarge, InvalidRequest."""
    picture = _one_frame(edit.image, "picture")
    mask = _transparent(picture)
    if edit.mask is not None:
        drawn = _one_frame(edit.mask, "mask")
        if (drawn.width, drawn.height) != (picture.width, picture.height):
            raise InvalidRequest(
                f"the mask is {drawn.width}x{drawn.height} and the picture {picture.width}x"
                f"{picture.height}; give a mask of the picture's size"
            )
        mask = _transparent(drawn)
        if mask is None:
            mask = drawn.pixels.mean(axis=2) >= _MIDDLE
        if not mask.any():
            raise InvalidRequest(
                "the mask is empty: make it transparent, or white, where the picture is to change"
            )
    return SentIn(edit.image, picture.media_type, _on_white(picture), mask)


def nearest_size(sent: SentIn, core: CoreInfo) -> tuple[int, int]:
    """Width and height, in pixels, that ``core`` draws, nearest to those of ``sent``."""
    longer, shorter = max(sent.width, sent.height), min(sent.width, sent.height)
    scale = max(min(1.0, core.max_side / longer), core.min_side / shorter)
    least, most = -(-core.min_side // core.size_multiple), core.max_side // core.size_multiple

    def on_grid(side: int) -> int:
        steps = round(side * scale / core.size_multiple)
        return min(max(steps, least), most) * core.size_multiple

    return on_grid(sent.width), on_grid(sent.height)


def fitted(sent: SentIn, width: int, height: int, strength: float) -> Original:
    """``sent`` brought to ``width`` x ``height``. Raises InvalidRequest where that stretches it."""
    import cv2

    if width < 1 or height < 1:
        raise InvalidRequest(f"the size of {width}x{height} is none; leave it out, or give pixels")
    stretch = width * sent.height / (height * sent.width)
    if max(stretch, 1 / stretch) > MAX_STRETCH:
        raise InvalidRequest(
            f"the picture is {sent.width}x{sent.height}, and at {width}x{height}, which this model"
            " can draw, it would be stretched; crop it to that shape first, or ask for another size"
        )
    if (width, height) == (sent.width, sent.height):
        return Original(sent.pixels, sent.mask, strength)
    smaller = width * height < sent.width * sent.height
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(sent.pixels, (width, height), interpolation=way), np.uint8)
    mask = None
    if sent.mask is not None:  # a pixel of which any part may change may change
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        mask = cv2.resize(sent.mask.astype(np.float32), (width, height), interpolation=way) > 0
    return Original(pixels, mask, strength)


def _one_frame(data: bytes, what: str) -> Picture:
    picture = decode(data, max_pixels=MAX_PIXELS)
    if picture.frames > 1:
        raise InvalidRequest(f"the {what} has {picture.frames} frames; give one that does not move")
    return picture


def _transparent(picture: Picture) -> NDArray[np.bool_] | None:
    """Where a picture is more transparent than not; None where it nowhere is."""
    if picture.alpha is None:
        return None
    clear = picture.alpha < _MIDDLE
    return clear if clear.any() else None


def _on_white(picture: Picture) -> Pixels:
    """What lies under transparent pixels is not seen by anybody, and so is left behind."""
    if picture.alpha is None:
        return picture.pixels
    cover = picture.alpha[..., None] / 255.0
    return np.rint(picture.pixels * cover + 255.0 * (1.0 - cover)).astype(np.uint8)
