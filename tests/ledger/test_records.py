"""Records of deliveries: bound by an event, found by mark, file and fingerprint."""

import pytest
from deliveries import a_record
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from provenance.errors import EventConflict, EventInvalid
from provenance.ledger import Event, Ledger, LedgerKey, verify_inclusion
from provenance.ledger.records import described
from provenance.record import Record


def test_a_record_is_found_by_all_that_leads_to_it(ledger: Ledger) -> None:
    one, two = a_record(1), a_record(2)
    for record in (one, two):
        ledger.record(record)
    assert ledger.record_by_content_id(one.content_id) == one
    assert ledger.record_by_content_id(two.content_id.upper()) == two
    assert ledger.record_by_sha256(two.sha256) == two
    assert ledger.record_by_content_id("f" * 16) is None
    assert ledger.record_by_sha256("f" * 64) is None


def test_the_deliveries_of_a_decision_and_any_entries_by_their_ids_are_found(
    ledger: Ledger,
) -> None:
    mine = [ledger.record(a_record(n, decision_id="d-1")) for n in (1, 2)]
    ledger.record(a_record(3, decision_id="d-2"))
    (other,) = ledger.append([Event("refusal", {}, "d-1:refusal:2")])
    assert ledger.deliveries("d-1") == mine
    assert ledger.deliveries("d-3") == []
    assert ledger.find([other.id, mine[0].id, "never"]) == [mine[0], other]


def test_a_delivery_is_proved_by_its_content_id(ledger: Ledger) -> None:
    record = a_record()
    entry = ledger.record(record, {"steps": ["watermark"], "policy_digest": "ab"})
    proof = ledger.prove(record.content_id)
    verify_inclusion(proof, ledger.verifier)
    assert (entry.kind, entry.id) == ("delivery", record.content_id)
    assert proof.leaf.body == {
        "record": described(record),
        "steps": ["watermark"],
        "policy_digest": "ab",
    }
    assert "a manifest store" not in proof.model_dump_json()


def test_a_delivery_is_recorded_once(ledger: Ledger) -> None:
    record = a_record()
    first = ledger.record(record)
    assert ledger.record(record) == first
    with pytest.raises(EventConflict):
        ledger.record(a_record(credential=b"another"))
    assert ledger.record_by_content_id(record.content_id) == record
    assert ledger.verify().records == 1


def test_a_delivery_cannot_bypass_its_record(ledger: Ledger) -> None:
    with pytest.raises(EventInvalid, match=r"Ledger\.record"):
        ledger.append([Event("delivery", {})])
    with pytest.raises(EventInvalid, match="place in the body is taken"):
        ledger.record(a_record(), {"record": {}})


def test_of_records_of_the_same_file_the_oldest_counts(ledger: Ledger) -> None:
    old = a_record(5, sha256="ab" * 32)
    ledger.record(old)
    ledger.record(a_record(4, sha256="ab" * 32))
    assert ledger.record_by_sha256("ab" * 32) == old


def test_the_nearest_fingerprint_is_found_within_its_limit(ledger: Ledger) -> None:
    assert ledger.nearest_record("0" * 64, 256) is None
    for number in (9, 3, 6):
        ledger.record(a_record(number))  # ``number`` bits away from zero
    assert ledger.nearest_record("0" * 64, 31) == (a_record(3), 3)
    assert ledger.nearest_record("0" * 64, 2) is None
    ledger.record(a_record(2))
    assert ledger.nearest_record("0" * 64, 2) == (a_record(2), 2)


@given(
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=8, unique=True),
    st.binary(min_size=32, max_size=32),
)
def test_the_distance_is_that_of_hamming(hashes: list[bytes], wanted: bytes) -> None:
    from provenance.ledger.records import Fingerprints

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        from provenance.ledger.records import row_of
        from provenance.ledger.tables import metadata, record

        metadata.create_all(connection)
        rows = [row_of(a_record(i, pdq=h.hex()), i) for i, h in enumerate(hashes)]
        for row in rows:
            connection.execute(record.insert().values(row))
        found = Fingerprints().nearest(connection, wanted.hex(), 256)
    engine.dispose()
    distances = [
        (int.from_bytes(h, "big") ^ int.from_bytes(wanted, "big")).bit_count() for h in hashes
    ]
    assert found == (distances.index(min(distances)), min(distances))


def test_a_record_keeps_its_instant_in_any_time_zone(ledger: Ledger) -> None:
    record = Record.model_validate(
        a_record().model_dump() | {"created_at": "2026-03-01T14:30:00+02:00"}
    )
    ledger.record(record)
    assert ledger.record_by_content_id(record.content_id) == record
    assert described(record)["created_at"] == "2026-03-01T12:30:00.000000Z"


def test_a_reopened_ledger_finds_what_was_recorded(url: str, key: LedgerKey) -> None:
    with Ledger(url, key) as ledger:
        ledger.record(a_record(3))
    with Ledger(url, key) as ledger:
        assert ledger.nearest_record("0" * 64, 31) == (a_record(3), 3)
