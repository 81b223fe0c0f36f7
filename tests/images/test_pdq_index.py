"""The index finds exactly what looking at each hash would find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.images import export_list, parse_list
from guard.images.known_list import KnownContentList
from guard.images.pdq_index import _FEW, _LOTS, MANY, PdqIndex, _Stretch
from provenance.fingerprint import BITS, MATCH_DISTANCE

FEW, LOTS = 3_000, MANY
HASHES = np.random.default_rng(1).integers(0, 2**64, (LOTS, 4), np.uint64)
INDICES = {count: PdqIndex(HASHES[:count]) for count in (FEW, LOTS)}


def flipped(hash_: np.ndarray, bits: list[int]) -> np.ndarray:
    result = hash_.copy()
    for bit in bits:
        result[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return result


@pytest.mark.parametrize("count", INDICES)
@given(row=st.integers(0, FEW - 1), data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_bits_differ_up_to_the_limit_it_is_found(
    count: int, row: int, data: st.DataObject
) -> None:
    bits = data.draw(
        st.lists(st.integers(0, 255), unique=True, max_size=MATCH_DISTANCE), label="bits"
    )
    query = flipped(HASHES[row], bits)[None]
    assert INDICES[count].nearest(query) == (row, len(bits))


@pytest.mark.parametrize("plan", [_FEW, _LOTS], ids=["few", "lots"])
def test_no_way_of_spreading_the_bits_that_differ_escapes(plan: tuple[_Stretch, ...]) -> None:
    assert sum(first.width + second.width for first, second, _ in plan) == BITS
    assert sum(radius + 1 for _, _, radius in plan) > MATCH_DISTANCE
    for first, second, radius in plan:
        assert (first.radius + 1) + (second.radius + 1) > radius


@pytest.mark.parametrize("count", INDICES)
def test_beyond_the_limit_nothing_is_found(count: int) -> None:
    every_eighth = list(range(0, 256, 8))  # 32 bits, spread as evenly as they can be
    assert len(every_eighth) == MATCH_DISTANCE + 1
    assert INDICES[count].nearest(flipped(HASHES[5], every_eighth)[None]) is None
    assert INDICES[count].nearest(flipped(HASHES[5], every_eighth[1:])[None]) == (5, 31)


def test_of_several_queries_the_nearest_match_is_told() -> None:
    near, nearer = flipped(HASHES[7], [1, 2, 3]), flipped(HASHES[9], [200])
    assert INDICES[FEW].nearest(np.stack([HASHES[7] ^ HASHES[8], near, nearer])) == (9, 1)


def test_many_equal_hashes_are_no_trouble() -> None:
    index = PdqIndex(np.repeat(HASHES[:2], 20_000, axis=0))
    assert index.nearest(HASHES[1][None]) == (20_000, 0)


def test_a_list_is_exported_in_a_form_that_is_read_again() -> None:
    known = KnownContentList(
        name="own",
        digest="0" * 64,
        sha256={"ab" * 32: 'label, with "quotes"'},
        pdq=np.asfortranarray(HASHES[:3]),
        pdq_labels=("one", "", "three"),
    )
    told = export_list(known)
    assert told.startswith(b"signal_type,signal_str,label\nHASH_SHA256,abab")
    again = parse_list(told, "own")
    assert again.sha256 == known.sha256
    assert np.array_equal(again.pdq, known.pdq)
    assert again.pdq_labels == known.pdq_labels
