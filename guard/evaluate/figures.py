"""Figures of scores with known answers, each with its 95 % interval."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from pydantic import Field

from guard.evaluate.metrics import (
    BINS,
    Array,
    auroc,
    average_precision,
    bins_of,
    calibration_error,
    clopper_pearson,
    recall_at,
)
from policies.decision import Frozen

FALSE_POSITIVE_RATES = (0.005, 0.01, 0.05)
_TAIL = 2.5  # per cent either side of a 95 % interval
_SEED = 20_251


class Interval(Frozen):
    """A figure and its 95 % interval; ``low`` and ``high`` are missing where none was drawn."""

    value: float
    low: float | None = None
    high: float | None = None


class Ranking(Frozen):
    """How well scores part the unsafe from the safe. Stratified bootstrap intervals.

    ``tpr_at_fpr``: the share of the unsafe above the threshold that the share named by the key of
    the safe exceeds.
    """

    auroc: Interval
    auprc: Interval
    tpr_at_fpr: dict[str, Interval]


class AtThreshold(Frozen):
    """What is flagged at the assessor's own threshold. Clopper-Pearson intervals, F1's drawn."""

    threshold: float | None
    recall: Interval | None
    false_positive_rate: Interval | None
    precision: Interval | None
    f1: Interval | None


class Bin(Frozen):
    """Prompts whose probability lies in [low, high), the last bin closed."""

    low: float
    high: float
    prompts: int = Field(ge=0)
    predicted: float | None
    observed: float | None


class Calibration(Frozen):
    """Expected calibration error and its reliability diagram, at the file's share of unsafe."""

    error: Interval
    bins: tuple[Bin, ...]


class Split(NamedTuple):
    """Scores of the safe and of the unsafe."""

    safe: Array
    unsafe: Array


def drawn(split: Split, figure: Callable[[Split], float], resamples: int) -> Interval:
    """The figure, and its percentiles over resamples of the safe and the unsafe apart."""
    value = figure(split)
    if resamples == 0:
        return Interval(value=value)
    rng = np.random.default_rng(_SEED)
    values = [
        figure(Split(*(rng.choice(part, len(part)) if len(part) else part for part in split)))
        for _ in range(resamples)
    ]
    low, high = np.percentile(values, [_TAIL, 100 - _TAIL])
    return Interval(value=value, low=float(low), high=float(high))


def ranking(split: Split, resamples: int) -> Ranking | None:
    """Nothing where there are no safe, or no unsafe, to tell apart."""
    if not len(split.safe) or not len(split.unsafe):
        return None
    return Ranking(
        auroc=drawn(split, lambda s: auroc(s.safe, s.unsafe), resamples),
        auprc=drawn(split, lambda s: average_precision(s.safe, s.unsafe), resamples),
        tpr_at_fpr={
            str(rate): drawn(split, partial(_recall_at, rate), resamples)
            for rate in FALSE_POSITIVE_RATES
        },
    )


def _recall_at(rate: float, split: Split) -> float:
    return recall_at(split.safe, split.unsafe, rate)


def at_threshold(flagged: Split, threshold: float | None, resamples: int) -> AtThreshold:
    """``flagged``: 1.0 where a prompt is flagged, else 0.0."""
    caught, alarms = int(flagged.unsafe.sum()), int(flagged.safe.sum())
    both = len(flagged.safe) and len(flagged.unsafe)
    return AtThreshold(
        threshold=threshold,
        recall=_rate(caught, len(flagged.unsafe)),
        false_positive_rate=_rate(alarms, len(flagged.safe)),
        precision=_rate(caught, caught + alarms) if both else None,
        f1=drawn(flagged, _f1, resamples) if both else None,
    )


def _rate(hits: int, trials: int) -> Interval | None:
    if not trials:
        return None
    bound = clopper_pearson(hits, trials)
    return Interval(value=bound.rate, low=bound.low, high=bound.high)


def _f1(flagged: Split) -> float:
    caught = float(flagged.unsafe.sum())
    return 2 * caught / (caught + float(flagged.safe.sum()) + len(flagged.unsafe))


def calibration(split: Split, resamples: int) -> Calibration:
    """At the share of unsafe prompts that the file has."""
    scores = np.concatenate(split)
    unsafe = np.arange(len(scores)) >= len(split.safe)
    where = bins_of(scores)
    edges = np.linspace(0, 1, BINS + 1)
    bins = []
    for i in range(BINS):
        inside = where == i
        some = bool(inside.any())
        bins.append(
            Bin(
                low=float(edges[i]),
                high=float(edges[i + 1]),
                prompts=int(inside.sum()),
                predicted=float(scores[inside].mean()) if some else None,
                observed=float(unsafe[inside].mean()) if some else None,
            )
        )
    return Calibration(error=drawn(split, _error, resamples), bins=tuple(bins))


def _error(split: Split) -> float:
    scores = np.concatenate(split)
    targets = (np.arange(len(scores)) >= len(split.safe)).astype(np.float64)
    return calibration_error(scores, targets, np.ones_like(scores))
