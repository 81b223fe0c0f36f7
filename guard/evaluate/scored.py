"""What an assessor said of labelled prompts or pictures, as arrays."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Assessment
from policies.categories import CORE_CATEGORIES


class Labelled(Protocol):
    """A prompt or a picture with its answer. ``unsafe``: whether a core category applies."""

    @property
    def unsafe(self) -> bool: ...

    @property
    def categories(self) -> frozenset[str]: ...


class Scored:
    """Scores, labels and flags of all cases, as arrays; NaN where there is no score."""

    def __init__(self, cases: Sequence[Labelled], found: Sequence[Assessment]) -> None:
        self.unsafe = np.array([case.unsafe for case in cases])
        self.thresholds: dict[str, float] = {}
        self.scores: dict[str, NDArray[np.float64]] = {}
        named = {category for case in cases for category in case.categories}
        named |= {category for each in found for category in each.scores}
        for category in sorted({"unsafe", *CORE_CATEGORIES, *named}):
            self.scores[category] = np.array([f.scores.get(category, np.nan) for f in found])
            limits = [f.thresholds[category] for f in found if category in f.thresholds]
            if limits:
                self.thresholds[category] = limits[0]
        self.assessed = ~np.isnan(self.scores["unsafe"])
        self.any = np.zeros(len(cases), dtype=np.bool_)
        for category in ("unsafe", *CORE_CATEGORIES):
            self.any |= self.flags(category)

    def flags(self, category: str) -> NDArray[np.bool_]:
        return np.asarray(self.scores[category] >= self.thresholds.get(category, np.inf))
