"""A closer look at a picture than the pass takes: what is written in it, and how many faces.

Off unless asked for, since it takes longer than all the rest. Who reads is given from outside
(``Look``); faces are counted here, by scikit-image's cascade where that is installed.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets_audit.errors import LookUnavailable

Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB."""

FACE_SIDE: Final = 512  # pixels; a picture is scaled down to it before faces are looked for
MIN_FACE: Final = 40  # pixels of these
SCALE_STEP: Final = 1.2
AGREEING: Final = 10  # places; with 4, three of 18 photographs showed faces in walls
INSTALL: Final = "Faces are counted by scikit-image; install it: pip install 'wardmark[faces]'."


class Seen(NamedTuple):
    """``text``: what is written, None where nobody read; ``faces``: None where nobody counted."""

    text: str | None = None
    faces: int | None = None


class Look(Protocol):
    """Looks at whole pictures. Picklable: it travels to worker processes."""

    @property
    def name(self) -> str:
        """What looks, and in which version: another one may see other things."""
        ...

    def __call__(self, pixels: Pixels) -> Seen:
        """What is seen in a picture."""
        ...


class Face(NamedTuple):
    """A place that looks like a face: its box, in pixels of the picture."""

    x: float
    y: float
    width: float
    height: float


def count_faces(pixels: Pixels) -> int:
    """How many places look like a face seen from the front; what ``possible_faces`` finds."""
    return len(possible_faces(pixels))


def possible_faces(pixels: Pixels) -> tuple[Face, ...]:
    """The places that look like a face seen from the front.

    Local binary patterns in a boosted cascade (Liao et al. 2007, trained by OpenCV). It misses
    faces that are turned, veiled, painted or dark, and takes some patterns for a face: places to
    look at, of which no attribute of anybody follows. Raises LookUnavailable.
    """
    import cv2

    scale = min(1.0, FACE_SIDE / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    if min(small.shape[:2]) < MIN_FACE:
        return ()
    found = (
        (place[side] / scale for side in ("c", "r", "width", "height"))
        for place in _faces()(small)
    )
    return tuple(Face(*box) for box in found)


def face_counter() -> str:
    """What counts faces, and in which version. Raises LookUnavailable where it is not there."""
    try:
        return f"scikit-image {version('scikit-image')}"
    except PackageNotFoundError as error:
        raise LookUnavailable(INSTALL) from error


@cache
def _faces() -> Callable[[Pixels], list[dict[str, int]]]:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError as error:
        raise LookUnavailable(INSTALL) from error
    cascade = Cascade(lbp_frontal_face_cascade_filename())

    def find(pixels: Pixels) -> list[dict[str, int]]:
        side = min(pixels.shape[:2])
        found: list[dict[str, int]] = cascade.detect_multi_scale(
            img=pixels, scale_factor=SCALE_STEP, step_ratio=1,
            min_size=(MIN_FACE, MIN_FACE), max_size=(side, side), min_neighbor_number=AGREEING,
        )  # fmt: skip
        return found

    return find
