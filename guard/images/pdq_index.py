"""Which of millions of PDQ hashes is within the match distance of a query? Exact, in milliseconds.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): 256 bits are cut into parts, and two hashes
at most 31 bits apart agree in some part up to 31 // parts bits. Each part has a table of its
values, so only hashes that nearly agree in a part are looked at in full. The parts have about as
many bits as the number of hashes, so that a value of a part is shared by few.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.fingerprint import BITS, MATCH_DISTANCE

MANY: Final = 1 << 18  # hashes from which wider parts cost less
_PARTS_OF_FEW, _PARTS_OF_MANY = 16, 11  # of 16 bits to look at within 1, of 23 or 24 within 2
_WORD: Final = 64

Words = NDArray[np.uint64]


class Nearest(NamedTuple):
    """A row and its distance in bits, 0..256."""

    row: int
    distance: int


class _Table(NamedTuple):
    """One part: rows sorted by its value, where each value begins, and the values near zero."""

    start: int
    width: int
    rows: NDArray[np.int32]
    begins: NDArray[np.int32]
    near: NDArray[np.int64]


class PdqIndex:
    """An index over (n, 4) uint64, n < 2^31. Building sorts them once for each part.

    Takes 44 to 64 bytes a hash beyond the 32 of the hash itself.
    """

    def __init__(self, hashes: Words) -> None:
        self._hashes = np.ascontiguousarray(hashes)
        parts = _PARTS_OF_MANY if len(hashes) >= MANY else _PARTS_OF_FEW
        edges = [BITS * i // parts for i in range(parts + 1)]
        self._tables = [
            self._table(start, end - start, MATCH_DISTANCE // parts)
            for start, end in pairwise(edges)
        ]

    def nearest(self, queries: Words) -> Nearest | None:
        """The row nearest to any of ``queries`` (m, 4); None where none is in MATCH_DISTANCE."""
        found = list(self._candidates(queries))
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

    def _candidates(self, queries: Words) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Rows that nearly agree with a query in a part, and which query that is."""
        for table in self._tables:
            values = _part(queries, table.start, table.width)
            near = (values[:, None] ^ table.near[None, :]).ravel()
            asked = np.repeat(np.arange(len(queries)), len(table.near))
            begins = table.begins[near]
            counts = table.begins[near + 1] - begins
            some = counts > 0
            begins, counts, asked = begins[some], counts[some], asked[some]
            steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            yield table.rows[np.repeat(begins, counts) + steps], np.repeat(asked, counts)

    def _table(self, start: int, width: int, radius: int) -> _Table:
        values = _part(self._hashes, start, width)
        # Sorting numbers is several times as fast as sorting by them: the row rides along below.
        both = np.sort((values << 32) | np.arange(len(values)))
        rows = (both & 0xFFFFFFFF).astype(np.int32)
        counts = np.bincount(values, minlength=1 << width)
        begins = np.zeros((1 << width) + 1, np.int32)
        np.cumsum(counts, out=begins[1:])
        masks = [
            sum(1 << bit for bit in flipped)
            for flips in range(radius + 1)
            for flipped in combinations(range(width), flips)
        ]
        return _Table(start, width, rows, begins, np.array(masks, np.int64))


def _part(hashes: Words, start: int, width: int) -> NDArray[np.int64]:
    """(n,) the ``width`` bits from ``start`` on, counted over the words in their order."""
    word, within = divmod(start, _WORD)
    value = hashes[:, word] >> np.uint64(within)
    if within + width > _WORD:
        value = value | (hashes[:, word + 1] << np.uint64(_WORD - within))
    return (value & np.uint64((1 << width) - 1)).astype(np.int64)
