"""What is written and listed, and what an operator's guards see, as one assessment.

For each category the one speaks that is furthest above its own threshold: guards look at different
things, and what one finds the silence of another does not take back.
"""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from guard.assessment import Assessment, AssessorRef, ImageAssessor
from guard.images.assessor import PictureAssessor
from guard.images.known import CONCLUSIVE
from guard.images.second_view import disagree, second_views
from provenance.picture import Pixels

DISAGREES: Final = "view.disagrees"
_SURE: Final = 1e-6  # probabilities are kept this far from 0 and 1


class Panel:
    """``first`` is cheap and looks at every picture, ``guards`` at what it left open.

    A picture in a conclusive list is not shown to the guards: nothing they say can matter.
    """

    def __init__(
        self,
        first: PictureAssessor,
        guards: Sequence[ImageAssessor],
        *,
        second_view: bool = False,
    ) -> None:
        """``second_view``: the guards look at uploads again, diffused and as JPEG."""
        self._first, self._guards = first, tuple(guards)
        self._second_view = second_view

    @cached_property
    def ref(self) -> AssessorRef:
        refs = [member.ref for member in (self._first, *self._guards)]
        digest = hashlib.sha256(" ".join(f"{ref} {ref.digest}" for ref in refs).encode())
        names = "+".join(ref.name for ref in refs)
        return AssessorRef(name=names, version=refs[0].version, digest=digest.hexdigest())

    @property
    def covers(self) -> frozenset[str]:
        return frozenset().union(*(guard.covers for guard in self._guards))

    @property
    def guards(self) -> tuple[ImageAssessor, ...]:
        """The operator's guards, each as it was declared."""
        return self._guards

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        """One assessment a picture. Raises SafetyUnavailable where any of them cannot look."""
        said = [[found] for found in self._first.assess(images, files=files)]
        still = [i for i, (found,) in enumerate(said) if not found.fields.get(CONCLUSIVE)]
        for guard in self._guards:
            for i, found in zip(still, guard.assess([images[i] for i in still]), strict=True):
                said[i].append(found)
                if self._second_view and files is not None:
                    before = any(each.fields.get(DISAGREES) for each in said[i])
                    said[i].append(_again(guard, images[i], found, before=before))
        return [_with_unread(combined(each, self.ref), each[0]) for each in said]


def _again(
    guard: ImageAssessor, pixels: Pixels, first: Assessment, *, before: bool
) -> Assessment:
    """What second readings add: their scores, where higher, and whether they disagree."""
    seconds = guard.assess(second_views(pixels))
    disagrees = before or disagree(first, seconds)
    together = combined(seconds, first.assessor)
    return together.model_copy(update={"regions": (), "fields": {DISAGREES: disagrees}})


def _with_unread(found: Assessment, first: Assessment) -> Assessment:
    """A category is not assessed either where there is writing that nobody could judge for it,
    whatever the guards saw: its threshold is known then, and its score is missing."""
    unread = frozenset(first.thresholds) - frozenset(first.scores) - {"unsafe"}
    return found.model_copy(update={"not_assessed": found.not_assessed | unread})


def combined(said: Sequence[Assessment], ref: AssessorRef) -> Assessment:
    """One assessment out of several of the same picture; not assessed is what none assessed."""
    scores: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    for each in said:
        for category, score in each.scores.items():
            threshold = each.thresholds.get(category, 1.0)
            held = thresholds.get(category, 1.0)
            if category not in scores or _margin(score, threshold) > _margin(
                scores[category], held
            ):
                scores[category], thresholds[category] = score, threshold
        for category, threshold in each.thresholds.items():
            thresholds.setdefault(category, threshold)
    return Assessment(
        assessor=ref,
        subject="image",
        scores=scores,
        thresholds=thresholds,
        not_assessed=frozenset.intersection(*(each.not_assessed for each in said)),
        language=next((each.language for each in said if each.language), None),
        regions=tuple(region for each in said for region in each.regions),
        fields={name: value for each in said for name, value in each.fields.items()},
    )


def _margin(score: float, threshold: float) -> float:
    """Log odds above the threshold."""
    return _log_odds(score) - _log_odds(threshold)


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _SURE), 1 - _SURE)
    return math.log(inside / (1 - inside))
