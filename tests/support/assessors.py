"""Assessors that say what a test tells them to, through the real ports."""

from collections.abc import Mapping, Sequence

from guard.assessment import Assessment, AssessorRef, Region
from policies.categories import CATEGORIES
from provenance.picture import Pixels

REF = AssessorRef(name="scripted", version="1", digest="00" * 32)
THRESHOLD = 0.5


class ScriptedPromptAssessor:
    """Scores a text by the first of ``words`` that stands in it; 0.01 where none does."""

    ref = REF
    covers = frozenset(CATEGORIES)

    def __init__(self, words: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._words = words or {}

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        return [self._assess(text) for text in texts]

    def _assess(self, text: str) -> Assessment:
        said = next((scores for word, scores in self._words.items() if word in text), {})
        scores = {category: said.get(category, 0.01) for category in CATEGORIES}
        return Assessment(
            assessor=REF,
            subject="prompt",
            scores=scores | {"unsafe": max(scores.values())},
            thresholds=dict.fromkeys((*CATEGORIES, "unsafe"), THRESHOLD),
            language="en",
            fields={"prompt.characters": len(text), "prompt.obfuscated": False},
        )


class ScriptedImageAssessor:
    """Gives the n-th picture it ever sees the n-th of ``scripts`` (scores and regions)."""

    ref = REF

    def __init__(
        self,
        *scripts: tuple[Mapping[str, float], tuple[Region, ...]],
        covers: frozenset[str] = frozenset(CATEGORIES),
    ) -> None:
        self._scripts = list(scripts)
        self.covers = covers
        self.seen: list[Pixels] = []

    def assess(  # the port has more than a script needs
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        return [self._assess(image) for image in images]

    def _assess(self, image: Pixels) -> Assessment:
        self.seen.append(image)
        said, regions = self._scripts.pop(0) if self._scripts else ({}, ())
        scores = {category: said.get(category, 0.01) for category in sorted(self.covers)}
        return Assessment(
            assessor=REF,
            subject="image",
            scores=scores | {"unsafe": max(scores.values(), default=0.0)},
            thresholds=dict.fromkeys((*CATEGORIES, "unsafe"), THRESHOLD),
            not_assessed=frozenset(CATEGORIES) - self.covers,
            regions=regions,
        )
