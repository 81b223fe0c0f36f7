"""Pictures for the audit's tests, drawn from a seed."""

from io import BytesIO

import numpy as np
from PIL import Image

from provenance.picture import Pixels, encode


def scene(seed: int, width: int = 400, height: int = 300) -> Pixels:
    """Blocks of colour with grain: sharp, varied, unlike that of another seed."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (9, 12, 3))
    pixels = np.repeat(np.repeat(blocks, -(-height // 9), 0), -(-width // 12), 1)
    pixels = pixels[:height, :width] + rng.normal(0, 4, (height, width, 1))
    return np.asarray(np.clip(pixels, 0, 255), dtype=np.uint8)


def jpeg(seed: int, width: int = 400, height: int = 300, quality: int = 90) -> bytes:
    return encode(scene(seed, width, height), "jpeg", quality=quality)


def pillow(pixels: Pixels, kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Written by Pillow, which is not what the audit reads JPEG and EXIF with."""
    buffer = BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()
