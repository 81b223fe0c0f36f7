"""Sketches of shards: they add up exactly, and answer without rows what the rows would."""

import random
from bisect import bisect_left
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from datasets_audit.consent import ConsentState
from datasets_audit.licence import LicenceUse
from datasets_audit.sketch import EDGES, Sketch, merge, sketch, sketch_key

KEY = sketch_key(bytes(32))


def row(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "bytes": 1000 + number, "sha256": sha256(b"%d" % number).hexdigest(), "problem": None,
        "media_type": "image/jpeg", "width": 640, "height": 480, "pdq_quality": 100,
        "sharpness": 80.5, "brightness": 120.0, "consent": "declared", "licence_use": "any",
        "annotated": True, "attribution": False, "share_alike": False, "gps": False,
        "serial": False, "owner": False, "c2pa": False, **columns,
    }  # fmt: skip


rows = st.builds(
    row,
    st.integers(0, 400),
    consent=st.sampled_from([state.value for state in ConsentState]),
    licence_use=st.sampled_from([use.value for use in LicenceUse]),
    problem=st.sampled_from([None, "damaged", "empty"]),
    width=st.none() | st.integers(1, 60_000),
    sharpness=st.none() | st.floats(0, 1e9),
    gps=st.none() | st.booleans(),
)
some_rows = st.lists(rows, max_size=12)


@given(some_rows, some_rows, some_rows)
def test_the_merged_sketches_of_shards_are_the_sketch_of_the_whole_byte_for_byte(
    a: list[dict[str, Any]], b: list[dict[str, Any]], c: list[dict[str, Any]]
) -> None:
    one, two, three = (sketch(part, KEY) for part in (a, b, c))
    whole = sketch([*a, *b, *c], KEY).canonical()
    assert merge([one, two, three]).canonical() == whole
    assert merge([one, merge([two, three])]).canonical() == whole
    assert merge([merge([three, one]), two]).canonical() == whole


@given(some_rows)
def test_a_sketch_survives_its_canonical_json(given_rows: list[dict[str, Any]]) -> None:
    made = sketch(given_rows, KEY)
    assert Sketch.model_validate_json(made.canonical()) == made


def test_counts_are_exact_and_sizes_lie_in_their_bin() -> None:
    given_rows = [row(n, consent="withdrawn" if n % 3 else "declared") for n in range(300)]
    made = sketch([*given_rows, row(7, width=None, height=None, problem="damaged")], KEY)
    assert made.counts["consent"] == {"declared": 101, "withdrawn": 200}
    assert made.counts["problem"] == {"damaged": 1}
    assert made.file_bytes == sum(r["bytes"] for r in given_rows) + 1007
    sizes = sorted([*(r["bytes"] for r in given_rows), 1007])
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        exact = sizes[max(0, -(-int(share * 10 * len(sizes)) // 10) - 1)]
        found = made.quantile("bytes", share)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= exact < found.high
    assert sum(made.bins["side"].values()) == 300
    assert sketch([], KEY).quantile("bytes", 0.5) is None


@pytest.mark.parametrize("number", [0, 1, 30, 1_000, 6_000, 60_000])
def test_distinct_files_are_counted_within_four_standard_errors(number: int) -> None:
    draw = random.Random(number)
    digests = [draw.randbytes(32).hex() for _ in range(number)]
    repeated = digests + digests[: number // 2]
    made = sketch((row(0, sha256=digest) for digest in repeated), KEY)
    assert made.distinct_files() == pytest.approx(number, rel=4 * 0.023)


def test_a_sketch_of_any_size_takes_less_than_six_kilobytes() -> None:
    draw = random.Random(1)
    every = [
        row(n, width=2 ** (n % 24), height=2 ** (n % 23), bytes=2 ** (n % 40), brightness=n % 256,
            sharpness=1.19 ** (n % 160), pdq_quality=n % 101, consent=state.value,
            licence_use=draw.choice([use.value for use in LicenceUse]))
        for n in range(400) for state in ConsentState
    ]  # fmt: skip
    made = sketch(every, KEY)
    assert len(merge([made] * 1_000).canonical()) < 6_000


def test_nobody_can_ask_a_sketch_for_a_picture_without_the_key() -> None:
    one, other = (sketch([row(1)], sketch_key(bytes([n]) * 32)) for n in (1, 2))
    assert one.distinct != other.distinct
    with pytest.raises(ValueError, match="two keys"):
        merge([one, other])
    with pytest.raises(ValueError, match="no sketch"):
        merge([])


def test_what_is_no_sketch_is_refused() -> None:
    made = sketch([row(1)], KEY).model_dump()
    for wrong in (
        {"distinct": "A"}, {"distinct": "/" * 2048}, {"bins": {"side": {"9999": 1}}},
        {"bins": {"height": {"1": 1}}}, {"bins": {"side": {"1": 5}}},
        {"counts": {"consent": {"declared": 0}}}, {"samples": -1}, {"v": 2},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            Sketch.model_validate(made | wrong)


def test_edges_are_the_same_everywhere() -> None:
    """A bin of a fixed number must never come to mean something else."""
    assert all(list(edges) == sorted(set(edges)) for edges in EDGES.values())
    assert [bisect_left(EDGES["bytes"], 2**n) for n in (3, 10, 20, 40)] == [7, 35, 75, 155]
