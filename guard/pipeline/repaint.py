"""Redaction by the core itself: it paints over what was objected to, asked for nothing at all."""

from collections.abc import Sequence

import numpy as np

from guard.generation import Core, GenerationRequest
from guard.pipeline.draw import draw
from guard.pipeline.redact import continued
from guard.pipeline.sent_in import SentIn, fitted, nearest_size
from provenance.credential import RedactedArea
from provenance.picture import Pixels


def repaint(core: Core, image: Pixels, areas: Sequence[RedactedArea], seed: int) -> Pixels:
    """``image`` (H, W, 3) with ``areas`` painted anew by ``core``, and no other pixel changed.

    What is around the areas is continued over them first, so that the core sees nothing of what
    they held. The words of the request are kept from it: they may be what brought it there. Raises
    as ``Core.generate``, and InvalidRequest for a picture of a shape that the core does not draw.
    """
    import cv2

    if not areas:
        return image
    mask = np.zeros(image.shape[:2], bool)
    for area in areas:
        mask[area.y : area.y + area.height, area.x : area.x + area.width] = True
    begun = SentIn(b"", "image/png", continued(image, mask), mask)
    width, height = nearest_size(begun, core.info)
    asked = GenerationRequest(
        prompt="",
        width=width,
        height=height,
        steps=core.info.default_steps,
        guidance=1.0,  # there are no words to amplify
        seed=seed,
        original=fitted(begun, width, height, 1.0),
    )
    (painted,) = draw(core, asked, None, None)
    if painted.shape != image.shape:
        size = (image.shape[1], image.shape[0])
        painted = np.asarray(cv2.resize(painted, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.where(mask[..., None], painted, image)
