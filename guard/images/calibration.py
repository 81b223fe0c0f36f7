"""From an assessor's scores to probabilities, by a file that ``wardmark evaluate images`` writes.

Temperature (Guo et al. 2017), Platt (1999) or isotonic regression (Zadrozny and Elkan 2002), each a
rising map, so that calibration never turns two pictures around. The file also holds the threshold
of a stated false-positive rate, and the scores themselves, against which drift is measured.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from guard.assessment import Assessment, AssessorRef, ImageAssessor
from guard.errors import WeightsInvalid
from policies.decision import Frozen
from provenance.picture import Pixels

SURE: Final = 1e-6  # scores are kept this far from 0 and 1, so that log odds are finite

Method = Literal["none", "temperature", "platt", "isotonic"]


class ScoreMap(Frozen):
    """A rising map from score to probability.

    Temperature and Platt: the log odds times ``slope`` plus ``intercept``. Isotonic: linear between
    ``knots`` (score, probability), level outside of them.
    """

    method: Method = "none"
    slope: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    intercept: float = Field(default=0.0, allow_inf_nan=False)
    knots: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _rises(self) -> "ScoreMap":
        if (self.method == "isotonic") != bool(self.knots):
            raise ValueError("knots are for isotonic maps, and those have some")
        for before, after in zip(self.knots, self.knots[1:], strict=False):
            if before[0] > after[0] or before[1] > after[1]:
                raise ValueError("the knots fall")
        if any(not 0 <= value <= 1 for knot in self.knots for value in knot):
            raise ValueError("a knot lies outside of 0 to 1")
        return self

    def __call__(self, score: float) -> float:
        """The probability that a score in [0, 1] stands for."""
        if self.method == "none":
            return score
        if self.method == "isotonic":
            scores, probabilities = zip(*self.knots, strict=True)
            return float(np.interp(score, scores, probabilities))
        inside = min(max(score, SURE), 1 - SURE)
        odds = np.log(inside / (1 - inside)) * self.slope + self.intercept
        return float(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


class OperatingPoint(Frozen):
    """A threshold on the probability, and what it was set by.

    ``false_positives`` of ``negatives`` lie at or above it; ``bound``: the one-sided 95 %
    Clopper-Pearson bound of their rate, at most ``rate``, the rate that was stated.
    """

    rate: float = Field(gt=0, lt=1)
    threshold: float = Field(ge=0, le=1)
    false_positives: int = Field(ge=0)
    negatives: int = Field(ge=1)
    bound: float = Field(ge=0, le=1)


class CategoryCalibration(Frozen):
    """One category. ``window``: the probabilities seen when it was fitted, sorted."""

    map: ScoreMap = ScoreMap()
    point: OperatingPoint | None = None
    window: tuple[float, ...] = ()


class Calibration(Frozen):
    """All categories of the assessor whose digest is ``assessor``."""

    assessor: str
    categories: Mapping[str, CategoryCalibration]


def load_calibration(path: Path) -> Calibration:
    """Raises WeightsInvalid where the file is not one that ``wardmark evaluate images`` wrote."""
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise WeightsInvalid(
            f"the calibration {path} cannot be used: {error}; write it again with: wardmark "
            "evaluate images DIR --calibration FILE"
        ) from error


class Calibrated:
    """An assessor whose scores pass through a calibration; its regions' with them.

    Categories that the calibration does not name keep their scores.
    """

    def __init__(self, assessor: ImageAssessor, calibration: Calibration) -> None:
        """Raises WeightsInvalid for a calibration of another assessor."""
        ref = assessor.ref
        if calibration.assessor != ref.digest:
            raise WeightsInvalid(
                f"the calibration is of the assessor {calibration.assessor[:16]}, {ref} is "
                f"{ref.digest[:16]}; evaluate it and calibrate again"
            )
        self._assessor, self._calibration = assessor, calibration
        both = ref.digest + hashlib.sha256(calibration.model_dump_json().encode()).hexdigest()
        digest = hashlib.sha256(both.encode()).hexdigest()
        self._ref = AssessorRef(name=ref.name, version=ref.version, digest=digest)

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return self._assessor.covers

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        """As the assessor does, in probabilities. Raises what it raises."""
        return [self._mapped(each) for each in self._assessor.assess(images, files=files)]

    def _mapped(self, found: Assessment) -> Assessment:
        maps = self._calibration.categories
        points = {
            c: point.threshold for c in found.scores if c in maps and (point := maps[c].point)
        }
        mapped = {c: self._probability(c, found.thresholds[c]) for c in found.thresholds}
        return found.model_copy(
            update={
                "assessor": self._ref,
                "scores": {c: self._probability(c, score) for c, score in found.scores.items()},
                "thresholds": mapped | points,
                "regions": tuple(
                    region.model_copy(
                        update={"score": self._probability(region.category, region.score)}
                    )
                    for region in found.regions
                ),
            }
        )

    def _probability(self, category: str | None, score: float) -> float:
        known = self._calibration.categories.get(category or "")
        return known.map(score) if known else score
