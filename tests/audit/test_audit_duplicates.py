"""Copies: every pair within reach is found, and grouped."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_audit import duplicates
from datasets_audit.duplicates import Hashes, groups, near_pairs

hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=12).map(
    lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 32)
)


def by_counting(given_hashes: Hashes, limit: int) -> list[list[int]]:
    numbers = [int.from_bytes(row.tobytes(), "big") for row in given_hashes]
    return [
        [a, b]
        for a, b in combinations(range(len(numbers)), 2)
        if (numbers[a] ^ numbers[b]).bit_count() <= limit
    ]


def flipped(row: Hashes, bits: int, rng: np.random.Generator) -> Hashes:
    unpacked = np.unpackbits(row)
    unpacked[rng.choice(256, bits, replace=False)] ^= 1
    return np.packbits(unpacked)


@given(hashes, st.integers(0, 256))
def test_every_pair_within_the_limit_is_found_and_no_other(given_: Hashes, limit: int) -> None:
    assert near_pairs(given_, limit).tolist() == by_counting(given_, limit)


@pytest.fixture
def samples_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BRUTE_FORCE_LIMIT", 0)


@pytest.mark.usefixtures("samples_only")
@pytest.mark.parametrize(("bits", "recall"), [(0, 1.0), (15, 1.0), (24, 0.97), (31, 0.9)])
def test_samples_find_as_much_as_they_promise(bits: int, recall: float) -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (1000, 32), dtype=np.uint8)
    second = np.stack([flipped(row, bits, rng) for row in first])
    found = near_pairs(np.concatenate([first, second]))
    assert {tuple(pair) for pair in found.tolist()} <= {(at, at + 1000) for at in range(1000)}
    assert len(found) / 1000 >= recall


def test_groups_follow_chains_and_are_named_by_their_first() -> None:
    pairs = np.array([[1, 3], [3, 4], [0, 5]])
    assert groups(6, pairs).tolist() == [0, 1, 2, 1, 1, 0]


def test_without_pairs_everyone_stands_alone() -> None:
    assert groups(3, np.empty((0, 2), np.int64)).tolist() == [0, 1, 2]
