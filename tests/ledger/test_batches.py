"""A batch is one append of many events: whole or not at all, once, and proved as any other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import EventConflict, EventInvalid, LedgerKeyInvalid
from provenance.ledger import Event, Ledger, LedgerKey, journal, verify_inclusion
from provenance.ledger.batch import MAX_EVENTS, lay_out, prepare
from provenance.ledger.event import Draft, canonical, draft
from provenance.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

BODIES: list[dict[str, object]] = [{"number": i, "rule": "violence"} for i in range(700)]


def test_a_batch_stands_in_order_behind_what_was_there_and_is_proved(ledger: Ledger) -> None:
    ledger.append([Event("test", {})])
    assert ledger.append_batch("import-1", "test", BODIES) == range(1, 701)
    entries = list(ledger.entries(first=1))
    assert [entry.body for entry in entries] == BODIES
    assert [entry.id for entry in entries[:2]] == ["import-1#0", "import-1#1"]
    proof = ledger.prove("import-1#699")
    assert verify_inclusion(proof, ledger.verifier) == ledger.checkpoint()
    ledger.append([Event("test", {})])
    assert ledger.verify().ok


def test_the_same_batch_again_changes_nothing(ledger: Ledger) -> None:
    where = ledger.append_batch("b", "test", BODIES[:300])
    head = ledger.checkpoint()
    assert ledger.append_batch("b", "test", BODIES[:300]) == where
    assert ledger.checkpoint() == head


@pytest.mark.parametrize(
    ("kind", "bodies"),
    [("other", BODIES[:5]), ("test", BODIES[:4]), ("test", BODIES[:6]), ("test", BODIES[1:6])],
)
def test_another_batch_under_the_same_id_is_refused(
    ledger: Ledger, kind: str, bodies: list[dict[str, object]]
) -> None:
    ledger.append_batch("b", "test", BODIES[:5])
    with pytest.raises(EventConflict):
        ledger.append_batch("b", kind, bodies)
    assert ledger.size == 5


@pytest.mark.parametrize(
    ("batch", "kind", "bodies"),
    [
        ("b#1", "test", BODIES[:1]),
        ("x" * 123, "test", BODIES[:1]),
        ("b", "Test", BODIES[:1]),
        ("b", "delivery", BODIES[:1]),
        ("b", "key.rotated", BODIES[:1]),
        ("b", "test", []),
        ("b", "test", [{}] * (MAX_EVENTS + 1)),
        ("b", "test", [{}, {"email": "x"}]),
        ("b", "test", [{}, {"note": "to somebody@example.org"}]),
        ("b", "test", [{}, {"note": "x" * 70_000}]),
        ("b", "test", [{}, ["a list"]]),
    ],
)
def test_a_batch_with_anything_wrong_is_refused_whole(
    ledger: Ledger, batch: str, kind: str, bodies: list[dict[str, object]]
) -> None:
    with pytest.raises(EventInvalid):
        ledger.append_batch(batch, kind, bodies)
    assert ledger.size == 0


def test_no_other_event_takes_the_id_of_one_in_a_batch(ledger: Ledger) -> None:
    with pytest.raises(EventInvalid):
        ledger.append([Event("test", {}, id="b#3")])


def test_a_batch_needs_the_key(url: str, key: LedgerKey) -> None:
    with Ledger(url) as reader, pytest.raises(LedgerKeyInvalid):
        reader.append_batch("b", "test", BODIES[:1])


def test_batches_and_single_events_of_many_threads_all_stand_once(ledger: Ledger) -> None:
    def write(number: int) -> None:
        if number % 2:
            ledger.append_batch(f"b{number}", "test", BODIES[:50])
        else:
            ledger.append([Event("test", {"number": number})])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(16)))
    assert ledger.size == 8 * 50 + 8
    assert ledger.verify().ok


_values = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=True)
_bodies = st.dictionaries(st.text(), _values | st.lists(_values, max_size=2), max_size=4)


@given(st.lists(_bodies, min_size=1, max_size=3))
def test_bodies_are_taken_or_refused_in_a_batch_as_each_is_alone(
    bodies: list[dict[str, object]],
) -> None:
    try:
        alone = [draft(Event("test", body)).body for body in bodies]
    except EventInvalid:
        with pytest.raises(EventInvalid):
            prepare("b", "test", bodies)
        return
    assert prepare("b", "test", bodies).bodies == alone
    assert alone == [canonical(body).decode() for body in bodies]


def test_the_leaves_of_a_batch_are_those_of_single_events() -> None:
    at = "2026-03-01T12:30:00.000000Z"
    batch = prepare("b", "test", BODIES[:3])
    alone = [Draft(Event("test", {}, batch.event_id(i)), batch.bodies[i]) for i in range(3)]
    assert lay_out(batch, 7, at) == journal.lay_out(alone, 7, at)


@given(st.lists(st.integers(1, 700), max_size=6))
def test_a_tree_is_the_same_in_whatever_portions_it_grows(portions: list[int]) -> None:
    whole, tiles = Frontier(), []
    one_by_one, expected = Frontier(), []
    leaves = [leaf_hash(b"%d" % i) for i in range(sum(portions))]
    start = 0
    for portion in portions:
        tiles += whole.extend(leaves[start : start + portion])
        start += portion
    for leaf in leaves:
        expected += one_by_one.extend([leaf])
    assert tiles == expected
    assert whole.root() == one_by_one.root() == _root(leaves)


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(_root(leaves[:k]), _root(leaves[k:]))
