"""Segmenting: where the words are in letters that run together.

The most probable cut by single words (Viterbi), as in Norvig's "Natural Language Corpus Data"
(2009). A stretch that is no word costs by its length, so that one name among words does not
spoil the cut around it.
"""

import math
import re
from typing import NamedTuple

from guard.prompts.vocabulary import Vocabulary

LIKELY_WORDS = -3.0  # mean log probability a letter from which letters are believed to be words

_MAX_WORD = 20  # letters
_UNKNOWN_WORD = -12.0  # log probability of a word not on record, and of each letter of it
_UNKNOWN_LETTER = -2.3
_MIN_STEM = 3  # letters
_ENDINGS = frozenset((
    "s", "es", "d", "ed", "r", "er", "ers", "y", "ly", "ing", "ings", "ish", "ism", "ist", "less",
    "ness", "able", "ful", "like", "ship", "ion", "ions", "ation", "ations", "ator",
))  # fmt: skip
_LONGEST_ENDING = 6
_ENDING = -3.5  # log probability of an ending
_ONE_LETTER_WORDS = frozenset("ai")


class Cut(NamedTuple):
    """Letters cut into words. ``score``: mean log probability (natural) a letter.

    English text has about -2, random letters -4.
    """

    words: tuple[str, ...]
    score: float


def known_share(text: str, vocabulary: Vocabulary) -> float:
    """The share of letters, in words of three letters or more, that belong to known words."""
    words = re.findall(r"[a-z]{3,}", text.lower())
    return sum(len(w) for w in words if vocabulary.knows(w)) / max(sum(map(len, words)), 1)


def stem_of(word: str, vocabulary: Vocabulary) -> str | None:
    """The known word that an unknown one is with an ending, as "stabs" is of "stab"."""
    for length in range(1, min(len(word) - _MIN_STEM, _LONGEST_ENDING) + 1):
        if word[-length:] in _ENDINGS:
            stem = word[:-length]
            doubled = stem[:-1] if stem[-1] == stem[-2] else stem  # stabbing
            with_y = stem[:-1] + "y" if stem[-1] == "i" else stem  # drier
            for known in (stem, stem + "e", doubled, with_y):
                if vocabulary.knows(known):
                    return known
    return None


def is_inflected(word: str, vocabulary: Vocabulary) -> bool:
    """Whether an unknown word is a known one with an ending, and so most likely what was meant."""
    return stem_of(word, vocabulary) is not None


def word_score(word: str, vocabulary: Vocabulary) -> float:
    """The log probability of a word, on record or not."""
    if vocabulary.knows(word) or word in _ONE_LETTER_WORDS:
        return vocabulary.log_probability(word)
    stem = stem_of(word, vocabulary)
    if stem is not None:
        return vocabulary.log_probability(stem) + _ENDING
    return _UNKNOWN_WORD + _UNKNOWN_LETTER * len(word)


def _piece_score(piece: str, vocabulary: Vocabulary) -> float:
    if piece in _ENDINGS:
        return _ENDING
    if vocabulary.knows(piece) or piece in _ONE_LETTER_WORDS:
        return vocabulary.log_probability(piece)
    return _UNKNOWN_WORD + _UNKNOWN_LETTER * len(piece)


def cut(run: str, vocabulary: Vocabulary) -> Cut:
    """The most probable cut of one or more letters. Linear in their number."""
    best = [0.0] + [-math.inf] * len(run)
    back = [0] * (len(run) + 1)
    for end in range(1, len(run) + 1):
        for start in range(max(0, end - _MAX_WORD), end):
            score = best[start] + _piece_score(run[start:end], vocabulary)
            if score > best[end]:
                best[end], back[end] = score, start
    words: list[str] = []
    end = len(run)
    while end:
        piece = run[back[end] : end]
        end = back[end]
        if words and words[-1] in _ENDINGS and len(piece) >= _MIN_STEM:
            words[-1] = piece + words[-1]
        else:
            words.append(piece)
    return Cut(tuple(reversed(words)), best[-1] / len(run))
