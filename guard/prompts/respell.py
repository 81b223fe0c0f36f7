"""Respelling: the word that somebody meant by one that is none.

Leet ("k1ll"), letters left out for stars ("k*ll"), separators within ("ki-ll"), letters repeated,
look-alikes that stand for two letters, and slips of the keyboard. Works on tokens of folded
readings, and only on those that are no word.
"""

import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain, combinations, islice, product

from guard.prompts.segment import LIKELY_WORDS, cut, is_inflected
from guard.prompts.vocabulary import Vocabulary

_LEET = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b",
    "9": "g", "@": "a", "$": "s", "!": "il", "|": "li", "+": "t", "€": "e", "£": "l", "¢": "c",
}  # fmt: skip
LEET_MARKS = "".join(_LEET)
_MAX_SPELLINGS = 32  # of a token in leet whose marks may be one letter or another
_CODES = range(4, 17)  # characters of a token in leet; shorter and longer ones are codes
_MIN_COUNTED = 4  # letters of a word in leet that could also be a number with a unit
_MAX_DOUBLED = 14  # runs of a letter in a word
_MAX_KEPT = 3  # of them that are meant to be two letters
_STRETCHED = 3  # letters repeated in a token from which it is no word as it stands
_LONGEST = 24  # letters of such a token; longer ones are words that were glued
_MIN_JOINED = 4  # letters of a word, for a token with separators to be words already
_SLIPS = range(5, 17)  # letters of a word in which a slip is looked for
_LIKELY = -10.0  # log probability of a word that a slip is believed to have meant
_LIKELY_SWAPPED = -11.0  # and of one of which two letters changed places
_COMMON = -8.0  # log probability of a word of two letters, for it to be believed
_FROM_DIGITS = -9.5  # and of one written in digits alone
_ONE_LETTER_WORDS = ("a", "i", "s")  # the last after an apostrophe
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

_SEPARATORS = re.compile(rf"[^a-z{re.escape(LEET_MARKS)}]+")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_COUNTED = re.compile(r"\d+(?:\.\d+)?[a-z]{0,6}|[a-z]+\d+")  # 8k, 1girl, 35mm, 1.75, sd15
_REPEATED = re.compile(r"([a-z])\1+")
_MASKED = re.compile(r"[a-z]+[*#]{1,2}[a-z]+")


def is_word(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a word is on record, and common where it has but two letters."""
    if len(word) < 2:
        return word in _ONE_LETTER_WORDS
    if len(word) < 3:
        return vocabulary.knows(word) and vocabulary.log_probability(word) > _COMMON
    return vocabulary.knows(word)


def unleeted(token: str) -> Iterator[str]:
    """What a token in leet may say, the likeliest first."""
    return islice(map("".join, product(*(_LEET.get(c, c) for c in token))), _MAX_SPELLINGS)


def unstretched(word: str) -> Iterator[str]:
    """The word, then with all, then with all but a few of its doubled letters made single."""
    yield word
    parts = re.split(r"(([a-z])\2+)", word)
    doubled = parts[1::3]
    for kept in range(_MAX_KEPT + 1 if len(doubled) <= _MAX_DOUBLED else 1):
        for stay in combinations(range(len(doubled)), kept):
            runs = (run if i in stay else run[0] for i, run in enumerate(doubled))
            yield "".join(chain.from_iterable(zip(parts[0::3], (*runs, ""), strict=True)))


def respelt(
    token: str, brief: str, vocabulary: Vocabulary, *, in_leet: bool, slips: bool
) -> str | None:
    """The word that an unknown token stands for, or nothing.

    ``brief``: the token with one character for each that was typed. ``in_leet``: other words of
    the text are in leet, so that short tokens and numbers are too. ``slips``: the text is English
    with slips of the keyboard rather than another language.
    """
    pieces = [piece for piece in _NOT_LETTERS.split(token) if piece]
    if not in_leet and len(pieces) > 1 and all(vocabulary.knows(piece) for piece in pieces):
        return None
    parts = _SEPARATORS.split(token)
    if len(parts) > 1 and any(len(p) >= _MIN_JOINED and vocabulary.knows(p) for p in parts):
        return None  # open-mouthed, 1980s-style: words already
    bare = "".join(pieces)
    spellings: list[str] = []
    if any(c in LEET_MARKS for c in token):
        counted = _COUNTED.fullmatch(token) is not None and not in_leet
        spellings = [_NOT_LETTERS.sub("", each) for each in unleeted(token)]
        meant = spellings if counted else chain.from_iterable(map(unstretched, spellings))
        shortest = _MIN_COUNTED if counted else 1 if in_leet else 3
        better = likeliest((w for w in meant if len(w) >= shortest), vocabulary)
        likelihood = vocabulary.log_probability(better) if better else -math.inf
        if better and (bare or len(better) < 2 or likelihood > _FROM_DIGITS):
            return better
        if counted or len(parts) > 1 or len(token) not in _CODES:
            return None
        inflected = (each for each in spellings if is_inflected(each, vocabulary))
        nearer = 2 * len(bare) >= len(token) and any(c in "0123456789@$" for c in token)
        return next(inflected, spellings[0] if nearer else None)
    meant = [*unstretched(bare), *unstretched(_NOT_LETTERS.sub("", brief))]
    others = [word for word in dict.fromkeys(meant) if word != token and len(word) > 1]
    better = likeliest(others, vocabulary)
    if better is not None:
        return better
    if len(bare) <= _LONGEST and len(_REPEATED.findall(bare)) >= _STRETCHED:
        inflected = (word for word in others if is_inflected(word, vocabulary))
        found = next(inflected, None)
        if found is None and cut(bare, vocabulary).score < LIKELY_WORDS:  # else they were glued
            found = _REPEATED.sub(r"\1", token)
        return found
    if _MASKED.fullmatch(token):
        gaps = (_ALPHABET if c in "*#" else c for c in token)
        return likeliest(map("".join, product(*gaps)), vocabulary)
    if slips and token == bare and len(token) in _SLIPS and not is_inflected(token, vocabulary):
        return _unslipped(token, vocabulary)
    return None


def _unslipped(word: str, vocabulary: Vocabulary) -> str | None:
    """The likeliest word of which two letters changed places, else one was lost or put in.

    The first letter is right: people hardly ever miss it (Yannakoudakis and Fawthrop 1983).
    """
    swapped = (
        word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        for i in range(1, len(word) - 1)
        if word[i] != word[i + 1]
    )
    changed = chain(
        (word[:i] + word[i + 1 :] for i in range(1, len(word))),
        (word[:i] + c + word[i:] for i in range(1, len(word) + 1) for c in _ALPHABET),
    )
    for slips, least in ((swapped, _LIKELY_SWAPPED), (changed, _LIKELY)):
        better = likeliest(slips, vocabulary)
        if better is not None and vocabulary.log_probability(better) > least:
            return better
    return None


def likeliest(words: Iterable[str], vocabulary: Vocabulary) -> str | None:
    """The commonest of some words, or nothing where none is on record."""
    tried = list(words)
    known = vocabulary.known(word for word in tried if len(word) > 2)
    brief = [word for word in tried if len(word) < 3 and is_word(word, vocabulary)]
    known += [(vocabulary.log_probability(word), word) for word in brief]
    return max(known)[1] if known else None
