"""Figures of an image assessor on labelled pictures, as they are and under shifts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Assessment, AssessorRef, ImageAssessor, Region
from guard.errors import InvalidRequest
from guard.evaluate.calibrating import FittedCalibration, fitted
from guard.evaluate.detection import Claimed, Scene, claim, localisation
from guard.evaluate.figures import (
    AtThreshold,
    Calibration,
    Interval,
    Ranking,
    Split,
    at_threshold,
    calibration,
    ranking,
)
from guard.evaluate.labelled_images import LabelledBox, LabelledFolder, LabelledImage, labels_of
from guard.evaluate.scored import Scored
from guard.evaluate.shifts import SHIFTS, Shifted
from policies.decision import Frozen
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import decode, read_file

RESAMPLES = 200  # of the bootstrap
FALSE_POSITIVE_RATE = 0.01  # at which thresholds are proposed
_TAIL = 2.5  # per cent either side of a 95 % interval
_SEED = 20_251
_WORST = 20  # pictures told of each kind of mistake

Progress = Callable[[str, int, int], None]


class ImageGroup(Frozen):
    """Figures of some pictures. What is not assessed is counted, and is in no other figure.

    ``unsafe_flagged``: at the threshold of "unsafe"; ``any_flagged``: at that or any core
    category's. ``calibration_error``: expected, of "unsafe".
    """

    pictures: int
    unsafe: int
    not_assessed: int
    not_assessed_unsafe: int
    ranking: Ranking | None
    unsafe_flagged: AtThreshold
    any_flagged: AtThreshold
    calibration_error: Interval | None


class CategoryFigures(Frozen):
    """One category: pictures labelled with it against all safe ones.

    ``scene_assessed``: whether the assessor covers it; where not, its scores speak of writing and
    lists alone. ``fitted``: the calibration that this much data allows, and the threshold of the
    stated false-positive rate; none where there are no safe pictures.
    """

    pictures: int
    assessed: int
    scene_assessed: bool
    ranking: Ranking | None
    flagged: AtThreshold
    fitted: FittedCalibration | None


class BoxFigures(Frozen):
    """Boxes of one label. ``map50``, ``map``: average precision at IoU .5, and over .5 to .95."""

    boxes: int
    predicted: int
    map50: Interval
    map: Interval
    iou: Interval | None


class Boxes(Frozen):
    """The means over labels, and each label. Intervals by bootstrap over pictures."""

    map50: Interval
    map: Interval
    iou: Interval | None
    labels: Mapping[str, BoxFigures]


class View(Frozen):
    """The same pictures under one shift."""

    overall: ImageGroup
    boxes: Boxes | None


class Mistakes(Frozen):
    """Names of the pictures: the safe ones with the highest scores, the unsafe with the lowest."""

    false_alarms: tuple[str, ...]
    missed: tuple[str, ...]


class ImageEvaluation(Frozen):
    """What ``wardmark evaluate images --json`` prints. ``sha256``: of the file of labels.

    ``unreadable``: pictures that could not be read; they are in no figure.
    """

    folder: str
    labels: str
    sha256: str
    assessor: AssessorRef
    covers: tuple[str, ...]
    resamples: int
    unreadable: tuple[str, ...]
    overall: ImageGroup
    calibration: Calibration | None
    boxes: Boxes | None
    categories: Mapping[str, CategoryFigures]
    sources: Mapping[str, ImageGroup]
    shifts: Mapping[str, View]
    mistakes: Mistakes


class _Seen(NamedTuple):
    """A picture, where its boxes are in the view at hand, and what was said of it."""

    image: LabelledImage
    boxes: tuple[LabelledBox, ...]
    found: Assessment


def evaluate_images(
    given: LabelledFolder,
    assessor: ImageAssessor,
    *,
    resamples: int = RESAMPLES,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    shifted: bool = True,
    progress: Progress | None = None,
) -> ImageEvaluation:
    """Assess each picture once a view and draw the figures from what was said.

    Raises InvalidRequest where no picture can be read, SafetyUnavailable where one cannot be
    assessed.
    """
    views: dict[str, list[_Seen]] = {name: [] for name in ("", *(SHIFTS if shifted else ()))}
    unreadable: list[str] = []
    for number, image in enumerate(given.images, start=1):
        try:
            data = read_file(image.path)
            pixels = decode(data).pixels
        except (PictureInvalid, PictureTooLarge):
            unreadable.append(image.path.name)
        else:
            for name, seen in views.items():
                view = SHIFTS[name](pixels) if name else Shifted(pixels)
                (found,) = assessor.assess([view.pixels], files=None if name else [data])
                seen.append(_Seen(image, _moved(image.boxes, view), found))
        if progress:
            progress("assessing", number, len(given.images))
    whole = views.pop("")
    if not whole:
        raise InvalidRequest(f"none of the {len(given.images)} pictures can be read")
    images = [seen.image for seen in whole]
    scored = Scored(images, [seen.found for seen in whole])
    rows = np.ones(len(images), dtype=np.bool_)
    steps = len(views) + 1

    def figures(number: int, seen: list[_Seen]) -> View:
        said = Scored(images, [each.found for each in seen])
        view = View(overall=_group(said, rows, resamples), boxes=_boxes(seen, resamples))
        if progress:
            progress("drawing intervals", number, steps)
        return view

    plain = figures(1, whole)
    split = _split(scored, rows)
    sources = sorted({image.source for image in images})
    return ImageEvaluation(
        folder=given.labels.parent.name,
        labels=given.labels.name,
        sha256=hashlib.sha256(given.labels.read_bytes()).hexdigest(),
        assessor=assessor.ref,
        covers=tuple(sorted(assessor.covers)),
        resamples=resamples,
        unreadable=tuple(unreadable),
        overall=plain.overall,
        calibration=calibration(split, resamples) if scored.assessed.any() else None,
        boxes=plain.boxes,
        categories=_categories(scored, images, assessor.covers, false_positive_rate, resamples),
        sources={
            name: _group(scored, np.array([each.source == name for each in images]), resamples)
            for name in (sources if len(sources) > 1 else ())
        },
        shifts={n: figures(i, seen) for i, (n, seen) in enumerate(views.items(), start=2)},
        mistakes=_mistakes(images, scored),
    )


def _moved(boxes: Sequence[LabelledBox], view: Shifted) -> tuple[LabelledBox, ...]:
    return tuple(
        LabelledBox(
            x=box.x * view.scale + view.left,
            y=box.y * view.scale + view.top,
            width=box.width * view.scale,
            height=box.height * view.scale,
            label=box.label,
        )
        for box in boxes
    )


def _split(scored: Scored, rows: NDArray[np.bool_]) -> Split:
    scores, known = scored.scores["unsafe"], rows & scored.assessed
    return Split(scores[known & ~scored.unsafe], scores[known & scored.unsafe])


def _group(scored: Scored, rows: NDArray[np.bool_], resamples: int) -> ImageGroup:
    assessed = rows & scored.assessed
    safe, unsafe = assessed & ~scored.unsafe, assessed & scored.unsafe
    flags, either = scored.flags("unsafe").astype(float), scored.any.astype(float)
    split = _split(scored, rows)
    return ImageGroup(
        pictures=int(rows.sum()),
        unsafe=int((rows & scored.unsafe).sum()),
        not_assessed=int((rows & ~scored.assessed).sum()),
        not_assessed_unsafe=int((rows & ~scored.assessed & scored.unsafe).sum()),
        ranking=ranking(split, resamples),
        unsafe_flagged=at_threshold(
            Split(flags[safe], flags[unsafe]), scored.thresholds.get("unsafe"), resamples
        ),
        any_flagged=at_threshold(Split(either[safe], either[unsafe]), None, resamples),
        calibration_error=calibration(split, resamples).error if assessed.any() else None,
    )


def _categories(
    scored: Scored,
    images: Sequence[LabelledImage],
    covers: frozenset[str],
    rate: float,
    resamples: int,
) -> dict[str, CategoryFigures]:
    labelled = {category for image in images for category in image.categories}
    boxed = set(labels_of(images)) - set(scored.thresholds)
    found = {}
    for category in sorted((labelled | set(scored.thresholds)) - {"unsafe"} - boxed):
        rows = np.array([category in image.categories for image in images])
        scores = scored.scores[category]
        given = ~np.isnan(scores)
        split = Split(scores[given & ~scored.unsafe & ~rows], scores[given & rows])
        flags = scored.flags(category).astype(float)
        flagged = Split(flags[given & ~scored.unsafe & ~rows], flags[given & rows])
        threshold = scored.thresholds.get(category)
        found[category] = CategoryFigures(
            pictures=int(rows.sum()),
            assessed=int((given & rows).sum()),
            scene_assessed=category in covers,
            ranking=ranking(split, resamples),
            flagged=at_threshold(flagged, threshold, resamples),
            fitted=fitted(split, rate, resamples) if len(split.safe) else None,
        )
    return found


def _boxes(seen: Sequence[_Seen], resamples: int) -> Boxes | None:
    """Nothing where no picture has a labelled box."""
    labels = labels_of([each.image for each in seen])
    if not labels:
        return None
    claimed = {label: [claim(_scene(each, label)) for each in seen] for label in labels}
    rng = np.random.default_rng(_SEED)
    draws = [rng.integers(0, len(seen), len(seen)) for _ in range(resamples)]
    values = {label: _located(each) for label, each in claimed.items()}
    drawn = {
        label: np.array([_located([each[i] for i in draw]) for draw in draws]).reshape(-1, 3)
        for label, each in claimed.items()
    }
    mean = _mean(np.array(list(values.values())))
    means = np.array([_mean(np.array(rows)) for rows in zip(*drawn.values(), strict=True)])
    ap50, ap, iou = _intervals(mean, means.reshape(-1, 3))
    told = {}
    for label, each in claimed.items():
        own50, own, own_iou = _intervals(values[label], drawn[label])
        told[label] = BoxFigures(
            boxes=sum(one.truths for one in each),
            predicted=sum(len(one.scores) for one in each),
            map50=_some(own50),
            map=_some(own),
            iou=own_iou,
        )
    return Boxes(map50=_some(ap50), map=_some(ap), iou=iou, labels=told)


def _located(claimed: Sequence[Claimed]) -> NDArray[np.float64]:
    """(3,): AP at .5, AP, IoU; NaN where a resample holds no true box."""
    if not sum(each.truths for each in claimed):
        return np.full(3, np.nan)
    return np.array(localisation(claimed))


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the rows where each figure is known; NaN where it is in none."""
    known = (~np.isnan(rows)).sum(axis=0)
    return np.where(known > 0, np.nansum(rows, axis=0) / np.maximum(known, 1), np.nan)


def _intervals(
    values: NDArray[np.float64], drawn: NDArray[np.float64]
) -> list[Interval | None]:
    found: list[Interval | None] = []
    for value, draws in zip(values, drawn.T, strict=True):
        column = draws[~np.isnan(draws)]
        low, high = np.percentile(column, [_TAIL, 100 - _TAIL]) if len(column) else (None, None)
        ends = {} if low is None or high is None else {"low": float(low), "high": float(high)}
        found.append(None if np.isnan(value) else Interval(value=float(value), **ends))
    return found


def _some(interval: Interval | None) -> Interval:
    return interval or Interval(value=0.0)


def _scene(seen: _Seen, label: str) -> Scene:
    truth = [box for box in seen.boxes if box.label == label]
    found = [region for region in seen.found.regions if label in (region.category, region.kind)]
    return Scene(
        truth=_corners(truth),
        found=_corners(found),
        scores=np.array([region.score for region in found]),
    )


def _corners(boxes: Sequence[LabelledBox] | Sequence[Region]) -> NDArray[np.float64]:
    corners = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in boxes]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def _mistakes(images: Sequence[LabelledImage], scored: Scored) -> Mistakes:
    scores = np.nan_to_num(scored.scores["unsafe"], nan=-1.0)
    order = [int(i) for i in np.argsort(-scores, kind="stable")]
    alarms = [images[i].path.name for i in order if scored.any[i] and not images[i].unsafe]
    missed = [
        images[i].path.name
        for i in reversed(order)
        if scored.assessed[i] and not scored.any[i] and images[i].unsafe
    ]
    return Mistakes(false_alarms=tuple(alarms[:_WORST]), missed=tuple(missed[:_WORST]))


def calibration_file(found: ImageEvaluation) -> bytes:
    """What ``--calibration`` writes: the fitted maps, thresholds and windows of all categories.

    Raises InvalidRequest where no picture was safe.
    """
    from guard.images.calibration import Calibration as Fitted

    fits = {name: each.fitted for name, each in found.categories.items()}
    kept = {name: each.calibration for name, each in fits.items() if each is not None}
    if not kept:
        raise InvalidRequest("no category can be calibrated without safe pictures; label some")
    document = Fitted(assessor=found.assessor.digest, categories=kept)
    return document.model_dump_json(indent=1).encode() + b"\n"
