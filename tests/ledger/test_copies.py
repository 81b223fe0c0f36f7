"""A ledger in another database is the same ledger: same head, same proofs, same records."""

from pathlib import Path

import pytest
from deliveries import a_record
from tampering import behind_our_back

import migrations
from provenance.errors import LedgerCorrupt, LedgerEntryNotFound, LedgerOccupied, LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey, verify_consistency, verify_inclusion

SIZE = 601


@pytest.fixture
def grown(ledger: Ledger) -> Ledger:
    ledger.append_batch("b", "test", [{"number": i} for i in range(300)])
    ledger.record(a_record(1))
    ledger.append_batch("c", "test", [{"number": i} for i in range(300)])
    return ledger


@pytest.fixture
def empty(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    migrations.upgrade(url)
    return url


def test_a_copy_has_the_head_the_proofs_and_the_records_of_the_ledger(
    grown: Ledger, key: LedgerKey, empty: str
) -> None:
    assert grown.copy_to(empty).ok
    with Ledger(empty, key) as copy:
        assert copy.checkpoint() == grown.checkpoint()
        assert list(copy.entries()) == list(grown.entries())
        assert copy.prove("b#7") == grown.prove("b#7")
        assert copy.record_by_content_id(a_record(1).content_id) == a_record(1)
        verify_consistency(copy.consistency(300), key.public)
        (entry,) = copy.append([Event("test", {})])
        assert entry.index == SIZE
        assert copy.verify(witnessed=[grown.checkpoint().note]).ok


def test_a_ledger_moves_to_postgresql_and_back_with_its_head_unchanged(
    postgresql_url: str, key: LedgerKey, empty: str, tmp_path: Path
) -> None:
    back = f"sqlite:///{tmp_path / 'back.db'}"
    migrations.upgrade(back)
    with Ledger(empty, key) as first:
        first.append_batch("b", "test", [{"number": i} for i in range(SIZE)])
        first.record(a_record(2))
        head = first.checkpoint()
        first.copy_to(postgresql_url)
    with Ledger(postgresql_url, key) as second:
        assert second.checkpoint() == head
        assert verify_inclusion(second.prove("b#600"), key.public) == head
        second.copy_to(back)
    with Ledger(back, key) as third:
        assert third.checkpoint() == head
        assert third.verify().ok
        assert third.record_by_content_id(a_record(2).content_id) == a_record(2)


def test_a_ledger_that_was_given_a_new_key_is_copied_with_both(
    grown: Ledger, url: str, key: LedgerKey, empty: str
) -> None:
    successor = LedgerKey.generate(key.public.name)
    grown.rotate(successor)
    with Ledger(url, successor) as rotated:
        rotated.append([Event("test", {})])
        assert rotated.copy_to(empty).ok
    with Ledger(empty, successor) as copied:
        assert copied.verify().ok


def test_copying_says_how_far_it_is(grown: Ledger, empty: str) -> None:
    said: list[tuple[str, int, int]] = []
    grown.copy_to(empty, lambda *stage: said.append(stage))
    assert ("copying", SIZE, SIZE) in said
    assert said[-1] == ("verifying", SIZE, SIZE)


def test_nothing_is_copied_into_a_ledger_that_has_entries(
    grown: Ledger, key: LedgerKey, empty: str
) -> None:
    with Ledger(empty, key) as occupied:
        occupied.append([Event("test", {})])
        head = occupied.checkpoint()
        with pytest.raises(LedgerOccupied):
            grown.copy_to(empty)
        assert occupied.checkpoint() == head


def test_a_ledger_that_was_tampered_with_is_not_copied(
    grown: Ledger, key: LedgerKey, url: str, empty: str
) -> None:
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("UPDATE event SET body = '{}' WHERE seq = 5")
    with pytest.raises(LedgerCorrupt, match="row-changed"):
        grown.copy_to(empty)
    with Ledger(empty, key) as copy:
        assert copy.size == 0


def test_an_empty_ledger_and_a_missing_target_are_named(
    ledger: Ledger, empty: str, tmp_path: Path
) -> None:
    with pytest.raises(LedgerEntryNotFound):
        ledger.copy_to(empty)
    with pytest.raises(LedgerUnavailable):
        ledger.copy_to(f"sqlite:///{tmp_path / 'nowhere.db'}")
