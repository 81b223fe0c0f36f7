"""A part of the ledger is exported with what proves it: nothing in it changed, nothing left out."""

from pathlib import Path

import pytest
from deliveries import a_record
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import LedgerEntryNotFound, ProofInvalid
from provenance.ledger import Event, Ledger, verify_file
from provenance.ledger.merkle import (
    ListedLeaves,
    leaf_hash,
    range_path,
    root_from_range,
    root_of,
)

SIZE = 601


@pytest.fixture
def grown(ledger: Ledger) -> Ledger:
    ledger.append_batch("b", "test", [{"number": i} for i in range(SIZE)])
    return ledger


def exported(ledger: Ledger, file: Path, first: int, end: int | None) -> list[bytes]:
    lines = list(ledger.export(first, end))
    file.write_bytes(b"".join(lines))
    return lines


@pytest.mark.parametrize(
    ("first", "end"), [(0, 1), (0, 256), (255, 257), (3, 600), (512, None), (600, 601), (0, None)]
)
def test_a_range_is_proved_with_the_public_key_alone(
    grown: Ledger, tmp_path: Path, first: int, end: int | None
) -> None:
    lines = exported(grown, tmp_path / "range.jsonl", first, end)
    assert len(lines) - 1 == (end or SIZE) - first
    evidence = verify_file(tmp_path / "range.jsonl", grown.verifier)
    assert evidence.checkpoint == grown.checkpoint()
    said = "all 601" if (first, end) == (0, None) else f"entries {first} to {(end or SIZE) - 1} of"
    assert said in evidence.says


@pytest.mark.parametrize(("first", "end"), [(5, 5), (7, 6), (0, 602), (601, None), (-1, 3)])
def test_a_range_that_is_not_there_is_named(grown: Ledger, first: int, end: int | None) -> None:
    with pytest.raises(LedgerEntryNotFound):
        list(grown.export(first, end))


def test_a_range_in_which_anything_was_changed_does_not_verify(
    grown: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "range.jsonl"
    header, *leaves = exported(grown, file, 200, 300)
    for wrong in (
        leaves[1:],
        leaves[:-1],
        [*leaves, leaves[-1]],
        [leaves[1], leaves[0], *leaves[2:]],
        [*leaves[:50], leaves[50].replace(b"250", b"251"), *leaves[51:]],
    ):
        file.write_bytes(header + b"".join(wrong))
        with pytest.raises(ProofInvalid):
            verify_file(file, grown.verifier)
    moved = header.replace(b'"first":200', b'"first":201').replace(b'"end":300', b'"end":301')
    for other in (moved, header.replace(b'"first":200', b'"first":199')):
        file.write_bytes(other + b"".join(leaves))
        with pytest.raises(ProofInvalid):
            verify_file(file, grown.verifier)


def test_credentials_travel_with_their_deliveries(ledger: Ledger, tmp_path: Path) -> None:
    for number in range(1, 4):
        ledger.append([Event("test", {"kind": "delivery"})])
        ledger.record(a_record(number))
    file = tmp_path / "export.jsonl"
    for first, deliveries in ((0, 3), (2, 2), (5, 1)):
        lines = list(ledger.export(first, credentials=True))
        assert len(lines) == 1 + (6 - first) + deliveries
        file.write_bytes(b"".join(lines))
        assert verify_file(file, ledger.verifier).checkpoint == ledger.checkpoint()


@given(st.data())
def test_any_range_of_any_tree_leads_to_its_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 800))
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]
    path = range_path(ListedLeaves(leaves), first, end, size)
    assert root_from_range(leaves[first:end], first, end, size, path) == root_of(leaves)
    with pytest.raises(ProofInvalid):
        root_from_range(leaves[first:end], first, end, size, [*path, bytes(32)])
    if path:
        with pytest.raises(ProofInvalid):
            root_from_range(leaves[first:end], first, end, size, path[1:])
