"""Has what comes in changed since calibration? PSI and Kolmogorov-Smirnov of every score.

The window is that of the calibration (``wardmark evaluate images --calibration``), or any earlier
scores. Pure; who keeps recent scores calls ``drift_of`` and shows what comes of it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from guard.assessment import Assessment
from guard.images.calibration import Calibration
from policies.decision import Frozen

BINS: Final = 10  # of equal share of the window
MOST: Final = 1000  # recent scores kept of each name
FEWEST: Final = 50  # scores on either side, for a figure to mean anything
PSI_SOME, PSI_MUCH = 0.1, 0.25  # the usual reading of PSI in credit scoring (Siddiqi 2006)
SIGNIFICANT: Final = 0.01  # of KS, divided by the number of scores that are tested (Bonferroni)


class State(StrEnum):
    """``too-few``: scores, on one side or the other, to say anything."""

    TOO_FEW = "too-few"
    STEADY = "steady"
    SOME = "some"
    MUCH = "much"


class Drift(Frozen):
    """One score. ``psi``: population stability index; ``ks``: the largest gap of the distributions;
    ``p``: how likely a gap so large is without drift. Missing where there are too few scores."""

    state: State
    recent: int
    window: int
    psi: float | None = None
    ks: float | None = None
    p: float | None = None


def drift_of(
    window: Mapping[str, Sequence[float]], recent: Mapping[str, Sequence[float]]
) -> dict[str, Drift]:
    """The drift of each score that both sides have, by its name.

    "some" wants a PSI of PSI_SOME, "much" one of PSI_MUCH, and both a significant gap: a PSI alone
    is noise among few scores.
    """
    both = sorted(window.keys() & recent.keys())
    level = SIGNIFICANT / max(1, len(both))
    return {
        name: _drift(np.asarray(window[name]), np.asarray(recent[name]), level) for name in both
    }


class Recent:
    """The last scores of an assessor, held against its window. Safe to share between threads."""

    def __init__(self, window: Mapping[str, Sequence[float]], *, most: int = MOST) -> None:
        self._window = window
        self._scores = {name: deque[float](maxlen=most) for name in window}

    def add(self, assessment: Assessment) -> None:
        """Remember what was said, for the scores that the window has."""
        for name, score in assessment.scores.items():
            if name in self._scores:
                self._scores[name].append(score)

    def drift(self) -> dict[str, Drift]:
        """Some milliseconds a score; for a page or a scrape, not for each request."""
        return drift_of(self._window, {name: tuple(s) for name, s in self._scores.items()})


def windows_of(calibration: Calibration) -> dict[str, tuple[float, ...]]:
    """The scores of a calibration, by category."""
    return {name: each.window for name, each in calibration.categories.items() if each.window}


def psi(window: NDArray[np.float64], recent: NDArray[np.float64]) -> float:
    """Population stability index over the window's deciles; an empty bin counts half a score."""
    edges = np.unique(np.quantile(window, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = []
    for scores in (window, recent):
        counts = np.bincount(np.searchsorted(edges, scores, side="left"), minlength=len(edges) + 1)
        filled = np.maximum(counts, 0.5)
        shares.append(filled / filled.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _drift(window: NDArray[np.float64], recent: NDArray[np.float64], level: float) -> Drift:
    if min(len(window), len(recent)) < FEWEST:
        return Drift(state=State.TOO_FEW, recent=len(recent), window=len(window))
    stability = psi(window, recent)
    gap = ks_2samp(window, recent, method="asymp")
    significant = bool(gap.pvalue < level)
    state = State.STEADY
    if significant and stability >= PSI_SOME:
        state = State.MUCH if stability >= PSI_MUCH else State.SOME
    return Drift(
        state=state,
        recent=len(recent),
        window=len(window),
        psi=stability,
        ks=float(gap.statistic),
        p=float(gap.pvalue),
    )
