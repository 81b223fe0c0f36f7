"""Whether somebody took pains to hide what a prompt says. A fact for the policy, not a score."""

import re
import unicodedata
from collections.abc import Sequence

from guard.prompts.fold import fold_character, is_hidden
from guard.prompts.reading import Reading

# Hidden characters with an everyday use: emoji joiners, byte order mark, soft hyphen, line ends.
_EVERYDAY = frozenset("\u200d\ufeff\u00ad\u200e\u200f")
_WORD = re.compile(r"[^\W\d_]+")
_OPENLY = ("plain", "respaced")


def is_disguised(text: str, readings: Sequence[Reading]) -> bool:
    """Hidden characters, letters of other scripts within English words, leet, or an encoding."""
    if any(reading.name not in _OPENLY for reading in readings):
        return True
    if text.isascii():
        return any(map(is_hidden, text))
    return any(is_hidden(c) and c not in _EVERYDAY for c in text) or any(
        _mixes_scripts(word) for word in _WORD.findall(text) if not word.isascii()
    )


def _mixes_scripts(word: str) -> bool:
    latin = {"LATIN" in unicodedata.name(c, "").split()[:1] for c in word}
    return latin == {True, False} and "".join(map(fold_character, word)).isascii()
