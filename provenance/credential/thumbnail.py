"""The small picture that a credential shows of the one it was made for."""

from typing import Final

from provenance.picture import Pixels, encode

SIDE: Final = 192  # pixels of the longer side
QUALITY: Final = 70
MEDIA_TYPE: Final = "image/jpeg"


def thumbnail(pixels: Pixels) -> bytes:
    """A JPEG of at most ``SIDE`` pixels a side, 3 to 10 KB, of (H, W, 3) uint8 RGB."""
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    return encode(small, "jpeg", quality=QUALITY)
