"""A receipt for one sample: a small file that proves that it was audited, offline.

It joins two trees. The sample's row is a leaf under the root of its shard; that root stands in the
shard's event, which is a leaf under the signed root of the ledger. So a data set of 10^10 samples
needs one event for each shard and not for each sample, and a receipt has two paths: about 1.6 kB.

The packed form, all numbers big-endian:

    "WMR1"                                  form and version
    u32 row, u8 n, n * 32 bytes             place of the row in its shard, path to the shard's root
    u16 length, bytes                       the shard's event: its leaf, canonical JSON
    u64 index, u8 n, n * 32 bytes           place of the event in the ledger, path to its root
    u16 length, bytes                       the checkpoint, a signed note

The row itself is not in it: whoever shows the receipt shows the row.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import load_report
from datasets_audit.recording import SHARD_KIND
from datasets_audit.report import Shard
from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import Checkpoint, InclusionProof, Ledger
from provenance.ledger.event import canonical
from provenance.ledger.merkle import (
    HASH_BYTES,
    ListedLeaves,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
)
from provenance.ledger.note import Verifier
from provenance.ledger.proof import decode_path

MAGIC: Final = b"WMR1"
_PLACE: Final = struct.Struct(">I")
_INDEX: Final = struct.Struct(">Q")
_LENGTH: Final = struct.Struct(">H")
_COUNT: Final = struct.Struct(">B")


@dataclass(frozen=True, slots=True)
class SampleReceipt:
    """A receipt taken apart. ``event`` is the leaf of the shard's event; hashes have 32 bytes."""

    row: int
    shard_path: tuple[bytes, ...]
    event: bytes
    index: int
    ledger_path: tuple[bytes, ...]
    checkpoint: str

    def pack(self) -> bytes:
        """The file. Raises ``struct.error`` for what no receipt can hold."""
        note = self.checkpoint.encode()
        return b"".join(
            (
                MAGIC,
                _PLACE.pack(self.row),
                _COUNT.pack(len(self.shard_path)),
                *self.shard_path,
                _LENGTH.pack(len(self.event)),
                self.event,
                _INDEX.pack(self.index),
                _COUNT.pack(len(self.ledger_path)),
                *self.ledger_path,
                _LENGTH.pack(len(note)),
                note,
            )
        )

    @classmethod
    def unpack(cls, data: bytes) -> "SampleReceipt":
        """What ``pack`` made. Raises ``ProofInvalid``."""
        reader = _Reader(data)
        if reader.take(len(MAGIC)) != MAGIC:
            raise ProofInvalid("This is no receipt of a sample; it would begin with WMR1.")
        row = reader.number(_PLACE)
        shard_path = reader.path()
        event = reader.take(reader.number(_LENGTH))
        index = reader.number(_INDEX)
        ledger_path = reader.path()
        note = reader.take(reader.number(_LENGTH))
        if reader.left:
            raise ProofInvalid("Something follows after the end of the receipt.")
        try:
            return cls(row, shard_path, event, index, ledger_path, note.decode())
        except UnicodeDecodeError:
            raise ProofInvalid("The checkpoint of the receipt is not UTF-8.") from None


class AuditedSample(Frozen):
    """What a receipt proves: this row is sample ``row`` of ``shard``, as of ``checkpoint``."""

    dataset: str
    shard: int
    row: int
    recorded_at: str
    checkpoint: Checkpoint


class _Dataset(Frozen, extra="ignore"):
    name: str


class _Body(Frozen, extra="ignore"):
    dataset: _Dataset
    shard: int
    samples: int
    root: str


class _Event(Frozen, extra="ignore"):
    at: str
    kind: str
    body: _Body


def prove_sample(folder: Path, ledger: Ledger, key: str) -> SampleReceipt:
    """The receipt of the sample ``key`` of the audit in ``folder``, which ``ledger`` recorded.

    Raises ``SourceInvalid`` when there is no such sample or report, or the audit is not recorded.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for shard in load_report(folder).shards:
        keys = pq.read_table(folder / shard.file, columns=["key"])["key"]
        row = pc.index(keys, key).as_py()
        if row < 0:
            continue
        return _prove(folder, shard, row, ledger)
    raise SourceInvalid(f"The audit in {folder} has no sample with the key {key!r}.")


def _prove(folder: Path, shard: Shard, row: int, ledger: Ledger) -> SampleReceipt:
    import pyarrow.parquet as pq

    if shard.entry is None:
        raise SourceInvalid(f"The audit in {folder} is in no ledger; run wardmark audit again.")
    rows = pq.read_table(folder / shard.file).to_pylist()
    leaves = [leaf_hash(row_leaf(sample)) for sample in rows]
    path = inclusion_path(ListedLeaves(leaves), row, len(leaves))
    return join(row, path, ledger.prove(shard.entry))


def join(row: int, shard_path: Sequence[bytes], proof: InclusionProof) -> SampleReceipt:
    """A receipt out of the path of a row in its shard and the proof of the shard's event."""
    return SampleReceipt(
        row=row,
        shard_path=tuple(shard_path),
        event=canonical(proof.leaf.model_dump(mode="json")),
        index=proof.index,
        ledger_path=tuple(decode_path(proof.path)),
        checkpoint=proof.checkpoint,
    )


def row_leaf(row: Mapping[str, Any]) -> bytes:
    """The bytes of a row that its shard's root covers: canonical JSON (RFC 8785)."""
    import rfc8785

    return bytes(rfc8785.dumps(dict(row)))


def verify_receipt(receipt: bytes, leaf: bytes, verifier: Verifier) -> AuditedSample:
    """Check that ``receipt`` proves the row whose bytes are ``leaf`` (``row_leaf``), offline.

    Raises ``ProofInvalid`` naming the step that fails.
    """
    taken = SampleReceipt.unpack(receipt)
    try:
        event = _Event.model_validate(orjson.loads(taken.event))
    except (orjson.JSONDecodeError, ValidationError):
        raise ProofInvalid("The event in the receipt is not that of a shard.") from None
    if event.kind != SHARD_KIND:
        raise ProofInvalid(f"The event in the receipt is a {event.kind}, not a {SHARD_KIND}.")
    body = event.body
    root = root_from_inclusion(leaf_hash(leaf), taken.row, body.samples, taken.shard_path)
    if root.hex() != body.root:
        raise ProofInvalid(f"The row is not sample {taken.row} of shard {body.shard}.")
    head = Checkpoint.verified(taken.checkpoint, verifier)
    whole = root_from_inclusion(leaf_hash(taken.event), taken.index, head.size, taken.ledger_path)
    if whole.hex() != head.root:
        raise ProofInvalid(
            f"The event of shard {body.shard} does not stand at index {taken.index} of "
            f"{head.origin}."
        )
    return AuditedSample(
        dataset=body.dataset.name,
        shard=body.shard,
        row=taken.row,
        recorded_at=event.at,
        checkpoint=head,
    )


class _Reader:
    """Reads forward through the bytes of a receipt."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise ProofInvalid("The receipt is cut off.")
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, form: struct.Struct) -> int:
        (value,) = form.unpack(self.take(form.size))
        return int(value)

    def path(self) -> tuple[bytes, ...]:
        count = self.number(_COUNT)
        return tuple(self.take(HASH_BYTES) for _ in range(count))
