# ruff: noqa: S608 - the statements are our own, and doing harm is their point
"""Whatever is done to the database behind the ledger's back is found and named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deliveries import a_record
from sqlalchemy import Connection
from tampering import (
    behind_our_back,
    changed_note,
    forge,
    forge_tree,
    insert_row,
    set_blob,
    shift,
    swap,
)

from provenance.errors import LedgerCorrupt
from provenance.ledger import Event, Ledger, LedgerKey, Tampering

BULK = 700  # entries of the first append: two full tiles and a part of one; then single appends
SIZE = 730
TAIL = 720  # an entry that no full tile covers
FORGED = '{"forged":true}'


@pytest.fixture
def grown(ledger: Ledger) -> Ledger:
    ledger.append([Event("test", {"number": i}) for i in range(BULK)])
    for i in range(BULK, SIZE):
        ledger.append([Event("test", {"number": i})])
    assert ledger.verify().ok
    return ledger


def sql(statement: str) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql(statement)


def found(ledger: Ledger, url: str, *changes: Callable[[Connection], object]) -> set[tuple]:
    """(what, first, last) of each finding after the changes."""
    with behind_our_back(url) as connection:
        for change in changes:
            change(connection)
    report = ledger.verify()
    assert not report.ok
    return {(finding.what.value, finding.first, finding.last) for finding in report.findings}


@pytest.mark.parametrize("seq", [0, 255, 256, 511, 600, 699, TAIL, SIZE - 1])
@pytest.mark.parametrize(
    "change", ["body = '{}'", "kind = 'other'", "at = '2020-01-01T00:00:00.000000Z'", "version = 2"]
)
def test_a_changed_row_is_found(grown: Ledger, url: str, seq: int, change: str) -> None:
    statement = sql(f"UPDATE event SET {change} WHERE seq = {seq}")
    assert found(grown, url, statement) == {("row-changed", seq, seq)}


@pytest.mark.parametrize("seq", [3, 300, TAIL])
def test_a_changed_row_is_found_though_its_leaf_hash_was_changed_too(
    grown: Ledger, url: str, seq: int
) -> None:
    assert found(grown, url, lambda c: forge(c, seq, FORGED)) == {("row-changed", seq, seq)}


def test_a_changed_row_is_found_though_the_whole_tree_was_made_anew(
    grown: Ledger, url: str
) -> None:
    findings = found(grown, url, lambda c: forge(c, 5, FORGED), forge_tree)
    assert findings == {("rows-unproved", 0, BULK - 1)}
    assert grown.verify().proved == 0


def test_in_a_forged_tail_the_first_single_entry_is_named(grown: Ledger, url: str) -> None:
    findings = found(
        grown, url, lambda c: forge(c, TAIL, FORGED), lambda c: forge(c, TAIL + 2, FORGED)
    )
    assert findings == {("row-changed", TAIL, TAIL)}
    assert grown.verify().proved == TAIL


@pytest.mark.parametrize("seq", [0, 100, 256, 699, TAIL])
def test_a_removed_row_is_found(grown: Ledger, url: str, seq: int) -> None:
    findings = found(grown, url, sql(f"DELETE FROM event WHERE seq = {seq}"))
    assert ("row-removed", seq, seq) in findings
    assert {what for what, _, _ in findings} <= {"row-removed", "rows-unproved"}


def test_removed_rows_at_the_end_are_found(grown: Ledger, url: str) -> None:
    findings = found(grown, url, sql(f"DELETE FROM event WHERE seq >= {SIZE - 4}"))
    assert findings == {("row-removed", SIZE - 4, SIZE - 1)}


@pytest.mark.parametrize("seq", [100, 300])
def test_a_removed_row_is_found_though_the_rest_moved_up(grown: Ledger, url: str, seq: int) -> None:
    findings = found(
        grown, url, sql(f"DELETE FROM event WHERE seq = {seq}"), lambda c: shift(c, seq, -1)
    )
    assert ("row-removed", seq, seq) in findings
    assert any(what == "rows-moved" and first == seq for what, first, _ in findings)


def test_a_row_removed_from_the_tail_is_found_where_it_stood(grown: Ledger, url: str) -> None:
    findings = found(
        grown, url, sql(f"DELETE FROM event WHERE seq = {TAIL}"), lambda c: shift(c, TAIL, -1)
    )
    assert findings == {("row-changed", TAIL, TAIL), ("row-removed", SIZE - 1, SIZE - 1)}


def test_rows_swapped_in_a_bulk_that_no_tile_covers_are_found(grown: Ledger, url: str) -> None:
    findings = found(grown, url, lambda c: swap(c, 600, 650))
    assert findings == {("rows-unproved", 0, BULK - 1)}


@pytest.mark.parametrize("seq", [100, 300, TAIL])
def test_an_inserted_row_is_found(grown: Ledger, url: str, seq: int) -> None:
    findings = found(grown, url, lambda c: shift(c, seq, 1), lambda c: insert_row(c, seq))
    assert ("row-inserted", seq, seq) in findings
    assert any(what == "rows-moved" and first == seq + 1 for what, first, _ in findings)


def test_a_row_behind_the_last_checkpoint_is_found(grown: Ledger, url: str) -> None:
    assert found(grown, url, lambda c: insert_row(c, SIZE)) == {("row-inserted", SIZE, SIZE)}


@pytest.mark.parametrize(("one", "two"), [(1, 2), (10, 300), (300, 600), (TAIL, TAIL + 3)])
def test_swapped_rows_are_found(grown: Ledger, url: str, one: int, two: int) -> None:
    assert ("rows-swapped", one, two) in found(grown, url, lambda c: swap(c, one, two))


@pytest.mark.parametrize("level", [0])
def test_a_changed_tile_is_found(grown: Ledger, url: str, level: int) -> None:
    where = f"level = {level} AND position = 1"
    findings = found(grown, url, lambda c: set_blob(c, "tile", "hashes", "ab" * 8192, where))
    assert {what for what, _, _ in findings} == {"tile-changed"}


def test_a_tile_changed_so_that_it_fits_itself_is_found(grown: Ledger, url: str) -> None:
    from provenance.ledger.merkle import root_of

    hashes = [bytes([i]) * 32 for i in range(256)]
    where = "level = 0 AND position = 0"
    findings = found(
        grown,
        url,
        lambda c: set_blob(c, "tile", "hashes", b"".join(hashes).hex(), where),
        lambda c: set_blob(c, "tile", "root", root_of(hashes).hex(), where),
    )
    assert findings == {("tile-changed", i, i) for i in range(256)}


def test_a_missing_tile_is_found(grown: Ledger, url: str) -> None:
    findings = found(grown, url, sql("DELETE FROM tile WHERE position = 1"))
    assert findings == {("tile-missing", None, None)}


def test_an_invented_tile_is_found(grown: Ledger, url: str) -> None:
    findings = found(grown, url, sql("UPDATE tile SET level = 3 WHERE position = 1"))
    assert {what for what, _, _ in findings} == {"tile-missing", "tile-unexpected"}


@pytest.mark.parametrize("seq", [10, TAIL])
def test_a_changed_leaf_hash_is_found(grown: Ledger, url: str, seq: int) -> None:
    change = lambda c: set_blob(c, "event", "leaf_hash", "00" * 32, f"seq = {seq}")  # noqa: E731
    assert found(grown, url, change) == {("row-changed", seq, seq)}


def test_a_forged_signature_is_found(grown: Ledger, url: str) -> None:
    note = changed_note(grown.checkpoint().note)
    findings = found(grown, url, sql(f"UPDATE checkpoint SET note = '{note}' WHERE size = {SIZE}"))
    assert findings == {
        ("checkpoint-unsigned", None, None),
        ("rows-unproved", SIZE - 1, SIZE - 1),
    }


def test_a_checkpoint_of_another_key_is_found(grown: Ledger, url: str) -> None:
    stranger = LedgerKey.generate(grown.origin)
    head = grown.checkpoint()
    note = stranger.sign_checkpoint(head.size, bytes.fromhex(head.root)).note
    findings = found(grown, url, sql(f"UPDATE checkpoint SET note = '{note}' WHERE size = {SIZE}"))
    assert ("checkpoint-unsigned", None, None) in findings


def test_a_checkpoint_that_says_other_than_it_signs_is_found(grown: Ledger, url: str) -> None:
    change = lambda c: set_blob(c, "checkpoint", "root", "00" * 32, "size = 701")  # noqa: E731
    assert found(grown, url, change) == {("checkpoint-changed", None, None)}


def test_a_ledger_without_checkpoints_is_found(grown: Ledger, url: str) -> None:
    findings = found(grown, url, sql("DELETE FROM checkpoint"))
    assert ("checkpoint-missing", None, None) in findings
    assert ("row-inserted", 0, SIZE - 1) in findings


def test_a_ledger_that_was_taken_back_is_found_by_who_kept_a_checkpoint(
    grown: Ledger, url: str
) -> None:
    kept = grown.checkpoint().note
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("DELETE FROM event WHERE seq >= 710")
        connection.exec_driver_sql("DELETE FROM checkpoint WHERE size > 710")
    assert grown.verify().ok  # nothing in the database tells
    (finding,) = grown.verify(witnessed=[kept]).findings
    assert (finding.what, finding.first) == (Tampering.HISTORY_REWOUND, 710)


def test_a_rewritten_ledger_is_found_by_who_kept_a_checkpoint(
    grown: Ledger, url: str, key: LedgerKey
) -> None:
    kept = grown.checkpoint().note
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("DELETE FROM event WHERE seq >= 710")
        connection.exec_driver_sql("DELETE FROM checkpoint WHERE size > 710")
    with Ledger(url, key) as rewritten:  # by the operator, who has the key
        rewritten.append([Event("test", {"another": i}) for i in range(50)])
        assert rewritten.verify().ok
        (finding,) = rewritten.verify(witnessed=[kept]).findings
        assert finding.what is Tampering.HISTORY_FORKED
        assert rewritten.verify(witnessed=[changed_note(kept)]).findings[0].what is (
            Tampering.CHECKPOINT_UNSIGNED
        )


def test_what_a_witness_kept_of_an_honest_ledger_fits(grown: Ledger) -> None:
    kept = grown.checkpoint().note
    grown.append([Event("test", {})])
    assert grown.verify(witnessed=[kept, grown.checkpoint().note]).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [("width", "9"), ("policy_digest", "'x'"), ("sha256", "'x'"), ("pdq_quality", "1")],
)
def test_a_record_that_differs_from_its_event_is_found(
    ledger: Ledger, url: str, column: str, value: str
) -> None:
    ledger.record(a_record())
    findings = found(ledger, url, sql(f"UPDATE record SET {column} = {value}"))
    assert findings == {("record-changed", 0, 0)}
    assert column.removesuffix("_digest") in ledger.verify().findings[0].detail


def test_a_changed_credential_is_found(ledger: Ledger, url: str) -> None:
    ledger.record(a_record())
    change = lambda c: set_blob(c, "record", "credential", "00", "seq = 0")  # noqa: E731
    assert found(ledger, url, change) == {("record-changed", 0, 0)}


def test_a_removed_or_invented_record_is_found(ledger: Ledger, url: str) -> None:
    ledger.record(a_record(1))
    ledger.append([Event("test", {})])
    findings = found(ledger, url, sql("UPDATE record SET seq = 1"))
    assert findings == {("record-missing", 0, 0), ("record-unexpected", 1, 1)}


def test_a_damaged_record_is_not_served(ledger: Ledger, url: str) -> None:
    ledger.record(a_record(1))
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("UPDATE record SET sha256 = 'x'")
    with pytest.raises(LedgerCorrupt, match="ledger verify"):
        ledger.record_by_content_id(a_record(1).content_id)


def test_nothing_is_appended_to_a_tail_that_was_changed(
    grown: Ledger, url: str, key: LedgerKey
) -> None:
    with behind_our_back(url) as connection:
        forge(connection, TAIL, FORGED)
    with Ledger(url, key) as reopened, pytest.raises(LedgerCorrupt, match="nothing is appended"):
        reopened.append([Event("test", {})])


def test_nothing_is_appended_over_a_row_that_was_put_in(grown: Ledger, url: str) -> None:
    with behind_our_back(url) as connection:
        insert_row(connection, SIZE)
    with pytest.raises(LedgerCorrupt, match="not accounted for"):
        grown.append([Event("test", {})])
    assert grown.checkpoint().size == SIZE


def test_a_wrecked_ledger_is_told_in_short(grown: Ledger, url: str) -> None:
    change = sql("UPDATE event SET version = 2 WHERE (seq & 1) = 0 AND seq < 700")
    with behind_our_back(url) as connection:
        change(connection)
    report = grown.verify()
    assert len(report.findings) == 350
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("DELETE FROM event")
        connection.exec_driver_sql("UPDATE checkpoint SET note = 'x'")
    assert {f.what for f in grown.verify().findings} >= {Tampering.CHECKPOINT_UNSIGNED}


def test_text_that_is_no_text_is_found(tmp_path: Path, key: LedgerKey) -> None:
    """SQLite keeps whatever it is given, in any column."""
    import migrations

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, key) as ledger:
        ledger.append([Event("test", {"number": i}) for i in range(300)])
        shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
        for change in (
            "UPDATE event SET body = CAST(X'7b22ff227d' AS TEXT) WHERE seq = 7",
            "UPDATE event SET leaf_hash = 'text' WHERE seq = 7",
            "UPDATE event SET body = X'00' WHERE seq = 7",
        ):
            with behind_our_back(url) as connection:
                connection.exec_driver_sql(change)
            assert [(f.what, f.first) for f in ledger.verify().findings] == [
                (Tampering.ROW_CHANGED, 7)
            ]
        with behind_our_back(url) as connection:
            connection.exec_driver_sql("UPDATE tile SET hashes = 'text', root = 1")
        assert Tampering.TILE_CHANGED in {f.what for f in ledger.verify().findings}
