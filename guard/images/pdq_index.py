"""Which of millions of PDQ hashes is within the match distance of a query? Exact, in milliseconds.

Multi-index hashing (Norouzi, Punjani and Fleet 2012) in two steps. The 256 bits are cut into
stretches, each with a radius, and two hashes at most 31 bits apart are within the radius in some
stretch: to be beyond it in all of them takes 32 bits. A stretch has two halves, and whoever is
within its radius nearly agrees in one of them: a table of that half's values names the rows, and
with each row lie the bits of the other half, so that all but a few are dropped without their hash
being looked up. What is left is compared in full.
"""

from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.fingerprint import MATCH_DISTANCE

MANY: Final = 1 << 18  # hashes from which longer halves cost less
_WORD: Final = 64
_ROW_BITS: Final = 32

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]


class Nearest(NamedTuple):
    """A row and its distance in bits, 0..256."""

    row: int
    distance: int


class _Half(NamedTuple):
    """``width`` bits, looked up within ``radius`` of a query."""

    width: int
    radius: int


class _Stretch(NamedTuple):
    """Two halves side by side. Within ``radius`` of both together means near in one of them."""

    first: _Half
    second: _Half
    radius: int


# Radii and widths: as few values to look up and as few rows for each as the number allows.
_FEW: Final = (_Stretch(_Half(16, 1), _Half(16, 1), 3),) * 8
_LONG: Final = _Stretch(_Half(23, 2), _Half(20, 1), 4)
_EVEN: Final = _Stretch(_Half(21, 2), _Half(21, 2), 5)
_LOTS: Final = (_LONG,) * 4 + (_EVEN,) * 2


class _Table(NamedTuple):
    """One half. ``entries``: sorted by its value, a row and above it the other half's bits;
    ``begins``: where each value starts. ``near``: what a query's value is flipped by, each with
    the bits that ``left`` the other half may still differ by."""

    start: int
    width: int
    other_start: int
    other_width: int
    entries: Numbers
    begins: NDArray[np.int32]
    near: Numbers
    left: Numbers


class PdqIndex:
    """An index over (n, 4) uint64, n < 2^31. Building sorts them once for each half.

    Takes 96 to 128 bytes a hash beyond the 32 of the hash itself, and up to 185 MB for tables.
    """

    def __init__(self, hashes: Words) -> None:
        self._hashes = np.ascontiguousarray(hashes)
        self._tables: list[_Table] = []
        start = 0
        for first, second, radius in _LOTS if len(hashes) >= MANY else _FEW:
            middle = start + first.width
            self._tables += (
                self._table(start, first, middle, second.width, radius),
                self._table(middle, second, start, first.width, radius),
            )
            start = middle + second.width

    def nearest(self, queries: Words) -> Nearest | None:
        """The row nearest to any of ``queries`` (m, 4); None where none is in MATCH_DISTANCE."""
        found = [_candidates(table, queries) for table in self._tables]
        rows = np.concatenate([rows for rows, _ in found])
        if not len(rows):
            return None
        asked = np.concatenate([asked for _, asked in found])
        apart = np.bitwise_count(self._hashes[rows] ^ queries[asked])
        distances = apart.sum(axis=1, dtype=np.uint16)
        best = int(distances.min())
        if best > MATCH_DISTANCE:
            return None
        return Nearest(int(rows[distances == best].min()), best)

    def _table(
        self, start: int, half: _Half, other_start: int, other_width: int, radius: int
    ) -> _Table:
        values = _bits(self._hashes, start, half.width)
        # Sorting numbers is several times as fast as sorting by them: the row rides along below.
        rows = np.sort((values << _ROW_BITS) | np.arange(len(values))) & ((1 << _ROW_BITS) - 1)
        other = _bits(self._hashes, other_start, other_width)
        begins = np.zeros((1 << half.width) + 1, np.int32)
        np.cumsum(np.bincount(values, minlength=1 << half.width), out=begins[1:])
        near = np.array(
            [
                sum(1 << bit for bit in flipped)
                for flips in range(half.radius + 1)
                for flipped in combinations(range(half.width), flips)
            ],
            np.int64,
        )
        return _Table(
            start=start,
            width=half.width,
            other_start=other_start,
            other_width=other_width,
            entries=(other[rows] << _ROW_BITS) | rows,
            begins=begins,
            near=near,
            left=radius - np.bitwise_count(near).astype(np.int64),
        )


def _candidates(table: _Table, queries: Words) -> tuple[Numbers, Numbers]:
    """Rows within the stretch's radius of a query, and which query that is."""
    values = _bits(queries, table.start, table.width)[:, None] ^ table.near
    begins = table.begins[values]
    counts = (table.begins[values + 1] - begins).ravel()
    probe = np.repeat(np.arange(counts.size), counts)
    before = np.cumsum(counts) - counts
    entries = table.entries[np.arange(len(probe)) + (begins.ravel() - before)[probe]]
    asked, flipped = np.divmod(probe, len(table.near))
    other = _bits(queries, table.other_start, table.other_width)[asked]
    stays = np.bitwise_count((entries >> _ROW_BITS) ^ other) <= table.left[flipped]
    return entries[stays] & ((1 << _ROW_BITS) - 1), asked[stays]


def _bits(hashes: Words, start: int, width: int) -> Numbers:
    """(n,) the ``width`` bits from ``start`` on, counted over the words in their order."""
    word, within = divmod(start, _WORD)
    value = hashes[:, word] >> np.uint64(within)
    if within + width > _WORD:
        value = value | (hashes[:, word + 1] << np.uint64(_WORD - within))
    return (value & np.uint64((1 << width) - 1)).astype(np.int64)
