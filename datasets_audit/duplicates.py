"""What nearly agrees: hashes few bits apart, and what chains of them lead to.

Up to BRUTE_FORCE_LIMIT hashes every pair is compared. Above it, two hashes meet if they agree in
any of several samples of their bits (bit sampling: Indyk and Motwani 1998). Of PDQ each sample has
as many bits as the number of hashes, so that a bucket of strangers holds one; how many pairs are
found whose bits differ at random, ``benchmarks/audit.py`` prints and docs/audit.md has. Of hashes
of one word the samples are its quarters.

Hashes lie in a file. More than HELD of them are dealt into parts by their sampled bits, sample by
sample, so that those which agree lie in one part, and a part is held at a time: what grows in
memory is four bytes for each hash.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets_audit.components import Components, Places
from provenance.fingerprint import MATCH_DISTANCE

PDQ_WORDS: Final = 4  # of 64 bits
BRUTE_FORCE_LIMIT: Final = 8_000  # hashes; 32 million pairs, about a CPU-second
TABLES: Final = 48  # samples of bits, of as many hashes as have numbers of TABLES_BITS bits
TABLES_BITS: Final = 20
SPARED: Final = 1 - MATCH_DISTANCE / 256  # the share of bits in which a near copy does not differ
MAX_BUCKET: Final = 2_000  # hashes; bits that more share (a common frame, a logo) say little
HELD: Final = 1 << 20  # hashes in memory at once, some 100 bytes each
MAX_PARTS: Final = 500  # files that are open at once

Words = NDArray[np.uint64]
"""(n, words + 1): the words of a hash and its index, a row for each."""

_SEED: Final = 1998  # of the samples: the same hashes always give the same groups
_COMPARED: Final = 1 << 16  # pairs at once; bounds memory
_BRUTE_FORCE_ROWS: Final = 256  # compared with all others at once; bounds memory
_SETTLED: Final = (16, 64, 256, 1024)  # places apart at which runs that hang together are dropped
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: deals keys evenly


class _Sample(NamedTuple):
    """``runs`` of bits in each word of a hash, from ``shifts`` on."""

    shifts: tuple[int, ...]
    runs: tuple[int, ...]

    def keys(self, words: Words) -> NDArray[np.uint64]:
        """(n,) the sampled bits."""
        keys = np.zeros(len(words), np.uint64)
        for word, (shift, run) in enumerate(zip(self.shifts, self.runs, strict=True)):
            keys <<= np.uint64(run)
            keys |= (words[:, word] >> np.uint64(shift)) & np.uint64((1 << run) - 1)
        return keys


def near_groups(
    hashes: Path,
    max_distance: int = MATCH_DISTANCE,
    *,
    words: int = PDQ_WORDS,
    max_bucket: int = MAX_BUCKET,
    held: int = HELD,
) -> Iterator[Places]:
    """The group of each hash: the smallest index that pairs within ``max_distance`` lead to.

    ``hashes``: a file of 8 x ``words`` bytes for each, fewer than 2^32. ``max_distance``: in bits.
    ``max_bucket``: places between two that agree in a sample, beyond which they are not compared.
    ``held``: hashes in memory at once. Yields the groups in order, ``held`` at a time.
    """
    count = hashes.stat().st_size // (8 * words)
    found = Components(count)
    if count <= BRUTE_FORCE_LIMIT:
        for all_of_them in _blocks(hashes, words, BRUTE_FORCE_LIMIT):
            _compare_all(all_of_them, max_distance, found)
    else:
        whole = next(_blocks(hashes, words, held)) if count <= held else None
        for sample in _samples(count, words):
            parts = _dealt(hashes, words, count, sample, held) if whole is None else (whole,)
            for part in parts:
                _compare_equal(part, sample.keys(part), max_distance, max_bucket, found)
    for start in range(0, count, held):
        yield found.roots(np.arange(start, min(start + held, count), dtype=np.uint32))


def _samples(count: int, words: int) -> list[_Sample]:
    if words == 1:
        return [_Sample((shift,), (16,)) for shift in (0, 16, 32, 48)]
    bits = count.bit_length()
    runs = [bits // words + (word < bits % words) for word in range(words)]
    # Each bit more is one that a near copy may differ in, so there are more samples.
    tables = ceil(TABLES * SPARED ** -max(0, bits - TABLES_BITS))
    shifts = np.random.default_rng(_SEED).integers(0, [65 - run for run in runs], (tables, words))
    return [_Sample(tuple(row), tuple(runs)) for row in shifts.tolist()]


def _blocks(hashes: Path, words: int, size: int) -> Iterator[Words]:
    """The hashes in order with their indices, ``size`` at a time."""
    with hashes.open("rb") as file:
        start = 0
        while data := file.read(size * 8 * words):
            block = np.empty((len(data) // (8 * words), words + 1), np.uint64)
            block[:, :words] = np.frombuffer(data, np.uint64).reshape(-1, words)
            block[:, words] = np.arange(start, start + len(block), dtype=np.uint64)
            start += len(block)
            yield block


def _dealt(hashes: Path, words: int, count: int, sample: _Sample, held: int) -> Iterator[Words]:
    """The hashes in parts, those with equal keys in one.

    A part that outgrows memory, since many share its bits, comes in several pieces, each with the
    end of the one before, so that what all share is not torn apart.
    """
    parts = min(MAX_PARTS, -(-2 * count // held))
    with TemporaryDirectory(dir=hashes.parent) as name, ExitStack() as stack:
        paths = [Path(name) / f"{part}" for part in range(parts)]
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for block in _blocks(hashes, words, held // 4):
            spread = (sample.keys(block) * _SPREAD) >> np.uint64(48)
            part = (spread * np.uint64(parts) >> np.uint64(16)).astype(np.uint16)
            ends = np.cumsum(np.bincount(part, minlength=parts))
            dealt = block[np.argsort(part, kind="stable")]
            for file, start, end in zip(files, [0, *ends[:-1]], ends, strict=True):
                file.write(dealt[start:end].data)
        for file, path in zip(files, paths, strict=True):
            file.close()
            kept = np.empty((0, words + 1), np.uint64)
            with path.open("rb") as again:
                while data := again.read(held * 8 * (words + 1)):
                    piece = np.frombuffer(data, np.uint64).reshape(-1, words + 1)
                    yield np.concatenate([kept, piece]) if len(kept) else piece
                    kept = piece[-min(MAX_BUCKET, held // 4) :]
            path.unlink()


def _distance(one: Words, other: Words) -> NDArray[np.uint16]:
    """Hamming distance of the hashes, over the last axis; their indices do not count."""
    differing = np.bitwise_count(one ^ other)
    # Added up as columns: a sum over an axis of four is several times as slow.
    distance = differing[..., 0].astype(np.uint16)
    for word in range(1, differing.shape[-1] - 1):
        distance += differing[..., word]
    return np.asarray(distance, np.uint16)


def _compare_all(hashes: Words, limit: int, found: Components) -> None:
    for start in range(0, len(hashes), _BRUTE_FORCE_ROWS):
        rest = hashes[start:]
        near = _distance(rest[:_BRUTE_FORCE_ROWS, None], rest[None]) <= limit
        left, right = np.nonzero(near)
        found.join((left + start).astype(np.uint32), (right + start).astype(np.uint32))


def _compare_equal(
    words: Words, keys: NDArray[np.uint64], limit: int, max_bucket: int, found: Components
) -> None:
    """Join what is near among those of equal ``keys``, 1, 2, 3 ... places apart."""
    place_bits = np.uint64(len(keys).bit_length())
    below = np.uint64((1 << len(keys).bit_length()) - 1)
    # Key and place in one number: sorting it is several times as fast as argsort.
    keys <<= place_bits
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    order = (keys & below).astype(np.uint32)
    keys >>= place_bits
    starts = np.flatnonzero(keys[1:] == keys[:-1])
    for shift in range(1, max_bucket):
        if shift in _SETTLED and len(starts):
            starts = _unsettled(starts, keys, words[order, -1].astype(np.uint32), found)
        if not len(starts):
            return
        for part in range(0, len(starts), _COMPARED):
            at = starts[part : part + _COMPARED]
            left, right = (np.take(words, order[one], axis=0) for one in (at, at + shift))
            near = _distance(left, right) <= limit
            found.join(left[near, -1].astype(np.uint32), right[near, -1].astype(np.uint32))
        # What is not equal at one distance is not at the next: the runs that are left shrink fast.
        starts = starts[: np.searchsorted(starts, len(keys) - shift - 1)]
        starts = starts[keys[starts + shift + 1] == keys[starts]]


def _unsettled(
    starts: NDArray[np.int64], keys: NDArray[np.uint64], indices: Places, found: Components
) -> NDArray[np.int64]:
    """Those of ``starts`` in whose run of equal keys not everything hangs together yet."""
    roots = found.roots(indices)
    changes = np.concatenate([[0], np.cumsum(roots[1:] != roots[:-1])])
    first = np.searchsorted(keys, keys[starts], "left")
    last = np.searchsorted(keys, keys[starts], "right") - 1
    return np.asarray(starts[changes[first] != changes[last]])
