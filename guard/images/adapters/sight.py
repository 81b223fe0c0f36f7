"""What every guard of pictures has in common: one look, checked, as an assessment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from guard.assessment import Assessment, AssessorRef, Region
from guard.errors import SafetyUnavailable
from policies.categories import CATEGORIES, CORE_CATEGORIES
from policies.decision import Scalar
from provenance.picture import Pixels


@dataclass(frozen=True)
class Sight:
    """What is seen in one picture. ``scores``: category -> [0, 1]; one that is missing was not
    assessed in this picture. ``fields``: facts for the policy."""

    scores: Mapping[str, float]
    regions: tuple[Region, ...] = ()
    fields: Mapping[str, Scalar] = field(default_factory=dict)


class Eye(Protocol):
    """A model behind its own preparation. ``covers``: the categories that it can speak of."""

    @property
    def covers(self) -> frozenset[str]: ...

    def look(self, pixels: Pixels) -> Sight:
        """At (H, W, 3) uint8 RGB of any size. May raise RuntimeError."""
        ...


class GuardAssessor:
    """An ``Eye`` as an assessor. "unsafe" is the highest of the core categories.

    ``threshold`` is held against the model's own scores: measure with ``wardmark evaluate images``
    before you set it.
    """

    def __init__(self, eye: Eye, ref: AssessorRef, threshold: float) -> None:
        self._eye, self._ref, self._threshold = eye, ref, threshold
        self._alone = Lock()  # processors and sessions may keep the picture at hand in themselves

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return self._eye.covers

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None  # noqa: ARG002
    ) -> list[Assessment]:
        """One assessment a picture. Raises SafetyUnavailable where the model fails."""
        return [self._assess(pixels) for pixels in images]

    def _assess(self, pixels: Pixels) -> Assessment:
        try:
            with self._alone:
                seen = self._eye.look(pixels)
        except (RuntimeError, ValueError, IndexError) as error:
            raise SafetyUnavailable(
                f"the guard {self._ref.name} failed: {error}; nothing passes until it works"
            ) from error
        if not all(math.isfinite(score) for score in seen.scores.values()):
            raise SafetyUnavailable(f"the guard {self._ref.name} gave no number as an answer")
        scores = {name: min(max(score, 0.0), 1.0) for name, score in seen.scores.items()}
        core = [score for name, score in scores.items() if name in CORE_CATEGORIES]
        if core:
            scores.setdefault("unsafe", max(core))
        return Assessment(
            assessor=self._ref,
            subject="image",
            scores=scores,
            thresholds=dict.fromkeys(scores, self._threshold),
            not_assessed=frozenset(CATEGORIES) - frozenset(seen.scores),
            regions=seen.regions,
            fields=seen.fields,
        )
