"""Second readings of an uploaded picture, which small adversarial changes seldom survive too.

Perona-Malik anisotropic diffusion (1990) levels what is faint and keeps edges; JPEG drops fine
detail. A picture on which a guard and its second readings disagree may have been made to mislead.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from guard.assessment import Assessment
from guard.images.scale import reduced
from provenance.picture import Pixels, decode, encode

MAX_SIDE: Final = 512  # pixels: the cost grows with the area
ITERATIONS: Final = 10
CONTRAST: Final = 0.08  # of full scale: steps below are levelled, steps above kept
RATE: Final = 0.2  # of each step; above .25 it would not settle (Perona and Malik 1990)
JPEG_QUALITY: Final = 75


def second_views(pixels: Pixels) -> list[Pixels]:
    """The picture after diffusion, and after JPEG; each at most MAX_SIDE pixels."""
    small = reduced(pixels, MAX_SIDE).pixels
    return [diffused(small), decode(encode(small, "jpeg", quality=JPEG_QUALITY)).pixels]


def diffused(pixels: Pixels) -> Pixels:
    """(H, W, 3) uint8 after ITERATIONS steps of diffusion, each channel by itself."""
    image = pixels.astype(np.float32) / 255
    for _ in range(ITERATIONS):
        change = np.zeros_like(image)
        for axis in (0, 1):
            if image.shape[axis] > 1:
                step = np.diff(image, axis=axis)
                flow = step / (1 + (step / CONTRAST) ** 2)
                ahead = [slice(None)] * 3
                behind = [slice(None)] * 3
                ahead[axis], behind[axis] = slice(0, -1), slice(1, None)
                change[tuple(ahead)] += flow
                change[tuple(behind)] -= flow
        image += RATE * change
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), np.uint8)


def disagree(first: Assessment, seconds: Sequence[Assessment]) -> bool:
    """Whether any second reading is flagged for something else than the first, or has other facts.

    Facts are those that are true or false; numbers always differ a little.
    """
    return any(_told(first) != _told(second) for second in seconds)


def _told(found: Assessment) -> tuple[frozenset[str], frozenset[tuple[str, bool]]]:
    flagged = frozenset(
        c for c, score in found.scores.items() if score >= found.thresholds.get(c, 1.0)
    )
    facts = frozenset((n, v) for n, v in found.fields.items() if isinstance(v, bool))
    return flagged, facts
