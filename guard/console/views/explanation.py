"""A prompt that somebody pasted, with the words that did it marked."""

import hmac
from itertools import pairwise
from math import ceil

from guard.check import Checker, CheckResult
from guard.explain.prompts import PromptExplanation, WordShare
from policies.decision import Frozen
from provenance.ledger import Entry
from provenance.ledger.commitment import commitment

LEVELS = 3  # shades of a marked word; the strongest word has the last


class Segment(Frozen):
    """A part of the prompt. ``level``: 0 for what does nothing, up to ``LEVELS``. ``weight``: log
    odds that it adds to the explained categories."""

    text: str
    level: int = 0
    weight: float = 0.0


class Words(Frozen):
    """The explanation of a prompt. ``is_the_prompt``: it is the very text that was decided on, by
    its commitment in the ledger; None where the ledger has none."""

    is_the_prompt: bool | None
    segments: tuple[Segment, ...]
    result: CheckResult
    explanation: PromptExplanation


def explained(prompt: str, checker: Checker, entry: Entry, key: bytes) -> Words:
    """Assess and explain ``prompt`` as of today. ``entry``: of its decision; ``key``: of the
    commitments. Raises InvalidRequest, SafetyUnavailable."""
    result = checker.text(prompt, explain=True)
    explanation = PromptExplanation.model_validate(result.explanation)
    recorded = entry.body.get("prompt_commitment")
    same = None
    if isinstance(recorded, str):
        same = hmac.compare_digest(recorded, commitment(key, prompt))
    return Words(
        is_the_prompt=same,
        segments=segments(prompt, explanation.words),
        result=result,
        explanation=explanation,
    )


def segments(prompt: str, words: tuple[WordShare, ...]) -> tuple[Segment, ...]:
    """``prompt`` cut at its words; all segments joined are the prompt."""
    weights = {(word.start, word.end): max(word.weight.values(), default=0.0) for word in words}
    strongest = max(weights.values(), default=0.0)
    cuts = sorted({0, len(prompt), *(place for span in weights for place in span)})
    found = []
    for start, end in pairwise(cuts):
        weight = weights.get((start, end), 0.0)
        level = max(1, min(LEVELS, ceil(LEVELS * weight / strongest))) if weight > 0 else 0
        found.append(Segment(text=prompt[start:end], level=level, weight=max(weight, 0.0)))
    return tuple(found)
