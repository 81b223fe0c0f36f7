"""Several guards as one, by declared weights.

The score of a category is the weighted mean of its members' log odds, the threshold that of their
thresholds' log odds: flagged is what the members find, on balance, above their own thresholds. A
member that did not assess a category of a text has no say in it; a category that none assessed is
not assessed. Sexual content about minors is not balanced: the member that is furthest above its
threshold speaks. A member that fails stops everything.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

from guard.assessment import Assessment, AssessorRef, PromptAssessor
from policies.categories import CATEGORIES
from policies.decision import Scalar

_SURE = 1e-6  # probabilities are kept this far from 0 and 1
_UNBALANCED = "sexual_minors"


class Member(NamedTuple):
    """An assessor and its weight, above 0."""

    assessor: PromptAssessor
    weight: float


class _Said(NamedTuple):
    """What one member says of a category: log odds of the score and of its threshold."""

    score: float
    threshold: float
    weight: float


class Ensemble:
    """Assesses with all ``members``. Raises ValueError where there are none, or no weight."""

    def __init__(self, members: Sequence[Member]) -> None:
        if not members or any(not 0 < member.weight < math.inf for member in members):
            raise ValueError("an ensemble needs members, each with a weight above 0")
        self._members = tuple(members)
        digest = hashlib.sha256()
        for assessor, weight in members:
            digest.update(f"{assessor.ref}\0{assessor.ref.digest}\0{weight!r}\n".encode())
        names = "+".join(member.assessor.ref.name for member in members)
        self._ref = AssessorRef(name="ensemble", version=names, digest=digest.hexdigest())

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return frozenset().union(*(member.assessor.covers for member in self._members))

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text. Raises what a member raises."""
        found = [member.assessor.assess(texts) for member in self._members]
        return [self._combined(each) for each in zip(*found, strict=True)] if texts else []

    def _combined(self, found: Sequence[Assessment]) -> Assessment:
        said: dict[str, list[_Said]] = {}
        fields: dict[str, Scalar] = {}
        for each, member in zip(found, self._members, strict=True):
            fields = {**each.fields, **fields}
            for category, score in each.scores.items():
                threshold = each.thresholds[category]
                one = _Said(_log_odds(score), _log_odds(threshold), member.weight)
                said.setdefault(category, []).append(one)
        settled = {category: _settled(category, each) for category, each in said.items()}
        scores = {category: _probability(each.score) for category, each in settled.items()}
        minors = settled.get(_UNBALANCED)
        if minors is not None and minors.score >= minors.threshold:
            scores["unsafe"] = max(scores[_UNBALANCED], scores.get("unsafe", 0.0))
            settled.setdefault("unsafe", minors)
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds={c: _probability(each.threshold) for c, each in settled.items()},
            not_assessed=frozenset(CATEGORIES) - frozenset(scores),
            language=next((each.language for each in found if each.language), None),
            spans=tuple(dict.fromkeys(span for each in found for span in each.spans)),
            fields=fields,
        )


def _settled(category: str, said: Sequence[_Said]) -> _Said:
    if category == _UNBALANCED:
        return max(said, key=lambda each: each.score - each.threshold)
    total = sum(each.weight for each in said)
    return _Said(
        sum(each.weight * each.score for each in said) / total,
        sum(each.weight * each.threshold for each in said) / total,
        total,
    )


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _SURE), 1 - _SURE)
    return math.log(inside / (1 - inside))


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
