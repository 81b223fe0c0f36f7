"""All the ways to read a prompt. The score of a prompt is the worst over them."""

import unicodedata
from collections.abc import Iterator
from itertools import chain

from guard.prompts.decode import decoded
from guard.prompts.fold import fold, named_letter
from guard.prompts.reading import Edit, Reading
from guard.prompts.repair import repair
from guard.prompts.vocabulary import Vocabulary


def readings_of(text: str, vocabulary: Vocabulary) -> list[Reading]:
    """The plain (folded) reading first, then what repairing and decoding add to it.

    Every reading is folded and points back at ``text``. An ordinary prompt has one reading.
    """
    typed = Reading.of(text)
    plain = fold(typed)
    found = [plain]
    repaired = repair(plain, vocabulary)
    if repaired is not plain:
        found.append(repaired)
    for each in chain(_unmarked(typed), decoded(typed, vocabulary)):
        further = repair(fold(each), vocabulary)
        if all(further.text != known.text for known in found):
            found.append(further)
    return found


def _unmarked(typed: Reading) -> Iterator[Reading]:
    """Without the little letters that are set above others, which fold to letters themselves."""
    marks = [
        Edit(i, i + 1, "")
        for i, character in enumerate(typed.text)
        if unicodedata.combining(character) and named_letter(character) is not None
    ]
    if marks:
        yield typed.edited("unmarked", marks)
