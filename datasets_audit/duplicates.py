"""Pictures that are nearly the same: PDQ hashes at most 31 bits apart, joined through bands.

Up to BRUTE_FORCE_LIMIT hashes every pair is compared. Above it, two hashes meet if any of their 16
bands of 16 bits is equal: certain up to 15 differing bits, and for 31 bits that differ anywhere at
random 91 % (docs/audit.md has the curve).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.fingerprint import MATCH_DISTANCE

HASH_BYTES: Final = 32
BRUTE_FORCE_LIMIT: Final = 8_000  # hashes; 32 million pairs, about a CPU-second
BANDS: Final = 16  # of 16 bits
MAX_BUCKET: Final = 2_000  # hashes; a band that more share (a common frame, a logo) says little

Hashes = NDArray[np.uint8]
"""(n, 32): one PDQ hash a row."""

Pairs = NDArray[np.int64]
"""(m, 2): indices into the hashes, the smaller first, sorted, each pair once."""

_BRUTE_FORCE_ROWS: Final = 256  # compared with all others at once; bounds memory


def near_pairs(hashes: Hashes, max_distance: int = MATCH_DISTANCE) -> Pairs:
    """Pairs at most ``max_distance`` bits (0..256) apart."""
    words = np.ascontiguousarray(hashes).view(np.uint64).reshape(len(hashes), 4)
    meet = _by_brute_force if len(hashes) <= BRUTE_FORCE_LIMIT else _by_bands
    found = list(meet(words, max_distance))
    return np.unique(np.concatenate([*found, np.empty((0, 2), dtype=np.int64)]), axis=0)


def groups(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """(count,) the group of each index: the smallest index that pairs lead to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    first = np.full(count, count, dtype=np.int64)
    np.minimum.at(first, labels, np.arange(count))
    return np.asarray(first[labels], dtype=np.int64)


def _distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Hamming distance over the last axis of 4 words."""
    return np.asarray(np.bitwise_count(a ^ b).sum(axis=-1), dtype=np.uint16)


def _by_brute_force(words: NDArray[np.uint64], limit: int) -> Iterator[Pairs]:
    for start in range(0, len(words), _BRUTE_FORCE_ROWS):
        rest = words[start:]
        near = _distance(rest[:_BRUTE_FORCE_ROWS, None], rest[None]) <= limit
        pairs = np.argwhere(near)
        yield pairs[pairs[:, 0] < pairs[:, 1]] + start


def _by_bands(words: NDArray[np.uint64], limit: int) -> Iterator[Pairs]:
    bands = words.view(np.uint16)
    for band in range(BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        # Neighbours in the sorted band 1, 2, 3 ... places apart, as long as any are equal.
        for shift in range(1, MAX_BUCKET):
            equal = np.flatnonzero(values[shift:] == values[:-shift])
            if not len(equal):
                break
            left, right = order[equal], order[equal + shift]
            near = _distance(words[left], words[right]) <= limit
            yield np.sort(np.stack([left[near], right[near]], axis=1), axis=1)
