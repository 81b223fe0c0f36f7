"""Redaction: the regions that an assessor objected to are made unreadable."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Region
from provenance.credential import RedactedArea
from provenance.picture import Pixels

BLOCKS = 6  # mosaic cells along the longer side of a region: too few to read or recognise
PADDING = 0.1  # of the region's size, on each side
BLUR = 0.2  # sigma, of the region's longer side: as little is left as of the mosaic
INPAINT_RADIUS = 5  # pixels around each that it is continued from

Style = Literal["pixelate", "blur", "inpaint"]


def redacted_areas(image: Pixels, regions: Sequence[Region]) -> tuple[RedactedArea, ...]:
    """What is covered for ``regions``: each and a little around it, within the picture."""
    height, width = image.shape[:2]
    areas = []
    for region in regions:
        pad_x, pad_y = round(region.width * PADDING) + 2, round(region.height * PADDING) + 2
        left, top = max(0, region.x - pad_x), max(0, region.y - pad_y)
        right = min(width, region.x + region.width + pad_x)
        bottom = min(height, region.y + region.height + pad_y)
        if right > left and bottom > top:
            areas.append(RedactedArea(x=left, y=top, width=right - left, height=bottom - top))
    return tuple(dict.fromkeys(areas))


def redact(image: Pixels, regions: Sequence[Region], style: Style = "pixelate") -> Pixels:
    """``image`` (H, W, 3) with each region, and a little around it, made unreadable.

    ``pixelate``: a coarse mosaic. ``blur``: a Gaussian that leaves as little. ``inpaint``: what is
    around it is continued over it (Telea 2004), so that nothing of it is left.
    """
    import cv2

    redacted = image.copy()
    areas = redacted_areas(image, regions)
    if style == "inpaint" and areas:
        hidden = np.zeros(image.shape[:2], bool)
        for area in areas:
            hidden[area.y : area.y + area.height, area.x : area.x + area.width] = True
        return continued(image, hidden)
    for area in areas:
        patch = redacted[area.y : area.y + area.height, area.x : area.x + area.width]
        longer = max(patch.shape[:2])
        if style == "blur":
            # Of its own pixels alone, each of which then reaches everywhere.
            patch[:] = cv2.GaussianBlur(patch, (0, 0), max(1.0, BLUR * longer))
            continue
        cells = tuple(max(1, round(BLOCKS * side / longer)) for side in patch.shape[1::-1])
        coarse = cv2.resize(patch, cells, interpolation=cv2.INTER_AREA)
        patch[:] = cv2.resize(coarse, patch.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return redacted


def continued(image: Pixels, hidden: NDArray[np.bool_]) -> Pixels:
    """``image`` with what is around ``hidden`` (H, W) continued over it (Telea 2004)."""
    import cv2

    filled = cv2.inpaint(image, hidden.astype(np.uint8) * 255, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, np.uint8)
