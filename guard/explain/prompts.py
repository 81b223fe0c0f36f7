"""Why a prompt was flagged, and the least that would have to go for it to pass.

Works on any ``PromptAssessor``: it only assesses the text again with words left out. The cost is
bounded: for what the words add about ``MAX_TEXTS`` texts and, of long ones, as many as come to
``MAX_CHARACTERS``; for the change ``change.MAX_CHARACTERS``.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from guard.assessment import Assessment, PromptAssessor, Span
from guard.explain.asking import Asker
from guard.explain.attribution import shapley, without_each
from guard.explain.change import Change, Passes, smallest_change
from guard.explain.words import parts_of, pieces_of
from policies.decision import Frozen

MAX_TEXTS = 320
MAX_CHARACTERS = 120_000  # of these texts
MAX_WORDS = 64  # pieces that are taken out one by one; of longer texts neighbours go together
MAX_FOCUS = 1_200  # characters explained word by word; of a longer text its worst part
_MAX_ROUNDS = 32  # orders of the words
_NOTHING = 0.01  # log odds; what adds less is not shown


class WordShare(Frozen):
    """Characters [start, end) of what was typed, and what they do.

    ``weight``: category -> Shapley value in log odds. ``without``: category -> the score when this
    alone is taken out; a category that can then not be assessed is missing.
    """

    text: str
    start: int
    end: int
    weight: Mapping[str, float]
    without: Mapping[str, float]


class PromptExplanation(Frozen):
    """Which words did it, and what would pass.

    ``scores``, ``thresholds``: of the explained categories, the flagged ones or else the nearest.
    ``focus``: the part [start, end) that is explained word by word. ``words``: those that push
    an explained category up, strongest first. ``evidence``: what the assessor itself points at,
    and in which reading. ``change``: none where it passes already, or where no words would help.
    """

    method: str = "shapley"
    passes: bool
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]
    focus: tuple[int, int]
    words: tuple[WordShare, ...]
    evidence: tuple[Span, ...]
    change: Change | None
    texts_assessed: int


def explain_prompt(
    text: str, assessor: PromptAssessor, *, passes: Passes | None = None
) -> PromptExplanation:
    """Explain what ``assessor`` says of ``text``, in offsets into ``text``.

    ``passes``: whether a prompt so assessed may pass; by default, where nothing is flagged and
    all that the assessor covers was assessed.
    """
    (whole,) = assessor.assess([text])
    may_pass = passes or partial(_unflagged, assessor.covers)
    categories = flagged(whole) or nearest(whole)
    parts = parts_of(text, MAX_FOCUS)
    found = assessor.assess([text[start:end] for start, end in parts]) if parts[1:] else [whole]
    focus = max(zip(parts, found, strict=True), key=lambda each: _height(each[1], categories))[0]
    asker = Asker(text, pieces_of(text, focus, whole.spans, MAX_WORDS), assessor, categories)
    words = _shares(asker)
    change = None
    searched = 0
    if flagged(whole) and not may_pass(whole):
        if parts[1:]:
            search, order = _chunks(text, whole, assessor, categories)
        else:
            search, order = asker, _falling([sum(word.weight.values()) for word in words])
        change = smallest_change(search, order, may_pass)
        searched = search.asked + len(search.pieces) if parts[1:] else 0
    shown = [word for word in words if max(word.weight.values(), default=0.0) > _NOTHING]
    return PromptExplanation(
        passes=may_pass(whole),
        scores={category: whole.scores[category] for category in categories},
        thresholds={category: whole.thresholds[category] for category in categories},
        focus=focus,
        words=tuple(sorted(shown, key=lambda word: -max(word.weight.values()))),
        evidence=whole.spans,
        change=change,
        texts_assessed=1 + (len(parts) if parts[1:] else 0) + asker.asked + searched,
    )


def _unflagged(covers: frozenset[str], found: Assessment) -> bool:
    return not flagged(found) and not covers & found.not_assessed


def flagged(found: Assessment) -> list[str]:
    """The categories, "unsafe" among them, whose score has reached the threshold."""
    return [c for c, score in found.scores.items() if score >= found.thresholds.get(c, 1.0)]


def nearest(found: Assessment) -> list[str]:
    """The category that is nearest to its threshold, if any was assessed."""
    if not found.scores:
        return []
    return [max(found.scores, key=lambda c: found.scores[c] - found.thresholds.get(c, 1.0))]


def _height(found: Assessment, categories: Sequence[str]) -> float:
    return sum(found.scores.get(category, 0.0) for category in categories)


def _falling(heights: Sequence[float]) -> list[int]:
    return sorted(range(len(heights)), key=lambda i: -heights[i])


def _chunks(
    text: str, whole: Assessment, assessor: PromptAssessor, categories: list[str]
) -> tuple[Asker, list[int]]:
    """A long text in chunks, and their order by what each scores alone."""
    chunks = pieces_of(text, (0, len(text)), whole.spans, MAX_WORDS)
    alone = assessor.assess([text[each.start : each.end] for each in chunks])
    return (
        Asker(text, chunks, assessor, categories),
        _falling([_height(each, categories) for each in alone]),
    )


def _shares(asker: Asker) -> list[WordShare]:
    if not asker.pieces or not asker.categories:
        return []
    alone = asker.assess(without_each(len(asker.pieces)))[1:]
    without = [each.scores if each else {} for each in alone]
    length = asker.pieces[-1].end - asker.pieces[0].start  # halved, since half of it is left out
    texts = min(MAX_TEXTS, 2 * MAX_CHARACTERS // length)
    rounds = min(max(texts // (len(asker.pieces) + 1), 2), _MAX_ROUNDS)
    weights = shapley(asker.value, len(asker.pieces), rounds=rounds)
    return [
        WordShare(
            text=asker.text[piece.start : piece.end],
            start=piece.start,
            end=piece.end,
            weight=dict(zip(asker.categories, row, strict=True)),
            without={category: rest[category] for category in asker.categories if category in rest},
        )
        for piece, row, rest in zip(asker.pieces, weights.tolist(), without, strict=True)
    ]
