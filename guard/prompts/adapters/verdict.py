"""How guards that generate text are asked, and how their answer is read as probabilities.

The verdict is never read out of free text: each family has a closed list of answers, and what is
read is how probable the model finds each of them. A prompt that talks the model out of its form
gives no verdict, and then nothing is assessed.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from guard.prompts.adapters.crosswalk import LLAMA_GUARD, QWEN3GUARD, SHIELDGEMMA

_BRACKETED = re.compile(r"<(?=[/|]?[^<>\n]{1,60}>)|\[(?=/?[A-Z_]{2,30}\])|<(?=\|)")
_ROUNDS = 4  # in which the pieces of taken-out tokens may form new ones


class Family(StrEnum):
    """Guards whose chat templates and answers are known."""

    LLAMA_GUARD = "llama-guard"
    SHIELDGEMMA = "shieldgemma"
    QWEN3GUARD = "qwen3guard"


class Question(NamedTuple):
    """One question to a guard.

    ``variables``: for its chat template. ``begun``: what the answer begins with. ``answers``: each
    closed answer, and how unsafe it is, in [0, 1]. ``about``: the category of a yes; none where the
    guard lists the categories itself after ``listing``.
    """

    variables: Mapping[str, Any]
    begun: str
    answers: Mapping[str, float]
    about: str | None = None
    listing: str | None = None


def questions(family: Family, guidelines: Mapping[str, str]) -> Sequence[Question]:
    """What a family is asked about one prompt. ``guidelines``: ShieldGemma's, ours where empty."""
    match family:
        case Family.LLAMA_GUARD:
            answers = {"safe": 0.0, "unsafe": 1.0}
            return [Question({}, "", answers, listing="unsafe\n")]
        case Family.QWEN3GUARD:
            answers = {" Safe": 0.0, " Controversial": 0.5, " Unsafe": 1.0}
            return [Question({}, "Safety:", answers, listing=" Unsafe\nCategories:")]
        case Family.SHIELDGEMMA:
            yes = {"Yes": 1.0, "No": 0.0}
            return [
                Question({"guideline": text}, "", yes, about=category)
                for category, text in (guidelines or SHIELDGEMMA).items()
            ]


def covered(family: Family, guidelines: Mapping[str, str]) -> frozenset[str]:
    """The categories of ours that a family can speak of."""
    match family:
        case Family.LLAMA_GUARD:
            return frozenset(LLAMA_GUARD.values())
        case Family.QWEN3GUARD:
            return frozenset(QWEN3GUARD.values())
        case Family.SHIELDGEMMA:
            return frozenset(guidelines or SHIELDGEMMA)


def listed(family: Family, text: str) -> frozenset[str] | None:
    """Our categories among those that a guard lists; none where it lists nothing that it may."""
    if family is Family.LLAMA_GUARD:
        codes = re.findall(r"S\d{1,2}\b", text.split("\n")[0])
        return frozenset(LLAMA_GUARD[code] for code in codes if code in LLAMA_GUARD) or None
    line = text.split("\n")[0]
    return frozenset(ours for theirs, ours in QWEN3GUARD.items() if theirs in line) or None


def neutralised(text: str, control: Sequence[str]) -> str:
    """The text with a space within whatever could be read as a mark of the conversation.

    ``control``: the tokenizer's special tokens. Angle and square brackets that look like a mark
    are parted too, known or not: templates frame a prompt by some that are plain text.
    """
    parted = _BRACKETED.sub(lambda match: match[0] + " ", text)
    for _ in range(_ROUNDS):
        present = [token for token in control if token.strip() and token in parted]
        if not present:
            break
        for token in sorted(present, key=len, reverse=True):
            parted = parted.replace(token, f"{token[0]} {token[1:]}")
    return parted
