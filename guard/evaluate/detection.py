"""Are the boxes where they should be? Average precision over IoU, as COCO counts it.

Lin et al. (2014) and the COCO evaluation: per label, predictions in falling order of score take the
unclaimed true box of their picture with the highest IoU, at IoU limits of .50, .55 ... .95;
precision is made monotone and read at 101 recalls. Boxes are (N, 4) of left, top, right, bottom.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]

IOU_LIMITS: Final = tuple(np.arange(0.5, 0.96, 0.05).round(2).tolist())
_RECALLS: Final = np.linspace(0, 1, 101)


class Scene(NamedTuple):
    """One picture and one label: ``truth`` (T, 4), ``found`` (P, 4) with ``scores`` (P,)."""

    truth: Boxes
    found: Boxes
    scores: NDArray[np.float64]


class Claimed(NamedTuple):
    """One scene matched. ``hit`` (L, P): at each IoU limit, whether a prediction claims a true box.

    ``overlaps``: IoU of each pair matched at the lowest limit.
    """

    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    overlaps: NDArray[np.float64]
    truths: int


class Localisation(NamedTuple):
    """``mean_iou``: over what is matched at .5; NaN where nothing is."""

    ap50: float
    ap: float
    mean_iou: float


def iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """(A, B) intersection over union of every pair."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12))


def claim(scene: Scene) -> Claimed:
    """Match the predictions of one scene with its true boxes."""
    order = np.argsort(-scene.scores, kind="stable")
    overlap = iou(scene.found[order], scene.truth)
    hit = np.zeros((len(IOU_LIMITS), len(order)), dtype=np.bool_)
    overlaps: list[float] = []
    for level, limit in enumerate(IOU_LIMITS):
        free = np.ones(len(scene.truth), dtype=np.bool_)
        for row in range(len(order)):
            reach = np.where(free, overlap[row], -1.0)
            best = int(reach.argmax()) if len(reach) else -1
            if best >= 0 and reach[best] >= limit:
                free[best] = False
                hit[level, row] = True
                if level == 0:
                    overlaps.append(float(reach[best]))
    return Claimed(scene.scores[order], hit, np.array(overlaps), len(scene.truth))


def localisation(claimed: Sequence[Claimed]) -> Localisation:
    """Over all scenes of a label; at least one true box. AP is 0 where nothing is predicted."""
    truths = sum(each.truths for each in claimed)
    scores = np.concatenate([each.scores for each in claimed])
    order = np.argsort(-scores, kind="stable")
    hit = np.concatenate([each.hit for each in claimed], axis=1)[:, order]
    precisions = [_average_precision(level, truths) for level in hit]
    overlaps = np.concatenate([each.overlaps for each in claimed])
    mean = float(overlaps.mean()) if len(overlaps) else float("nan")
    return Localisation(precisions[0], float(np.mean(precisions)), mean)


def _average_precision(hit: NDArray[np.bool_], truths: int) -> float:
    if not len(hit):
        return 0.0
    found = np.cumsum(hit)
    precision = found / np.arange(1, len(hit) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(found / truths, _RECALLS, side="left")
    return float(np.append(falling, 0.0)[at].mean())
