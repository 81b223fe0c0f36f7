"""The words that an explanation takes out and leaves: pieces of what the person typed."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guard.assessment import Span

_TYPED = re.compile(r"(?<!\S)\S(?: \S(?!\S))+|\S+")  # letters spelled out stay together


class Piece(NamedTuple):
    """Characters [start, end) of a text, and where the next piece begins."""

    start: int
    end: int
    next: int


def pieces_of(text: str, within: tuple[int, int], spans: Iterable[Span], most: int) -> list[Piece]:
    """The words of the part ``within`` of a text, at most ``most``.

    What an assessor read as one ("k i l l") is one piece; of a part with more words, as many
    neighbours as needed are taken together.
    """
    ranges = [match.span() for match in _TYPED.finditer(text, *within)]
    for span in spans:
        touched = [i for i, r in enumerate(ranges) if r[0] < span.end and span.start < r[1]]
        if len(touched) > 1:
            first, last = touched[0], touched[-1]
            ranges[first : last + 1] = [(ranges[first][0], ranges[last][1])]
    together = -(-len(ranges) // most) if ranges else 1
    grouped = [ranges[i : i + together] for i in range(0, len(ranges), together)]
    nexts = [*(group[0][0] for group in grouped[1:]), within[1]]
    return [Piece(g[0][0], g[-1][1], after) for g, after in zip(grouped, nexts, strict=False)]


def parts_of(text: str, longest: int) -> list[tuple[int, int]]:
    """Overlapping ranges that cover a text, each of ``longest`` characters at most."""
    last = max(len(text) - longest, 0)
    starts = (*range(0, last, longest // 2), last)
    return [(start, min(start + longest, len(text))) for start in starts]


def kept(text: str, pieces: Sequence[Piece], stay: Iterable[bool]) -> str:
    """The text with only the pieces that ``stay``, each with the white space behind it."""
    return "".join(
        text[piece.start : piece.next] for piece, stays in zip(pieces, stay, strict=True) if stays
    ).rstrip()
