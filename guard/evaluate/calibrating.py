"""Fits calibrations: as many parameters as the data allow, and thresholds from a stated rate."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.stats import beta

from guard.evaluate.figures import Interval, Split, drawn
from guard.evaluate.metrics import Array, calibration_error
from guard.images.calibration import SURE, CategoryCalibration, OperatingPoint, ScoreMap
from policies.decision import Frozen

# Pictures of the rarer kind, safe or unsafe, from which a map is fitted. One parameter wants ten or
# more cases, and isotonic regression a thousand in all (Niculescu-Mizil and Caruana 2005).
TEMPERATURE_FROM = 20
PLATT_FROM = 50
ISOTONIC_FROM = 500

MAX_WINDOW = 1000  # probabilities kept, evenly through the ranks
_FOLDS = 5
_SEED = 20_251
_SLOPES = (-3.0, 3.0)  # natural logarithm of the slope: beyond, the fit runs away on parted data


class FittedCalibration(Frozen):
    """What calibration does to the error. ``after``: each fold mapped by a fit on the others."""

    method: str
    before: Interval
    after: Interval | None
    calibration: CategoryCalibration


def method_for(split: Split) -> str:
    """The richest map that this much data can carry."""
    rarer = min(len(split.safe), len(split.unsafe))
    if rarer >= ISOTONIC_FROM:
        return "isotonic"
    if rarer >= PLATT_FROM:
        return "platt"
    return "temperature" if rarer >= TEMPERATURE_FROM else "none"


def fitted(split: Split, rate: float, resamples: int) -> FittedCalibration:
    """Fit ``split`` of one category and set the threshold for the false-positive rate ``rate``."""
    method = method_for(split)
    whole = fit(split, method)
    safe, unsafe = _mapped(whole, split.safe), _mapped(whole, split.unsafe)
    after = None
    if method != "none":
        after = drawn(Split(*(_crossed(split, method))), _error, resamples)
    everything = np.sort(np.concatenate((safe, unsafe)))
    kept = np.linspace(0, len(everything) - 1, min(len(everything), MAX_WINDOW)).round().astype(int)
    return FittedCalibration(
        method=method,
        before=drawn(split, _error, resamples),
        after=after,
        calibration=CategoryCalibration(
            map=whole,
            point=operating_point(safe, rate),
            window=tuple(everything[kept].tolist()),
        ),
    )


def fit(split: Split, method: str) -> ScoreMap:
    """The map of that method with the least log loss on ``split`` (isotonic: least squares)."""
    if method == "none":
        return ScoreMap()
    scores = np.concatenate(split)
    targets = (np.arange(len(scores)) >= len(split.safe)).astype(np.float64)
    if method == "isotonic":
        return _isotonic(scores, targets)
    # Platt's own targets keep a few cases from being believed without reserve.
    low, high = 1 / (len(split.safe) + 2), (len(split.unsafe) + 1) / (len(split.unsafe) + 2)
    soft = np.where(targets > 0, high, low) if method == "platt" else targets
    inside = np.clip(scores, SURE, 1 - SURE)
    odds = np.log(inside / (1 - inside))

    def loss(at: NDArray[np.float64]) -> float:
        z = odds * np.exp(at[0]) + (at[1] if len(at) > 1 else 0.0)
        return float(np.mean(np.logaddexp(0, z) - soft * z))

    bounds = [_SLOPES, (-20.0, 20.0)][: 2 if method == "platt" else 1]
    found = minimize(loss, np.zeros(len(bounds)), method="L-BFGS-B", bounds=bounds)
    intercept = float(found.x[1]) if method == "platt" else 0.0
    name = "platt" if method == "platt" else "temperature"
    return ScoreMap(method=name, slope=float(np.exp(found.x[0])), intercept=intercept)


def _isotonic(scores: Array, targets: Array) -> ScoreMap:
    order = np.argsort(scores, kind="stable")
    at, where = np.unique(scores[order], return_inverse=True)
    weights = np.bincount(where).astype(np.float64)
    means = np.bincount(where, targets[order]) / weights
    levels = np.clip(isotonic_regression(means, weights=weights).x, 0, 1)
    # The ends of each level are enough: between them the map is flat.
    edge = np.r_[True, np.diff(levels) > 0] | np.r_[np.diff(levels) > 0, True]
    knots = zip(at[edge].tolist(), levels[edge].tolist(), strict=True)
    return ScoreMap(method="isotonic", knots=tuple(knots))


def operating_point(safe: Array, rate: float) -> OperatingPoint | None:
    """The lowest threshold whose false-positive rate is at most ``rate``, with 95 % confidence.

    ``safe``: probabilities of harmless pictures, at random from what is to come. None where they
    are too few for any threshold to be shown: 0 of n bounds a rate of 1 % from n = 299.
    """
    if not len(safe):
        return None
    allowed = -1
    while allowed + 1 < len(safe) and _bound(allowed + 1, len(safe)) <= rate:
        allowed += 1
    if allowed < 0:
        return None
    falling = np.sort(safe)[::-1]
    threshold = min(float(np.nextafter(falling[allowed], 2.0)), 1.0)
    alarms = int((safe >= threshold).sum())
    if alarms > allowed:  # more than that many are certain, wrongly
        return None
    return OperatingPoint(
        rate=rate,
        threshold=threshold,
        false_positives=alarms,
        negatives=len(safe),
        bound=_bound(alarms, len(safe)),
    )


def _bound(hits: int, trials: int) -> float:
    """The one-sided 95 % Clopper-Pearson bound."""
    return 1.0 if hits >= trials else float(beta.ppf(0.95, hits + 1, trials - hits))


def _crossed(split: Split, method: str) -> tuple[Array, Array]:
    """Each part mapped by fits that did not see it."""
    rng = np.random.default_rng(_SEED)
    folds = [rng.permutation(len(part)) % _FOLDS for part in split]
    mapped = [np.empty(len(part)) for part in split]
    for fold in range(_FOLDS):
        rest = Split(*(part[where != fold] for part, where in zip(split, folds, strict=True)))
        one = fit(rest, method)
        for out, part, where in zip(mapped, split, folds, strict=True):
            out[where == fold] = _mapped(one, part[where == fold])
    return mapped[0], mapped[1]


def _mapped(one: ScoreMap, scores: Array) -> Array:
    return np.array([one(float(score)) for score in scores])


def _error(split: Split) -> float:
    scores = np.concatenate(split)
    targets = (np.arange(len(scores)) >= len(split.safe)).astype(np.float64)
    return calibration_error(scores, targets, np.ones_like(scores))
