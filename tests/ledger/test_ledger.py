"""Append, prove, read: the ledger as the rest of Wardmark uses it."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from deliveries import a_record
from sqlalchemy import create_engine, exc

from provenance.errors import (
    EventConflict,
    EventInvalid,
    LedgerEntryNotFound,
    LedgerKeyInvalid,
    ProofInvalid,
)
from provenance.ledger import (
    ConsistencyProof,
    Event,
    InclusionProof,
    Ledger,
    LedgerKey,
    verify_consistency,
    verify_file,
    verify_inclusion,
)


def events(count: int, kind: str = "test") -> list[Event]:
    return [Event(kind, {"number": i}) for i in range(count)]


def test_entries_come_in_order_and_the_sequence_is_dense(ledger: Ledger) -> None:
    first = ledger.append(events(3))
    second = ledger.append(events(2))
    assert [entry.index for entry in first + second] == [0, 1, 2, 3, 4]
    assert list(ledger.entries()) == first + second
    assert ledger.checkpoint().size == 5


def test_every_entry_can_be_proved_with_the_public_key_alone(ledger: Ledger) -> None:
    entries = ledger.append(events(300)) + ledger.append(events(7))
    for entry in (entries[0], entries[255], entries[256], entries[-1]):
        file = ledger.prove(entry.id).model_dump_json()
        proof = InclusionProof.model_validate_json(file)
        assert verify_inclusion(proof, str(ledger.verifier)) == ledger.checkpoint()
        assert (proof.index, proof.leaf.body) == (entry.index, entry.body)


def test_a_proof_of_something_else_does_not_verify(ledger: Ledger) -> None:
    entries = ledger.append(events(5))
    proof = ledger.prove(entries[2].id)
    leaf = proof.leaf.model_copy(update={"body": {"number": 99}})
    for false in (
        proof.model_copy(update={"leaf": leaf}),
        proof.model_copy(update={"index": 3}),
        proof.model_copy(update={"path": proof.path[::-1]}),
        proof.model_copy(update={"path": ("!",)}),
        proof.model_copy(update={"path": ("AAAA",)}),
        proof.model_copy(update={"leaf": proof.leaf.model_copy(update={"body": {"n": 2**60}})}),
    ):
        with pytest.raises(ProofInvalid):
            verify_inclusion(false, ledger.verifier)
    with pytest.raises(ProofInvalid, match="no signature"):
        verify_inclusion(proof, LedgerKey.generate("ledger.test/one").public)


def test_old_proofs_hold_after_the_ledger_has_grown(ledger: Ledger) -> None:
    (entry,) = ledger.append(events(1))
    early = ledger.prove(entry.id)
    ledger.append(events(700))
    assert verify_inclusion(early, ledger.verifier).size == 1
    proof = ConsistencyProof.model_validate_json(ledger.consistency(1).model_dump_json())
    assert verify_consistency(proof, ledger.verifier) == ledger.checkpoint()


def test_a_consistency_proof_between_strangers_does_not_verify(ledger: Ledger) -> None:
    ledger.append(events(3))
    ledger.append(events(3))
    proof = ledger.consistency(3)
    with pytest.raises(ProofInvalid):
        verify_consistency(proof.model_copy(update={"old": proof.new}), ledger.verifier)
    with pytest.raises(ProofInvalid):
        verify_consistency(proof.model_copy(update={"path": ()}), ledger.verifier)
    with pytest.raises(LedgerEntryNotFound, match="at 2 entries"):
        ledger.consistency(2)


def test_the_same_event_twice_is_recorded_once(ledger: Ledger) -> None:
    event = Event("test", {"a": 1, "b": 2})
    (first,) = ledger.append([event])
    ledger.append(events(3))
    again = ledger.append([Event("test", {"b": 2, "a": 1}, id=event.id), Event("test", {})])
    assert again[0] == first
    assert again[1].index == 4
    assert ledger.append([event, event]) == [first, first]
    assert ledger.checkpoint().size == 5


def test_an_event_twice_in_one_portion_is_recorded_once(ledger: Ledger) -> None:
    event = Event("test", {})
    one, two = ledger.append([event, event])
    assert one == two
    assert ledger.checkpoint().size == 1


@pytest.mark.parametrize(
    "other",
    [Event("test", {"a": 2}, id="x"), Event("other", {"a": 1}, id="x")],
    ids=["body", "kind"],
)
def test_an_id_cannot_stand_for_two_events(ledger: Ledger, other: Event) -> None:
    ledger.append([Event("test", {"a": 1}, id="x")])
    with pytest.raises(EventConflict, match="x stands for another"):
        ledger.append([Event("test", {}), other])
    with pytest.raises(EventConflict):
        ledger.append([Event("test", {"a": 1}, id="y"), Event("test", {"a": 2}, id="y")])
    assert ledger.checkpoint().size == 1


def test_one_bad_event_keeps_out_the_whole_portion(ledger: Ledger) -> None:
    with pytest.raises(EventInvalid):
        ledger.append([*events(3), Event("test", {"mail": "x"})])
    assert list(ledger.entries()) == []


def test_entries_are_found_by_kind_time_and_place(url: str, key: LedgerKey) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with Ledger(url, key, clock=lambda: now[0]) as ledger:
        for day in range(6):
            now[0] = datetime(2026, 1, 1 + day, tzinfo=UTC)
            ledger.append(events(2, kind="even" if day % 2 == 0 else "odd"))
        since = datetime(2026, 1, 3, 12, tzinfo=UTC)
        assert [entry.index for entry in ledger.entries(kind="even")] == [0, 1, 4, 5, 8, 9]
        assert [entry.index for entry in ledger.entries(since=since)] == [6, 7, 8, 9, 10, 11]
        assert [e.index for e in ledger.entries(kind="odd", since=since, limit=3)] == [6, 7, 10]
        assert [entry.index for entry in ledger.entries(first=10)] == [10, 11]
        assert list(ledger.entries(since=now[0] + timedelta(seconds=1))) == []
        assert list(ledger.entries(limit=0)) == []


def test_the_newest_come_first_of_the_kinds_that_are_asked_for(url: str, key: LedgerKey) -> None:
    now = [datetime(2026, 11, 20, 12, 0, tzinfo=UTC)]
    with Ledger(url, key, clock=lambda: now[0]) as ledger:
        assert list(ledger.latest()) == []
        kinds = ("even", "odd", "other")
        ledger.append([Event(kinds[n % 3], {"number": n}) for n in range(350)])
        now[0] += timedelta(hours=1)
        ledger.append([Event("odd", {"number": 350})])
        assert [entry.index for entry in ledger.latest()] == list(range(350, -1, -1))
        of_two = [n for n in range(350, -1, -1) if n == 350 or n % 3 != 2]
        assert [entry.index for entry in ledger.latest("even", "odd")] == of_two
        assert [entry.index for entry in islice(ledger.latest("odd", before=8), 2)] == [7, 4]
        assert next(ledger.latest(until=now[0])).index == 349
        assert next(ledger.latest(until=now[0], before=10)).index == 9


def test_a_long_ledger_is_read_page_by_page(ledger: Ledger) -> None:
    ledger.append(events(2_500))
    assert [entry.body["number"] for entry in ledger.entries()] == list(range(2_500))
    assert len(list(ledger.entries(limit=1_700))) == 1_700


def test_a_clock_that_jumps_back_does_not_turn_time_around(url: str, key: LedgerKey) -> None:
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    with Ledger(url, key, clock=lambda: now[0]) as ledger:
        ledger.append(events(1))
        now[0] = datetime(2026, 1, 1, tzinfo=UTC)
        ledger.append(events(1))
    with Ledger(url, key, clock=lambda: now[0]) as ledger:
        ledger.append(events(1))
        assert {entry.at for entry in ledger.entries()} == {datetime(2026, 1, 2, tzinfo=UTC)}
        assert ledger.verify().ok


def test_two_that_are_open_at_once_write_one_history(url: str, key: LedgerKey) -> None:
    with Ledger(url, key) as one, Ledger(url, key) as two:
        for _ in range(4):
            one.append(events(150))
            two.append(events(150))
        assert one.verify().ok
        assert one.checkpoint() == two.checkpoint()
        assert one.checkpoint().size == 1_200


def test_an_empty_ledger_says_so(ledger: Ledger) -> None:
    with pytest.raises(LedgerEntryNotFound, match="empty"):
        ledger.checkpoint()
    with pytest.raises(LedgerEntryNotFound, match="no event of the id 'x'"):
        ledger.prove("x")
    assert ledger.append([]) == []
    assert ledger.verify().ok


def test_without_a_key_it_can_be_read_but_not_written(url: str, ledger: Ledger) -> None:
    ledger.append(events(1))
    with Ledger(url) as reader:
        assert len(list(reader.entries())) == 1
        with pytest.raises(LedgerKeyInvalid, match="reading only"):
            reader.append(events(1))
        with pytest.raises(LedgerKeyInvalid, match="give the ledger's key"):
            reader.checkpoint()


def test_another_key_cannot_carry_the_ledger_on(url: str, ledger: Ledger) -> None:
    ledger.append(events(1))
    with Ledger(url, LedgerKey.generate("ledger.test/one")) as other:
        with pytest.raises(Exception, match="not signed by") as caught:
            other.append(events(1))
        assert caught.value.code == "provenance_unavailable"  # type: ignore[attr-defined]
    assert ledger.checkpoint().size == 1


@pytest.mark.parametrize("table", ["event", "tile", "checkpoint", "record"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_denies_changes(
    url: str, ledger: Ledger, table: str, change: str
) -> None:
    ledger.append(events(300))
    ledger.record(a_record())
    column = {"event": "seq", "tile": "position", "checkpoint": "size", "record": "width"}[table]
    engine = create_engine(url)
    try:
        with pytest.raises(exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(change.format(table, column, column))
    finally:
        engine.dispose()
    assert ledger.verify().ok


def test_an_export_verifies_offline(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([*events(600), Event("unicode", {"text_length": 3, "word": "désolé ☂"})])
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(ledger.export()))
    assert json.loads(file.read_text().splitlines()[3])["body"] == {"number": 2}
    evidence = verify_file(file, str(ledger.verifier))
    assert (evidence.kind, evidence.checkpoint) == ("export", ledger.checkpoint())

    lines = file.read_bytes().splitlines(keepends=True)
    for false in (
        lines[:-1],
        [*lines, lines[-1]],
        [lines[0], lines[2], lines[1], *lines[3:]],
        [*lines[:5], lines[5].replace(b"4", b"5", 1), *lines[6:]],
    ):
        file.write_bytes(b"".join(false))
        with pytest.raises(ProofInvalid):
            verify_file(file, ledger.verifier)


def test_a_proof_in_a_file_says_what_it_proves(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append(events(2))
    (entry,) = ledger.append(events(1))
    file = tmp_path / "proof.json"
    file.write_text(ledger.prove(entry.id).model_dump_json(indent=1))
    assert f"{entry.id} of {entry.at:%Y-%m-%d}" in verify_file(file, ledger.verifier).says
    file.write_text(ledger.consistency(2).model_dump_json())
    assert "begins with the same 2 entries" in verify_file(file, ledger.verifier).says


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[1,",
        b"{}",
        b'{"format": "wardmark-export/1"}\n',
        b'{"format": "wardmark-inclusion/1", "index": -1}',
        b"[" * 100_000,
        b" " * (1 << 20) + b"{}",
    ],
)
def test_a_file_that_proves_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ProofInvalid):
        verify_file(file, LedgerKey.generate().verifier)
