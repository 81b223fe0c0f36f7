"""NudeNet's detector of exposed body parts: the optional extra ``nudenet``, or its ONNX file.

NudeNet's weights are under the AGPL-3.0; who runs them as a service owes their users the source.
They are never installed by default. The decoding here is ours, and vectorised.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Region
from guard.errors import WeightsInvalid
from guard.images.adapters.sight import Sight
from guard.images.adapters.weights import session
from guard.images.finding import Box
from provenance.picture import Pixels

SIDE: Final = 320  # pixels, of the model in the package
MIN_SCORE: Final = 0.2
_OVERLAP: Final = 0.45  # IoU above which two boxes of a class are one
_GREY: Final = 0  # NudeNet pads with black
CLASSES: Final = (
    "FEMALE_GENITALIA_COVERED", "FACE_FEMALE", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED", "MALE_BREAST_EXPOSED", "ANUS_EXPOSED", "FEET_EXPOSED",
    "BELLY_COVERED", "FEET_COVERED", "ARMPITS_COVERED", "ARMPITS_EXPOSED", "FACE_MALE",
    "BELLY_EXPOSED", "MALE_GENITALIA_EXPOSED", "ANUS_COVERED", "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)  # fmt: skip
EXPLICIT: Final = frozenset(
    {
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
        "ANUS_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
    }
)


class Nudity:
    """Boxes of exposed body parts. "sexual" is the highest score of an explicit one."""

    covers: frozenset[str] = frozenset({"sexual"})

    def __init__(
        self, path: Path | None, sha256: str, *, threads: int = 1, provider: str = "cpu"
    ) -> None:
        """``path``: none for the file of the installed package. Raises WeightsInvalid."""
        self._session = session(path or _packaged(), sha256, threads=threads, provider=provider)
        self._input = self._session.get_inputs()[0].name

    def look(self, pixels: Pixels) -> Sight:
        import cv2

        height, width = pixels.shape[:2]
        square = np.full((max(height, width),) * 2 + (3,), _GREY, np.uint8)
        square[:height, :width] = pixels
        small = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        fed = np.ascontiguousarray(small.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        (rows,) = self._session.run(None, {self._input: fed})
        found = _boxes(rows[0].T, len(square) / SIDE)
        regions = []
        for name, score, (x, y, w, h) in found:
            box = Box.around([(x, y), (x + w, y + h)], pixels)
            regions.append(
                Region(
                    x=box.x,
                    y=box.y,
                    width=box.width,
                    height=box.height,
                    kind=name.lower(),
                    category="sexual" if name in EXPLICIT else None,
                    score=score,
                )
            )
        explicit = [score for name, score, _ in found if name in EXPLICIT]
        return Sight({"sexual": max(explicit, default=0.0)}, tuple(regions))


Found = tuple[str, float, tuple[float, float, float, float]]


def _boxes(rows: NDArray[np.float32], scale: float) -> list[Found]:
    """Rows (N, 4 + classes) of centre, size and scores, to what stands after suppression."""
    import cv2

    best = rows[:, 4:].argmax(axis=1)
    scores = rows[np.arange(len(rows)), 4 + best]
    kept = scores >= MIN_SCORE
    rows, best, scores = rows[kept], best[kept], scores[kept]
    boxes = np.c_[rows[:, :2] - rows[:, 2:4] / 2, rows[:, 2:4]] * scale
    chosen = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), scores.tolist(), best.tolist(), MIN_SCORE, _OVERLAP
    )
    return [
        (CLASSES[best[i]], min(1.0, float(scores[i])), tuple(boxes[i].tolist()))
        for i in np.asarray(chosen, dtype=int).ravel()
    ]


def _packaged() -> Path:
    spec = find_spec("nudenet")
    if spec is None or spec.origin is None:
        raise WeightsInvalid(
            "NudeNet is not installed: pip install wardmark[nudenet] (AGPL-3.0 weights; who offers "
            "them as a service owes users the source), or declare path"
        )
    return Path(spec.origin).parent / "320n.onnx"
