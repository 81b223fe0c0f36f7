"""Words and codes drawn on pictures."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from provenance.picture import Pixels


def plain(width: int = 512, height: int = 384, grey: int = 90) -> Pixels:
    return np.full((height, width, 3), grey, np.uint8)


def with_lines(
    pixels: Pixels, lines: Sequence[str], *, left: int = 40, top: int = 60, size: int = 32
) -> Pixels:
    """``lines`` in white, each starting at ``left``, two letter heights apart."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        draw.text((left, top + 2 * size * number), line, font=font, fill=(255, 255, 255))
    return np.asarray(image)


def with_code(pixels: Pixels, content: str, *, left: int, top: int, scale: int = 4) -> Pixels:
    """A QR code of ``content`` with its quiet zone, its top left corner at (left, top)."""
    import zxingcpp

    code = np.asarray(zxingcpp.create_barcode(content, zxingcpp.QRCode).to_image(scale=scale))
    drawn = pixels.copy()
    drawn[top : top + code.shape[0], left : left + code.shape[1]] = code[..., None]
    return drawn
