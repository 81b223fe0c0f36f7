"""What the model is shown of a prompt: windows of those of its readings that are words."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from guard.prompts.reading import Reading
from guard.prompts.vocabulary import Vocabulary

WINDOW = 500  # characters of a folded text that are read at once: never more than 502 tokens
_STRIDE = 250  # characters; half a window, so that no phrase is cut in every one
# Of what differs, and at least so many characters to either side: with 60, 150 harmless prompts of
# two readings were flagged as often as with the whole, and as many disguised ones were found.
_AROUND = 60
# Nine ordinary prompts in ten have .85 or more of their letters in words on record; spelled out, in
# leet, in code or backwards they have less than .4, and what is recovered of them .7 or more.
_NOISE = 0.4
_WORDS = 0.7

_WORD = re.compile(r"[^\W_]+")


class Window(NamedTuple):
    """Characters [start, end) of a reading."""

    start: int
    end: int


class View(NamedTuple):
    """What the model sees at once: one window of one reading."""

    reading: Reading
    window: Window

    @property
    def text(self) -> str:
        return self.reading.text[self.window.start : self.window.end]


def views(readings: Sequence[Reading], vocabulary: Vocabulary) -> list[View]:
    """The first legible reading in full; of every further one where it differs from the first.

    What both say has been read once: a second reading costs what it adds.
    """
    first, *further = legible(readings, vocabulary)
    whole = [(first, Window(0, len(first.text)))]
    parts = whole + [(each, _apart(first.text, each.text)) for each in further]
    return [View(reading, window) for reading, part in parts for window in windows(part)]


def windows(part: Window) -> list[Window]:
    """Overlapping windows that cover a part of a text; one for all but long prompts."""
    last = max(part.end - WINDOW, part.start)
    starts = [*range(part.start, last, _STRIDE), last]
    return [Window(start, min(start + WINDOW, part.end)) for start in starts]


def _apart(first: str, text: str) -> Window:
    """Where ``text`` differs from ``first``, with ``_AROUND`` characters, up to whole words."""
    shorter = min(len(first), len(text))
    start = next((i for i in range(shorter) if first[i] != text[i]), shorter)
    alike = next(
        (i for i in range(shorter - start) if first[-1 - i] != text[-1 - i]), shorter - start
    )
    start = max(start - _AROUND, 0)
    end = len(text) - alike + _AROUND
    space = text.find(" ", end)
    return Window(text.rfind(" ", 0, start) + 1, space if space >= 0 else len(text))


def legible(readings: Sequence[Reading], vocabulary: Vocabulary) -> list[Reading]:
    """The readings to score: all but noise, where one of them is words, and the same words once.

    What a disguise leaves of a harmless prompt is like nothing that the model has seen, and a model
    that is at a loss is no witness. Rules read every reading.
    """
    if len(readings) == 1:
        return list(readings)
    shares = [_share_of_words(reading.text, vocabulary) for reading in readings]
    least = _NOISE if max(shares) >= _WORDS else 0.0
    kept: dict[tuple[str, ...], Reading] = {}
    for reading, share in zip(readings, shares, strict=True):
        if share >= least:
            kept.setdefault(tuple(_WORD.findall(reading.text)), reading)
    return list(kept.values())


def _share_of_words(text: str, vocabulary: Vocabulary) -> float:
    """Of the letters and digits of a folded text, how many stand in words on record."""
    words = _WORD.findall(text)
    letters = sum(map(len, words))
    return sum(len(word) for word in words if vocabulary.knows(word)) / max(letters, 1)
