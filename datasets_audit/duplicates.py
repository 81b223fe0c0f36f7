"""Pictures that are nearly the same: PDQ hashes at most 31 bits apart.

Up to BRUTE_FORCE_LIMIT hashes every pair is compared. Above it, two hashes meet if they agree in
any of TABLES samples of bits, as many in each as there are bits in the number of hashes, so that
a bucket of strangers holds one (bit sampling: Indyk and Motwani 1998). How many pairs are found
whose bits differ at random, ``benchmarks/audit.py`` prints and docs/audit.md has.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.fingerprint import MATCH_DISTANCE

HASH_BYTES: Final = 32
BRUTE_FORCE_LIMIT: Final = 8_000  # hashes; 32 million pairs, about a CPU-second
TABLES: Final = 48  # samples of bits
SEGMENTS: Final = 4  # runs of bits in a sample, one of each 64-bit word
MAX_BUCKET: Final = 2_000  # hashes; bits that more share (a common frame, a logo) say little

Hashes = NDArray[np.uint8]
"""(n, 32): one PDQ hash a row."""

Pairs = NDArray[np.int64]
"""(m, 2): indices into the hashes, the smaller first, sorted, each pair once."""

_SEED: Final = 1998  # of the samples: the same hashes always give the same pairs
_COMPARED: Final = 1 << 16  # pairs at once; bounds memory
_BRUTE_FORCE_ROWS: Final = 256  # compared with all others at once; bounds memory


def near_pairs(hashes: Hashes, max_distance: int = MATCH_DISTANCE) -> Pairs:
    """Pairs at most ``max_distance`` bits (0..256) apart."""
    words = np.ascontiguousarray(hashes).view(np.uint64).reshape(len(hashes), 4)
    meet = _by_brute_force if len(hashes) <= BRUTE_FORCE_LIMIT else _by_samples
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


def _by_samples(words: NDArray[np.uint64], limit: int) -> Iterator[Pairs]:
    count = len(words)
    index_bits = np.uint64(count.bit_length())
    below = np.uint64((1 << count.bit_length()) - 1)
    run = -(-count.bit_length() // SEGMENTS)
    shifts = np.random.default_rng(_SEED).integers(0, 64 - run + 1, (TABLES, SEGMENTS), np.uint64)
    columns = [np.ascontiguousarray(words[:, word]) for word in range(SEGMENTS)]
    indices = np.arange(count, dtype=np.uint64)
    mask = np.uint64((1 << run) - 1)
    for table in shifts:
        keys = np.zeros(count, np.uint64)
        for column, shift in zip(columns, table, strict=True):
            keys <<= np.uint64(run)
            keys |= (column >> shift) & mask
        # Key and index in one number: sorting it is several times as fast as argsort.
        keys <<= index_bits
        keys |= indices
        keys.sort()
        order = (keys & below).astype(np.int64)
        keys >>= index_bits
        yield from _neighbours(words, keys, order, limit)


def _neighbours(
    words: NDArray[np.uint64], keys: NDArray[np.uint64], order: NDArray[np.int64], limit: int
) -> Iterator[Pairs]:
    """Pairs within runs of equal ``keys`` (sorted), 1, 2, 3 ... places apart."""
    starts = np.flatnonzero(keys[1:] == keys[:-1])
    for shift in range(1, MAX_BUCKET):
        if not len(starts):
            break
        for part in range(0, len(starts), _COMPARED):
            at = starts[part : part + _COMPARED]
            left, right = order[at], order[at + shift]
            apart = np.take(words, left, axis=0) ^ np.take(words, right, axis=0)
            differing = np.bitwise_count(apart)
            # Added up as columns: a sum over an axis of four is several times as slow.
            distance = differing[:, 0].astype(np.uint16)
            for word in range(1, SEGMENTS):
                distance += differing[:, word]
            near = np.flatnonzero(distance <= limit)
            yield np.sort(np.stack([left[near], right[near]], axis=1), axis=1)
        # What is not equal at one distance is not at the next: the runs that are left shrink fast.
        starts = starts[: np.searchsorted(starts, len(keys) - shift - 1)]
        starts = starts[keys[starts + shift + 1] == keys[starts]]
