"""A receipt proves one sample out of any number, with the ledger's public key alone."""

from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import paint
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import migrations
from datasets_audit import DeclaredUse, audit
from datasets_audit.errors import SourceInvalid
from datasets_audit.receipts import (
    SampleReceipt,
    join,
    prove_sample,
    row_leaf,
    verify_receipt,
)
from provenance.errors import ProofInvalid
from provenance.ledger import InclusionProof, Ledger, LedgerKey
from provenance.ledger.merkle import (
    ListedLeaves,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    root_of,
)
from provenance.ledger.proof import Leaf, encode_path

MAX_BYTES = 1_800  # of a receipt for one sample of 10**10
KEY = LedgerKey.generate("ledger.test/audit")
TERMS = {
    "use": DeclaredUse.COMMERCIAL,
    "as_of": date(2026, 6, 30),
    "secret": b"a secret of exactly 32 bytes ...",
}


def test_every_sample_of_an_audit_is_proved_and_no_other_row_is(tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for seed in range(3):
        (pictures / f"{seed}.jpg").write_bytes(paint.jpeg(seed))
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, KEY) as ledger:
        report = audit(pictures, name="three", ledger=ledger, out=out, **TERMS)
        rows = pq.read_table(out / report.shards[0].file).to_pylist()
        for number, row in enumerate(rows):
            receipt = prove_sample(out, ledger, row["key"]).pack()
            proved = verify_receipt(receipt, row_leaf(row), KEY.public)
            assert (proved.dataset, proved.shard, proved.row) == ("three", 0, number)
            assert proved.checkpoint == ledger.checkpoint()
            with pytest.raises(ProofInvalid, match="The row is not"):
                verify_receipt(receipt, row_leaf(row | {"width": 1}), KEY.public)
            with pytest.raises(ProofInvalid, match="no signature"):
                verify_receipt(
                    receipt, row_leaf(row), LedgerKey.generate("ledger.test/audit").public
                )
        with pytest.raises(SourceInvalid, match="no sample"):
            prove_sample(out, ledger, "nobody.jpg")
        unrecorded = tmp_path / "unrecorded"
        audit(pictures, name="three", out=unrecorded, **TERMS)
        with pytest.raises(SourceInvalid, match="in no ledger"):
            prove_sample(unrecorded, ledger, rows[0]["key"])


def receipt_of_ten_billion(samples: int, shards: int) -> tuple[SampleReceipt, bytes]:
    """A receipt of the geometry of a huge data set: true paths, beside trees that nobody built."""
    row, shard = samples // 3, shards // 3  # whose paths are longest
    leaf = row_leaf({"key": "somewhere/in/the/middle.jpg", "width": 640})
    shard_path = siblings(b"shard", row, samples)
    shard_root = root_from_inclusion(leaf_hash(leaf), row, samples, shard_path)
    event = Leaf(
        at="2026-06-30T12:00:00.000000Z",
        body={
            "bytes": 123_456_789_012,
            "dataset": {"name": "ten-billion-pictures", "root": sha256(b"version").hexdigest()},
            "root": shard_root.hex(),
            "samples": samples,
            "shard": shard,
            "sketch": sha256(b"sketch").hexdigest(),
        },
        id=f"dataset.shard:{sha256(b'event').hexdigest()[:40]}",
        kind="dataset.shard",
        v=1,
    )
    path = siblings(b"ledger", shard, shards)
    root = root_from_inclusion(event.hash(), shard, shards, path)
    note = KEY.sign_checkpoint(shards, root).note
    proof = InclusionProof(index=shard, leaf=event, path=encode_path(path), checkpoint=note)
    return join(row, shard_path, proof), leaf


def siblings(seed: bytes, index: int, size: int) -> list[bytes]:
    """A path of the length that RFC 6962 gives leaf ``index`` of ``size``."""
    path: list[bytes] = []
    while True:
        try:
            root_from_inclusion(bytes(32), index, size, path)
        except ProofInvalid:
            path.append(sha256(seed + bytes([len(path)])).digest())
        else:
            return path


@pytest.mark.parametrize(
    ("samples", "shards"), [(10_000, 1_000_000), (4_096, 2_441_407), (100_000, 100_000)]
)
def test_a_receipt_for_one_of_ten_billion_fits_into_1800_bytes(samples: int, shards: int) -> None:
    receipt, leaf = receipt_of_ten_billion(samples, shards)
    packed = receipt.pack()
    assert samples * shards >= 10**10
    assert len(packed) <= MAX_BYTES
    assert verify_receipt(packed, leaf, KEY.public).row == samples // 3


@given(st.data())
def test_a_changed_byte_of_a_receipt_is_found(data: st.DataObject) -> None:
    receipt, leaf = receipt_of_ten_billion(10_000, 1_000_000)
    changed = bytearray(receipt.pack())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProofInvalid):
        verify_receipt(bytes(changed), leaf, KEY.public)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"WMR1" + tail))
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(ProofInvalid):
        verify_receipt(data, b"{}", KEY.public)


def test_a_receipt_that_was_cut_or_added_to_is_refused() -> None:
    receipt, leaf = receipt_of_ten_billion(10_000, 1_000_000)
    packed = receipt.pack()
    for wrong in (*(packed[:length] for length in range(0, len(packed), 97)), packed + b"\0"):
        with pytest.raises(ProofInvalid):
            verify_receipt(wrong, leaf, KEY.public)


def test_an_event_of_another_kind_proves_no_sample() -> None:
    receipt, leaf = receipt_of_ten_billion(10_000, 1_000_000)
    event = receipt.event.replace(b'"kind":"dataset.shard"', b'"kind":"refusal"')
    with pytest.raises(ProofInvalid, match="a refusal"):
        verify_receipt(replace(receipt, event=event).pack(), leaf, KEY.public)


@given(st.integers(1, 1_500), st.data())
def test_the_paths_of_a_tree_in_memory_lead_to_its_root(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(ListedLeaves(leaves), index, size)
    assert root_from_inclusion(leaves[index], index, size, path) == root_of(leaves)
