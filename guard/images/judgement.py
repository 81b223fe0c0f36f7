"""From what was found in a picture to an assessment of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from guard.assessment import Assessment, AssessorRef, Region
from guard.images.finding import Finding, KnownMatch, Writing
from policies.categories import CATEGORIES, CORE_CATEGORIES
from provenance.picture import Pixels

UNSAFE: Final = "unsafe"
CERTAIN: Final = 1.0  # of a known picture: the operator's list is the authority
KNOWN_THRESHOLD: Final = 0.5  # for a category that only a list speaks of; its scores are 0 or 1


@dataclass(frozen=True)
class Silence:
    """What is said of a picture in which nothing is written.

    Zero for each category that the prompt assessor scores, with its thresholds: the writing in
    the picture, of which there is none, says nothing of it.
    """

    scores: Mapping[str, float]
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Examination:
    """The findings on one picture. ``complete``: False where a conclusive match ended the search.

    ``pixels`` is (H, W, 3) RGB.
    """

    pixels: Pixels
    findings: tuple[Finding, ...]
    complete: bool

    @property
    def writings(self) -> tuple[Writing, ...]:
        return tuple(writing for finding in self.findings for writing in finding.writings)

    @property
    def match(self) -> KnownMatch | None:
        return next((f.match for f in self.findings if f.match is not None), None)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is to be assessed: all lines read as one text, then each writing alone.

        A sentence is often broken over lines and a line hidden among others, so both count.
        """
        lines = [writing.text for writing in self.writings if writing.kind == "text"]
        joined = (" ".join(lines),) if len(lines) > 1 else ()
        return (*joined, *(writing.text for writing in self.writings))


def judge(
    examination: Examination,
    read: Sequence[Assessment],
    silence: Silence,
    assessor: AssessorRef,
) -> Assessment:
    """The assessment of one picture; ``read`` holds one for each of its ``texts``."""
    scores: dict[str, float] = dict(silence.scores) if examination.complete else {}
    thresholds = dict(silence.thresholds)
    for assessment in read:
        scores = _highest(scores, assessment.scores)
        thresholds |= assessment.thresholds
    # A writing that nobody could judge (a foreign language, say) must not look like silence.
    unread = frozenset[str]().union(*(assessment.not_assessed for assessment in read))
    scored = frozenset[str]().union(*(assessment.scores for assessment in read))
    for silenced in unread - scored:
        scores.pop(silenced, None)

    regions = list(_writing_regions(examination, read))
    if examination.match is not None:
        category = _category_of(examination.match)
        if category is not None:
            certain = {category: CERTAIN}
            if category in CORE_CATEGORIES:
                certain[UNSAFE] = CERTAIN
            scores = _highest(scores, certain)
            thresholds = dict.fromkeys(certain, KNOWN_THRESHOLD) | thresholds
        regions.append(_whole(examination, "known_content", category))
    fields = {name: value for f in examination.findings for name, value in f.fields.items()}
    if fields.get("memorised.match") is True:
        regions.append(_whole(examination, "memorised", None))
    return Assessment(
        assessor=assessor,
        subject="image",
        scores=scores,
        thresholds=thresholds,
        not_assessed=frozenset(CATEGORIES),  # nobody looked at the scene itself
        language=next((a.language for a in read if a.language is not None), None),
        regions=tuple(regions),
        fields=fields,
    )


def _whole(examination: Examination, kind: str, category: str | None) -> Region:
    height, width = examination.pixels.shape[:2]
    return Region(
        x=0, y=0, width=width, height=height, kind=kind, category=category, score=CERTAIN
    )


def _writing_regions(examination: Examination, read: Sequence[Assessment]) -> Iterable[Region]:
    """A region for each category that a writing was flagged for, or one without a category."""
    writings = examination.writings
    alone = read[len(read) - len(writings) :]
    flagged = [_flagged(assessment) for assessment in alone]
    if len(read) > len(writings):
        found = frozenset[str]().union(*flagged)
        lines = [i for i, writing in enumerate(writings) if writing.kind == "text"]
        for said, score in _flagged(read[0]).items():
            if said not in found:  # only the lines together say it
                for i in _lines_that_say(said, read[0], [writings[i] for i in lines], lines):
                    flagged[i][said] = score
    for writing, categories in zip(writings, flagged, strict=True):
        box = writing.box
        evidence: list[tuple[str | None, float]] = [*categories.items()]
        for category, score in evidence or [(None, writing.confidence)]:
            yield Region(
                x=box.x,
                y=box.y,
                width=box.width,
                height=box.height,
                kind=writing.kind,
                category=category,
                score=score,
                text=writing.text,
            )


def _lines_that_say(
    category: str, joined: Assessment, lines: Sequence[Writing], indices: Sequence[int]
) -> list[int]:
    """The lines that the spans of ``category`` touch; all of them where there is no span."""
    spans = [span for span in joined.spans if span.category == category]
    touched = []
    start = 0
    for index, line in zip(indices, lines, strict=True):
        end = start + len(line.text)
        if any(span.start < end and start < span.end for span in spans):
            touched.append(index)
        start = end + 1  # the space between two lines
    return touched or list(indices)


def _flagged(assessment: Assessment) -> dict[str, float]:
    return {
        category: score
        for category, score in assessment.scores.items()
        if category != UNSAFE and score >= assessment.thresholds.get(category, CERTAIN)
    }


def _highest(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    return {name: max(a.get(name, 0.0), b.get(name, 0.0)) for name in {**a, **b}}


def _category_of(match: KnownMatch) -> str | None:
    return match.label if match.label in CATEGORIES else None
