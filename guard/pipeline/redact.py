"""Redaction: the regions that an assessor objected to are made unreadable."""

from collections.abc import Sequence

from guard.assessment import Region
from provenance.picture import Pixels

BLOCKS = 6  # mosaic cells along the longer side of a region: too few to read or recognise
PADDING = 0.1  # of the region's size, on each side


def redact(image: Pixels, regions: Sequence[Region]) -> Pixels:
    """``image`` with a coarse mosaic over each region (and a little around it)."""
    import cv2

    height, width = image.shape[:2]
    redacted = image.copy()
    for region in regions:
        pad_x, pad_y = round(region.width * PADDING) + 2, round(region.height * PADDING) + 2
        left, top = max(0, region.x - pad_x), max(0, region.y - pad_y)
        right = min(width, region.x + region.width + pad_x)
        bottom = min(height, region.y + region.height + pad_y)
        if right <= left or bottom <= top:
            continue
        patch = redacted[top:bottom, left:right]
        longer = max(patch.shape[:2])
        cells = tuple(max(1, round(BLOCKS * side / longer)) for side in patch.shape[1::-1])
        coarse = cv2.resize(patch, cells, interpolation=cv2.INTER_AREA)
        patch[:] = cv2.resize(coarse, patch.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return redacted
