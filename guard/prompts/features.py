"""Hashed character and word n-grams of a folded text, computed with a dozen numpy calls.

The feature hashing of Weinberger et al. (2009), without signs. Every feature remembers the
characters it came from, so that a weight can be laid back on the words that carry it.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BITS = 19
WORD_BUCKETS = 1 << _BITS  # words and pairs of words below, character n-grams from here up
BUCKETS = 2 * WORD_BUCKETS
_SIZES = (3, 4, 5)  # characters of an n-gram, spaces included
_PRIME = np.uint32(16_777_619)  # FNV's prime, for 32 bits
_MIX = np.uint32(2_654_435_761)  # Knuth's multiplicative hash
_PAIR = np.uint32(0x5BD1E995)  # keeps a pair of words apart from a word of the same hash
_MAX_WORD = 64  # letters of a word that count towards its hash
_SPACE = 32
_NO_WORD = re.compile(r"[\W_]")

_POWERS = np.ones(_MAX_WORD + 1, dtype=np.uint32)
_POWERS[1:] = np.cumprod(np.full(_MAX_WORD, _PRIME, dtype=np.uint32), dtype=np.uint32)


class Occurrences(NamedTuple):
    """Every occurrence of every feature: its bucket and the characters [start, end) it covers."""

    buckets: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def _codes(text: str) -> NDArray[np.uint32]:
    """Code points with a space either side; all that is no letter or digit is a space."""
    cleaned = _NO_WORD.sub(" ", f" {text} ")
    return np.frombuffer(cleaned.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _bucket(hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
    mixed = (hashes ^ (hashes >> np.uint32(15))) * _MIX
    return (mixed >> np.uint32(32 - _BITS)).astype(np.int64)


def occurrences(text: str) -> Occurrences:
    """All word n-grams (1, 2) and character n-grams (3 to 5) of a folded text, with their place."""
    codes = _codes(text)
    letters = codes != _SPACE
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    buckets, firsts, lasts = [], [], []
    if len(starts):
        at = np.arange(len(codes))
        begins = np.zeros(len(codes), dtype=np.int64)
        begins[starts] = starts
        place = np.minimum(at - np.maximum.accumulate(begins), _MAX_WORD)
        terms = np.where(letters, codes * _POWERS[place], np.uint32(0))
        words = np.add.reduceat(terms, starts).astype(np.uint32)
        pairs = words[:-1] * _PRIME + (words[1:] ^ (words[1:] >> np.uint32(7)))
        buckets += [_bucket(words), _bucket(pairs ^ _PAIR)]
        firsts += [starts, starts[:-1]]
        lasts += [ends, ends[1:]]
    # Runs of spaces add nothing: n-grams are taken over single ones.
    kept = np.flatnonzero(letters | np.append(True, letters[:-1]))
    stream = codes[kept]
    for size in _SIZES:
        count = len(stream) - size + 1
        if count <= 0:
            continue
        hashes = np.full(count, size, dtype=np.uint32)
        for i in range(size):
            hashes = (hashes ^ stream[i : i + count]) * _PRIME
        buckets.append(_bucket(hashes) + WORD_BUCKETS)
        firsts.append(kept[:count])
        lasts.append(kept[size - 1 :] + 1)
    if not buckets:
        nothing = np.zeros(0, dtype=np.int64)
        return Occurrences(nothing, nothing, nothing)
    limit = len(codes) - 2  # drop the space that was put either side
    return Occurrences(
        np.concatenate(buckets),
        np.minimum(np.maximum(np.concatenate(firsts) - 1, 0), limit),
        np.minimum(np.maximum(np.concatenate(lasts) - 1, 0), limit),
    )


def features(text: str) -> NDArray[np.int64]:
    """The distinct buckets of a folded text, ascending; those below ``WORD_BUCKETS`` are words."""
    return distinct(occurrences(text).buckets)


def distinct(buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different buckets among some, ascending; np.unique takes eight times as long."""
    ascending = np.sort(buckets)
    first = np.ones(len(ascending), dtype=np.bool_)
    first[1:] = ascending[1:] != ascending[:-1]
    return ascending[first]
