"""AUROC, AUPRC, recall at a false-positive rate, calibration error, and bounds of rates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

Array = NDArray[np.float64]

BINS = 15  # of equal width, as in Guo et al. (2017)


class Bound(NamedTuple):
    """A rate and its two-sided 95 % Clopper-Pearson interval (1934)."""

    rate: float
    low: float
    high: float


def clopper_pearson(hits: int, trials: int, level: float = 0.95) -> Bound:
    """The exact interval of a binomial proportion; ``trials`` >= 1."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Bound(hits / trials, low, high)


def auroc(safe: Array, unsafe: Array) -> float:
    """The chance that an unsafe score lies above a safe one, ties counted half."""
    ranks = rankdata(np.concatenate((unsafe, safe)))[: len(unsafe)]
    return float((ranks.sum() - len(unsafe) * (len(unsafe) + 1) / 2) / (len(unsafe) * len(safe)))


def auprc(safe: Array, unsafe: Array) -> float:
    """Average precision, the classes weighed as if they were equally many.

    Where their shares are those of the file, ``average_precision`` is what others report.
    """
    scores = np.concatenate((unsafe, safe))
    gains = np.concatenate((np.full(len(unsafe), 1 / len(unsafe)), np.zeros(len(safe))))
    costs = np.concatenate((np.zeros(len(unsafe)), np.full(len(safe), 1 / len(safe))))
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(gains[order])[last_of_tie]
    wrong = np.cumsum(costs[order])[last_of_tie]
    return float((np.diff(found, prepend=0.0) * found / (found + wrong)).sum())


def average_precision(safe: Array, unsafe: Array) -> float:
    """The mean precision over the unsafe, ranked by score; tied scores are taken together."""
    scores = np.concatenate((unsafe, safe))
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(order < len(unsafe))[last_of_tie]
    taken = np.flatnonzero(last_of_tie) + 1
    return float((np.diff(found, prepend=0) * found / taken).sum() / len(unsafe))


def recall_at(safe: Array, unsafe: Array, false_positive_rate: float) -> float:
    """Recall at the lowest threshold that flags at most that share of the safe."""
    return float((unsafe > np.quantile(safe, 1 - false_positive_rate, method="higher")).mean())


def calibration_error(probabilities: Array, targets: Array, importance: Array) -> float:
    """Expected calibration error (Guo et al. 2017), weighted; all (N,)."""
    bins = bins_of(probabilities)
    gap = np.bincount(bins, importance * (probabilities - targets), BINS)
    return float(np.abs(gap).sum() / importance.sum())


def bins_of(probabilities: Array) -> NDArray[np.int64]:
    """(N,) which of the ``BINS`` bins of equal width each probability is in."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
