"""Copies: every pair within reach is found, and what hangs together is one group."""

# ruff: noqa: S608 - made of words of this file

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from datasets_audit import duplicates
from datasets_audit.alike import alike
from datasets_audit.components import Components
from datasets_audit.duplicates import near_groups

Hashes = NDArray[np.uint8]

hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=12).map(
    lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 32)
)


def grouped(given_hashes: Hashes, **how: int) -> list[int]:
    with TemporaryDirectory() as name:
        file = Path(name) / "hashes"
        file.write_bytes(given_hashes.tobytes())
        return [int(one) for block in near_groups(file, **how) for one in block]


def by_counting(given_hashes: Hashes, limit: int) -> list[int]:
    """The smallest of each connected component of the pairs that counting bits gives."""
    numbers = [int.from_bytes(row.tobytes(), "big") for row in given_hashes]
    pairs = [
        (a, b)
        for a, b in combinations(range(len(numbers)), 2)
        if (numbers[a] ^ numbers[b]).bit_count() <= limit
    ]
    return smallest_of_each(len(numbers), pairs)


def smallest_of_each(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    graph = coo_array((np.ones(len(pairs)), (left, right)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return [list(labels).index(label) for label in labels]


def flipped(row: Hashes, bits: int, rng: np.random.Generator) -> Hashes:
    unpacked = np.unpackbits(row)
    unpacked[rng.choice(8 * len(row), bits, replace=False)] ^= 1
    return np.packbits(unpacked)


@given(hashes, st.integers(0, 256))
def test_whoever_hangs_together_by_counting_is_one_group(given_: Hashes, limit: int) -> None:
    assert grouped(given_, max_distance=limit) == by_counting(given_, limit)


pairs = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.lists(st.tuples(*[st.integers(0, count - 1)] * 2), max_size=20), max_size=5),
    )
)


@given(pairs)
def test_components_are_those_of_the_graph_in_whatever_batches(
    given_: tuple[int, list[list[tuple[int, int]]]],
) -> None:
    count, batches = given_
    found = Components(count)
    for batch in batches:
        found.join(*(np.array([one[side] for one in batch], np.uint32) for side in (0, 1)))
    every = [pair for batch in batches for pair in batch]
    assert found.roots(np.arange(count, dtype=np.uint32)).tolist() == smallest_of_each(count, every)


def test_a_chain_of_a_million_is_followed_to_its_end() -> None:
    count = 1_000_000
    found = Components(count)
    found.join(np.arange(1, count, dtype=np.uint32), np.arange(count - 1, dtype=np.uint32))
    assert not found.roots(np.arange(count, dtype=np.uint32)).any()


@pytest.fixture
def samples_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BRUTE_FORCE_LIMIT", 0)


@pytest.mark.usefixtures("samples_only")
@pytest.mark.parametrize("held", [1 << 20, 300])
@pytest.mark.parametrize(("bits", "recall"), [(0, 1.0), (15, 1.0), (24, 0.97), (31, 0.9)])
def test_samples_find_as_much_as_they_promise(bits: int, recall: float, held: int) -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (1000, 32), dtype=np.uint8)
    second = np.stack([flipped(row, bits, rng) for row in first])
    found = grouped(np.concatenate([first, second]), held=held)
    assert found[:1000] == list(range(1000))
    together = [number for number, group in enumerate(found[1000:]) if group == number]
    assert {*found[1000:]} <= {*range(2000)}
    assert len(together) / 1000 >= recall
    alone = [group for number, group in enumerate(found[1000:]) if group != number]
    assert all(group >= 1000 for group in alone), "strangers were put together"


@pytest.mark.usefixtures("samples_only")
def test_parts_on_disk_find_what_memory_finds() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 256, (400, 32), dtype=np.uint8)
    near = np.stack([flipped(base[at % 400], int(rng.integers(0, 32)), rng) for at in range(2000)])
    assert grouped(near, held=1 << 20) == grouped(near, held=500)


@pytest.mark.usefixtures("samples_only")
def test_copies_without_end_are_one_group_and_soon_done() -> None:
    rng = np.random.default_rng(3)
    one = rng.integers(0, 256, (1, 32), dtype=np.uint8)
    assert {*grouped(np.repeat(one, 50_000, axis=0))} == {0}
    assert {*grouped(np.repeat(one, 5_000, axis=0), held=600)} == {0}


@pytest.mark.usefixtures("samples_only")
def test_words_three_bits_apart_always_meet() -> None:
    rng = np.random.default_rng(4)
    first = rng.integers(0, 256, (500, 8), dtype=np.uint8)
    second = np.stack([flipped(row, 3, rng) for row in first])
    found = grouped(np.concatenate([first, second]), words=1, max_distance=4, max_bucket=64)
    assert found[500:] == list(range(500))


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute("SET preserve_insertion_order = false")
        yield opened


def test_rows_come_back_with_those_they_are_like(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    given_ = "('a', '00'), ('b', 'ff'), ('c', '01'), ('d', '0f'), ('e', 'fe')"
    rows = f"(VALUES {given_}) AS r(key, low)"
    query = f"SELECT key, unhex(repeat('00', 7) || low) AS hash FROM {rows} ORDER BY key"
    with alike(connection, query, tmp_path, max_distance=1, words=1, max_bucket=9) as found:
        every = connection.sql(f"SELECT key, nth FROM {found.rows} ORDER BY nth").fetchall()
        together = connection.sql(f"SELECT key, first FROM {found.groups} ORDER BY key").fetchall()
    assert every == [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]
    assert together == [("a", 0), ("b", 1), ("c", 0), ("e", 1)]
    assert not [*tmp_path.iterdir()]
