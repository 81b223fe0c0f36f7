"""Repairing: undoes what people do to single words to slip past a filter.

Letters spelled out ("k i l l", "k.i.l.l"), leet ("k1ll"), separators inside a word ("ki-ll"),
words cut in two ("ki ll") or glued together, letters repeated. A repair is made only where it turns
something that is no word into words, so that "8 k, 35mm, f/1.8" and names stay what they are.
Works on folded readings.
"""

import re
from collections.abc import Iterator
from itertools import chain, product

from guard.prompts.reading import Edit, Reading
from guard.prompts.vocabulary import Vocabulary

_LEET = str.maketrans("0123456789@$!|+€£¢", "oizeasgtbgasiltelc")
_LEET_L = str.maketrans("0123456789@$!|+€£¢", "olzeasgtbgaslltelc")
_LEET_MARKS = frozenset("0123456789@$!|+€£¢")
_MAX_LEET = 16  # characters; a longer unknown mix of letters and digits is a code
_MAX_TOKEN = 40  # characters; longer tokens are codes and addresses, not words
_MIN_JOINED = 4  # letters of a word that is believed to have been cut in two
_MAX_DOUBLED = 4  # runs of a letter in a word of which each may be one letter or two
_MIN_GLUED = 8  # letters from which an unknown word may be several glued together
_MIN_PART = 3  # letters of the shortest of them
_LIKELY = -11.0  # mean log probability a word from which a cut is believed (e^-11: 1 in 60,000)

_SPELLED = re.compile(
    r"(?<![^\W_])(?:[a-z0-9@$](?:[ .\-_*•,/\\~+'\"]{1,3})){2,}[a-z0-9@$](?![^\W_])"
)
_TOKEN = re.compile(r"[^\s,;:()\[\]{}<>\"']+")
_EDGES = ".!?*_-|/\\"
_NOT_LETTERS = re.compile(r"[^a-z]+")
_COUNTED = re.compile(r"\d+[a-z]{0,6}|[a-z]+\d+")  # 8k, 1girl, 35mm, mp4, sd15
_REPEATED = re.compile(r"([a-z])\1+")
_WORDS_APART = re.compile(r"(?<![a-z'])([a-z]{1,12}) (?=([a-z]{1,12})(?![a-z]))")


def repair(reading: Reading, vocabulary: Vocabulary) -> Reading:
    """The reading with its words repaired; the same object where there was nothing to repair.

    A plain reading becomes "repaired" where a word was disguised, "respaced" where words were only
    glued, cut or stretched, which honest people do too.
    """
    name = reading.name
    for find in (_spelled_out, _misspelt, _cut_in_two):
        edits = list(find(reading.text, vocabulary))
        if not edits:
            continue
        if reading.name == "plain":
            was = "".join(reading.text[edit.start : edit.end] for edit in edits)
            open_ = find is _cut_in_two or was.isalpha()
            name = "respaced" if open_ and name != "repaired" else "repaired"
        reading = reading.edited(reading.name, edits)
    return reading._replace(name=name) if name != reading.name else reading


def _spelled_out(text: str, vocabulary: Vocabulary) -> Iterator[Edit]:
    for match in _SPELLED.finditer(text):
        letters = "".join(c for c in match[0] if c.isalnum() or c in "@$").translate(_LEET)
        if sum(c.isalpha() for c in match[0]) < 3:
            continue
        cut = vocabulary.cut(letters)
        if cut.score > _LIKELY and max(map(len, cut.words)) > 2:
            yield Edit(match.start(), match.end(), " ".join(cut.words))


def _misspelt(text: str, vocabulary: Vocabulary) -> Iterator[Edit]:
    for match in _TOKEN.finditer(text):
        token = match[0].strip(_EDGES)
        if not 3 <= len(token) <= _MAX_TOKEN or vocabulary.knows(token):
            continue
        better = _respelt(token, vocabulary)
        if better is not None:
            start = match.start() + match[0].index(token)
            yield Edit(start, start + len(token), better)


def _respelt(token: str, vocabulary: Vocabulary) -> str | None:
    """The word or words that an unknown token stands for, if there are any."""
    pieces = [piece for piece in _NOT_LETTERS.split(token) if piece]
    if any(len(piece) >= _MIN_JOINED and vocabulary.knows(piece) for piece in pieces):
        return None  # open-mouthed, 1980s-style: words already
    bare = "".join(pieces)
    leet = not _COUNTED.fullmatch(token) and any(c in _LEET_MARKS for c in token)
    candidates = [bare]
    if leet:
        candidates += [_NOT_LETTERS.sub("", token.translate(table)) for table in (_LEET, _LEET_L)]
    for candidate in candidates:
        for word in _unstretched(candidate):
            if word != token and len(word) > 2 and vocabulary.knows(word):
                return word
    for candidate in candidates:
        if len(candidate) >= _MIN_GLUED:
            cut = vocabulary.cut(candidate)
            if cut.score > _LIKELY and min(map(len, cut.words)) >= _MIN_PART:
                return " ".join(cut.words)
    if leet and len(token) <= _MAX_LEET and 2 * len(bare) >= len(token):
        return candidates[1]  # no word that we know, but nearer to one
    return None


def _unstretched(word: str) -> Iterator[str]:
    """The word, then with every choice of its doubled letters made single."""
    yield word
    parts = re.split(r"(([a-z])\2+)", word)
    doubled = parts[1::3]
    if len(doubled) <= _MAX_DOUBLED:
        for choice in product(*((run, run[0]) for run in doubled)):
            yield "".join(chain.from_iterable(zip(parts[0::3], (*choice, ""), strict=True)))
    else:
        yield _REPEATED.sub(r"\1", word)


def _cut_in_two(text: str, vocabulary: Vocabulary) -> Iterator[Edit]:
    done = 0
    for match in _WORDS_APART.finditer(text):
        first, second = match.groups()
        if match.start() < done or (vocabulary.knows(first) and vocabulary.knows(second)):
            continue
        if first in "ai" or second in "ai":
            continue
        if len(first + second) >= _MIN_JOINED and vocabulary.knows(first + second):
            done = match.end(1) + 1 + len(second)
            yield Edit(match.start(), done, first + second)
