"""Figures of a prompt assessor on labelled prompts, by source and by category."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Assessment, AssessorRef, PromptAssessor
from guard.evaluate.figures import (
    AtThreshold,
    Calibration,
    Ranking,
    Split,
    at_threshold,
    calibration,
    ranking,
)
from guard.evaluate.labelled import LabelledPrompt
from guard.evaluate.scored import Scored
from policies.decision import Frozen

RESAMPLES = 200  # of the bootstrap
_BATCH = 64  # prompts assessed at once
_WORST = 20  # lines told of each kind of mistake

Progress = Callable[[str, int, int], None]


class Group(Frozen):
    """Figures of some prompts. What is not assessed is counted, and is in no other figure.

    ``against``: whether the unsafe are ranked against the group's own safe prompts, or, where it
    has none, against all of the file; none where the file has none either. ``unsafe_flagged``: at
    the threshold of "unsafe"; ``any_flagged``: at that or any core category's.
    """

    prompts: int
    unsafe: int
    not_assessed: int
    not_assessed_unsafe: int
    against: Literal["own", "all"] | None
    ranking: Ranking | None
    unsafe_flagged: AtThreshold
    any_flagged: AtThreshold


class CategoryGroup(Frozen):
    """One category: the prompts labelled with it against all safe ones.

    ``assessed``: to how many of them the assessor gave a score; to none where it does not know
    the category, which may be one of the file's own.
    """

    prompts: int
    assessed: int
    ranking: Ranking | None
    flagged: AtThreshold


class Mistakes(Frozen):
    """Line numbers: the safe prompts with the highest scores, the unsafe with the lowest."""

    false_alarms: tuple[int, ...]
    missed: tuple[int, ...]


class PromptEvaluation(Frozen):
    """What ``wardmark evaluate prompts --json`` prints. ``sha256``: of the file."""

    file: str
    sha256: str
    assessor: AssessorRef
    resamples: int
    overall: Group
    calibration: Calibration | None
    sources: Mapping[str, Group]
    categories: Mapping[str, CategoryGroup]
    mistakes: Mistakes


def evaluate_prompts(
    file: str,
    sha256: str,
    prompts: Sequence[LabelledPrompt],
    assessor: PromptAssessor,
    *,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> PromptEvaluation:
    """Assess all prompts once and draw the figures from what was said."""
    found: list[Assessment] = []
    for at in range(0, len(prompts), _BATCH):
        found += assessor.assess([prompt.text for prompt in prompts[at : at + _BATCH]])
        if progress:
            progress("assessing", len(found), len(prompts))
    scored = Scored(prompts, found)
    everything = np.ones(len(prompts), dtype=np.bool_)
    sources = sorted({prompt.source for prompt in prompts})
    by_source = {}
    for number, source in enumerate(sources, start=1):
        rows = np.array([prompt.source == source for prompt in prompts])
        by_source[source] = _group(scored, rows, resamples)
        if progress:
            progress("drawing intervals", number, len(sources))
    named = sorted({category for prompt in prompts for category in prompt.categories})
    unsafe_scores = scored.scores["unsafe"]
    split = Split(
        unsafe_scores[scored.assessed & ~scored.unsafe],
        unsafe_scores[scored.assessed & scored.unsafe],
    )
    return PromptEvaluation(
        file=file,
        sha256=sha256,
        assessor=assessor.ref,
        resamples=resamples,
        overall=_group(scored, everything, resamples),
        calibration=calibration(split, resamples) if scored.assessed.any() else None,
        sources=by_source,
        categories={
            category: _category(
                scored, category, np.array([category in p.categories for p in prompts]), resamples
            )
            for category in named
        },
        mistakes=_mistakes(prompts, scored),
    )


def _group(scored: Scored, rows: NDArray[np.bool_], resamples: int) -> Group:
    assessed = rows & scored.assessed
    safe, unsafe = assessed & ~scored.unsafe, assessed & scored.unsafe
    rest = scored.assessed & ~scored.unsafe
    against: Literal["own", "all"] | None = "own" if safe.any() else "all" if rest.any() else None
    scores = scored.scores["unsafe"]
    negatives = safe if against == "own" else rest
    flags = scored.flags("unsafe").astype(np.float64)
    either = scored.any.astype(np.float64)
    return Group(
        prompts=int(rows.sum()),
        unsafe=int((rows & scored.unsafe).sum()),
        not_assessed=int((rows & ~scored.assessed).sum()),
        not_assessed_unsafe=int((rows & ~scored.assessed & scored.unsafe).sum()),
        against=against,
        ranking=ranking(Split(scores[negatives], scores[unsafe]), resamples),
        unsafe_flagged=at_threshold(
            Split(flags[safe], flags[unsafe]), scored.thresholds.get("unsafe"), resamples
        ),
        any_flagged=at_threshold(Split(either[safe], either[unsafe]), None, resamples),
    )


def _category(
    scored: Scored,
    category: str,
    rows: NDArray[np.bool_],
    resamples: int,
) -> CategoryGroup:
    scores = scored.scores[category]
    given = ~np.isnan(scores)
    safe, unsafe = given & ~scored.unsafe & ~rows, given & rows
    flags = scored.flags(category).astype(np.float64)
    return CategoryGroup(
        prompts=int(rows.sum()),
        assessed=int((given & rows).sum()),
        ranking=ranking(Split(scores[safe], scores[unsafe]), resamples),
        flagged=at_threshold(
            Split(flags[safe], flags[unsafe]), scored.thresholds.get(category), resamples
        ),
    )


def _mistakes(prompts: Sequence[LabelledPrompt], scored: Scored) -> Mistakes:
    scores, flagged = scored.scores["unsafe"], scored.any
    order = [int(i) for i in np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")]
    alarms = [prompts[i].line for i in order if flagged[i] and not prompts[i].unsafe]
    missed = [
        prompts[i].line
        for i in reversed(order)
        if scored.assessed[i] and not flagged[i] and prompts[i].unsafe
    ]
    return Mistakes(false_alarms=tuple(alarms[:_WORST]), missed=tuple(missed[:_WORST]))
