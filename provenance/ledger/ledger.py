"""The ledger: events in, proofs out."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from provenance.errors import (
    EventInvalid,
    ImportRefused,
    LedgerCorrupt,
    LedgerEntryNotFound,
    LedgerKeyInvalid,
    ProofInvalid,
)
from provenance.ledger import journal, records, resumption, rotation, tables
from provenance.ledger.batch import prepare
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.copies import Stages, copy
from provenance.ledger.cosignature import Cosignature
from provenance.ledger.cosigning import cosign, cosignatures, last_cosigned, with_cosignatures
from provenance.ledger.database import Database, sqlite_path
from provenance.ledger.event import Draft, Entry, Event, Json, draft
from provenance.ledger.exports import write_export
from provenance.ledger.handover import HandOver
from provenance.ledger.heads import head_at, keys, some_head
from provenance.ledger.key import LedgerKey, load_verifier, verifier_path
from provenance.ledger.merkle import (
    consistency_path,
    inclusion_path,
)
from provenance.ledger.mirror import Imported, take_in
from provenance.ledger.note import VerifierKey
from provenance.ledger.proof import ConsistencyProof, InclusionProof, encode_path
from provenance.ledger.report import LedgerReport
from provenance.ledger.rotation import KeyHistory, Rotation
from provenance.ledger.sequencer import Sequencer
from provenance.ledger.tiles import StoredTiles
from provenance.ledger.verification import Progress, verify
from provenance.ledger.witness import Witness
from provenance.record import Record


class Ledger:
    """An append-only, signed record in a database that ``migrations`` made.

    Safe to share between threads, and between processes that each open their own: appends take
    turns, so there is one history. After a fork, open it anew.
    """

    def __init__(
        self,
        url: str,
        key: LedgerKey | VerifierKey | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the ledger at ``url`` (``sqlite:///FILE`` or ``postgresql://...``).

        Without ``key``, the files beside an SQLite database are used where they are there:
        ``ledger.key`` to append, else ``ledger.pub`` to verify. With a verifier key alone, what is
        appended in PostgreSQL is handed over to a sequencer that holds the key (``Leader``).
        Raises ``LedgerUnavailable``.
        """
        self._database = Database(url)
        path = sqlite_path(self._database.url)
        self._verifier = None
        if key is None and path is not None:
            key, self._verifier = _keys_beside(path.with_suffix(".key"))
        self._sequencer = None
        self._handover = None
        if isinstance(key, LedgerKey):
            self._verifier = key.public
            self._sequencer = Sequencer(self._database, key, clock)
        elif key is not None:
            self._verifier = key
            if not self._database.is_sqlite:
                self._handover = HandOver(self._database)
        self._fingerprints = records.Fingerprints()
        self._database.check_revision()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. The ledger can be used again; it then reopens."""
        self._database.close()

    @property
    def verifier(self) -> VerifierKey:
        """The public key that checks this ledger's checkpoints. Raises ``LedgerKeyInvalid``."""
        if self._verifier is None:
            raise LedgerKeyInvalid(
                f"No key is known for {self._database.name}; give the ledger's key or verifier key."
            )
        return self._verifier

    @property
    def origin(self) -> str:
        """The name of the ledger, the first line of its checkpoints."""
        return self.verifier.name

    def append(self, events: Sequence[Event]) -> list[Entry]:
        """Append events in one transaction and sign the new head; entries come in their order.

        All or none is recorded. An event that stands already under its id is not written again;
        its first entry is returned. Raises ``EventInvalid``, ``EventConflict`` (the id stands for
        another event), ``LedgerUnavailable``, ``LedgerCorrupt``.
        """
        if any(event.kind == records.DELIVERY for event in events):
            raise EventInvalid(
                "A delivery is recorded with Ledger.record, so that it can be found."
            )
        if any(event.kind == rotation.KIND for event in events):
            raise EventInvalid("A key is replaced with: wardmark ledger rotate-key")
        drafts = [draft(event) for event in events]
        return self._commit(drafts, {}) if drafts else []

    def append_batch(self, batch: str, kind: str, bodies: Sequence[Mapping[str, Json]]) -> range:
        """Append many events of one kind in one transaction; returns their indexes.

        Three times as quick as ``append``, which see. ``batch`` is the idempotency key of all: the
        same batch again changes nothing. The event of ``bodies[n]`` has the id ``batch#n``. Up to
        100,000 events; some thousands are quickest. Raises as ``append``.
        """
        return (self._handover or self._writing()).commit_batch(prepare(batch, kind, bodies))

    def record(self, record: Record, extra: Mapping[str, Json] | None = None) -> Entry:
        """Record a delivery: its event and its searchable row, in one transaction.

        ``extra`` stands beside the record in the event's body. The entry's id is the content id.
        Raises as ``append``.
        """
        event = records.delivery(record, extra or {})
        (entry,) = self._commit([draft(event)], {event.id: record})
        return entry

    def _commit(self, drafts: Sequence[Draft], rows: Mapping[str, Record]) -> list[Entry]:
        return (self._handover or self._writing()).commit(drafts, rows)

    def _writing(self) -> Sequencer:
        if self._sequencer is None:
            raise LedgerKeyInvalid(
                f"{self._database.name} is open for reading only; appending needs the ledger's key."
            )
        return self._sequencer

    def checkpoint(self) -> Checkpoint:
        """The signed head of the ledger; its note carries the cosignatures of witnesses, if any.

        Raises ``LedgerEntryNotFound`` while the ledger is empty.
        """
        with self._database.reading() as connection:
            return with_cosignatures(connection, some_head(connection, self.verifier))

    def keys(self) -> KeyHistory:
        """All keys of the ledger, oldest first, that follow from the one that is trusted."""
        with self._database.reading() as connection:
            return keys(connection, self.verifier)

    def rotate(self, successor: LedgerKey) -> Rotation:
        """Hand the ledger over to ``successor``, which signs from then on.

        Every other process that appends has to load it. Raises ``ProofInvalid`` for a key of
        another name, and as ``append``.
        """
        rotated = self._writing().rotate(successor)
        self._verifier = successor.public
        return rotated

    def cosign(self, witness: Witness) -> Cosignature:
        """Have ``witness`` cosign the last checkpoint, and keep what it says.

        Raises ``HistoryContradicted`` when the witness has seen another or a longer history,
        ``WitnessRefused``, ``WitnessUnavailable``.
        """
        return cosign(self._database, self.verifier, witness)

    def cosignatures(self, size: int) -> list[Cosignature]:
        """The last word of each witness on the checkpoint of ``size`` entries."""
        with self._database.reading() as connection:
            return cosignatures(connection, size)

    def prove(self, entry_id: str, *, cosigned: bool = False) -> InclusionProof:
        """Proof that the event ``entry_id`` stands in the ledger as of its last checkpoint.

        ``cosigned``: as of the last one that a witness cosigned, if the entry stood by then. The id
        of a delivery is its content id. Raises ``LedgerEntryNotFound``.
        """
        with self._database.reading() as connection:
            found = journal.find(connection, [entry_id]).get(entry_id)
            if found is None:
                raise LedgerEntryNotFound(f"The ledger has no event of the id {entry_id!r}.")
            entry, _ = found
            seen = last_cosigned(connection) if cosigned else None
            if seen is not None and entry.index < seen:
                head = head_at(connection, self.verifier, seen)
            else:
                head = some_head(connection, self.verifier)
            if entry.index >= head.size:
                raise LedgerCorrupt(
                    f"Entry {entry.index} stands behind the last checkpoint, of size {head.size}; "
                    "nothing vouches for it. Run: wardmark ledger verify"
                )
            path = inclusion_path(StoredTiles(connection, head.size), entry.index, head.size)
            return InclusionProof(
                index=entry.index,
                leaf=journal.leaf_of(connection, entry.index),
                path=encode_path(path),
                checkpoint=with_cosignatures(connection, head).note,
            )

    def consistency(self, old_size: int) -> ConsistencyProof:
        """Proof that the ledger still begins as it was signed at ``old_size`` entries.

        Raises ``LedgerEntryNotFound`` when no checkpoint was signed at that size.
        """
        with self._database.reading() as connection:
            head = some_head(connection, self.verifier)
            old = head_at(connection, self.verifier, old_size)
            path = consistency_path(StoredTiles(connection, head.size), old_size, head.size)
            return ConsistencyProof(old=old.note, new=head.note, path=encode_path(path))

    def entries(
        self,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        first: int = 0,
        limit: int | None = None,
        as_of: Checkpoint | int | None = None,
        mentioning: str | None = None,
    ) -> Iterator[Entry]:
        """Entries in order: of one ``kind``, recorded at or after ``since``, from index ``first``.

        ``as_of``: only what stood when that checkpoint was signed, or when there were that many
        entries. ``mentioning``: only where the body, as canonical JSON, holds this text.
        Reads a page at a time, so that a long iteration holds no lock. Raises ``ProofInvalid`` for
        a checkpoint of another history, ``LedgerEntryNotFound`` for one that is yet to come.
        """
        end = None if as_of is None else self.size_at(as_of)
        if since is not None:
            with self._database.reading() as connection:
                first = max(first, journal.first_since(connection, self._size(connection), since))
        left = limit
        while left is None or left > 0:
            wanted = journal.PAGE if left is None else min(journal.PAGE, left)
            with self._database.reading() as connection:
                page = journal.read(
                    connection,
                    first=first,
                    end=end,
                    kind=kind,
                    mentioning=mentioning,
                    limit=wanted,
                )
            yield from page
            if len(page) < wanted:
                return
            first = page[-1].index + 1
            left = None if left is None else left - len(page)

    def latest(
        self, *kinds: str, before: int | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Entries newest first: of ``kinds`` (of all without any), before index ``before``, and
        recorded before ``until``. Reads a page at a time and holds no lock between pages."""
        if until is not None:
            with self._database.reading() as connection:
                end = journal.first_since(connection, self._size(connection), until)
            before = end if before is None else min(before, end)
        streams = [self._back(kind, before) for kind in kinds or (None,)]
        return heapq.merge(*streams, key=lambda entry: -entry.index)

    def _back(self, kind: str | None, before: int | None) -> Iterator[Entry]:
        while True:
            with self._database.reading() as connection:
                page = journal.read_back(
                    connection, before=before, kind=kind, limit=journal.PAGE_BACK
                )
            yield from page
            if len(page) < journal.PAGE_BACK:
                return
            before = page[-1].index

    def find(self, ids: Sequence[str]) -> list[Entry]:
        """The entries that stand under any of ``ids``, in order; those that are not there, not."""
        with self._database.reading() as connection:
            found = journal.find(connection, ids).values()
        return sorted((entry for entry, _ in found), key=lambda entry: entry.index)

    def deliveries(self, decision_id: str) -> list[Entry]:
        """The pictures that were delivered on a decision, in order."""
        with self._database.reading() as connection:
            ids = records.content_ids(connection, decision_id)
        return self.find(ids)

    def tallies(self) -> dict[str, journal.Tally]:
        """How many entries of each kind there are, and index and time of the last one."""
        with self._database.reading() as connection:
            return journal.tallies(connection)

    @property
    def size(self) -> int:
        """How many entries there are."""
        with self._database.reading() as connection:
            return self._size(connection)

    def size_at(self, as_of: Checkpoint | int) -> int:
        """How many entries stood then; a checkpoint is held against the one that was signed here.

        Raises ``ProofInvalid``, ``LedgerEntryNotFound``.
        """
        if isinstance(as_of, int):
            if not 0 <= as_of <= self.size:
                raise LedgerEntryNotFound(f"The ledger has {self.size} entries, not {as_of}.")
            return as_of
        with self._database.reading() as connection:
            signed = head_at(connection, self.verifier, as_of.size)
        if (signed.origin, signed.root) != (as_of.origin, as_of.root):
            raise ProofInvalid(
                f"The checkpoint of {as_of.size} entries is of another history than this ledger's."
            )
        return signed.size

    @staticmethod
    def _size(connection: Connection) -> int:
        query = select(tables.event.c.seq).order_by(tables.event.c.seq.desc()).limit(1)
        last = connection.execute(query).scalar()
        return 0 if last is None else last + 1

    def export(
        self, first: int = 0, end: int | None = None, *, credentials: bool = False
    ) -> Iterator[bytes]:
        """Lines (with newline) of an export that ``verify_file`` checks: a header, then each leaf.

        Of the entries ``first`` to ``end - 1``, by default all. ``credentials``: with those of
        deliveries, which a mirror needs. Raises ``LedgerEntryNotFound`` for a range that is empty
        or not there.
        """
        with self._database.reading() as connection:
            head = some_head(connection, self.verifier)
            yield from write_export(connection, head, first, end, credentials=credentials)

    def take_in(
        self, exports: Sequence[Path], progress: Progress = lambda _done, _total: None
    ) -> Imported:
        """Carry this mirror on with exports of its origin, in order; all or none is taken in.

        A mirror is a ledger that was opened with the verifier key alone. Entries that stand are
        passed over. Raises as ``mirror.take_in``.
        """
        if self._sequencer is not None:
            raise ImportRefused(
                f"{self._database.name} has its key and grows by itself; a mirror has the "
                "verifier key alone."
            )
        return take_in(self._database, self.verifier, exports, progress)

    def verify(
        self,
        progress: Progress | None = None,
        *,
        witnessed: Iterable[str] = (),
        resume: Path | None = None,
    ) -> LedgerReport:
        """Recompute everything and name whatever does not fit.

        ``progress(done, total)`` counts entries. ``witnessed``: checkpoints (signed notes) that
        somebody kept elsewhere; a ledger that was rewound or rewritten does not fit them.
        ``resume``: a file that keeps how far everything fits, see ``resumption``; rows before are
        not read again. Raises ``ProofInvalid`` for a file of something else.
        """
        passed = None if resume is None else partial(resumption.save, resume)
        with self._database.inspecting() as connection:
            history = keys(connection, self.verifier)
            since = None if resume is None else resumption.load(resume, history)
            return verify(connection, history, witnessed, progress, since, passed)

    def copy_to(self, url: str, stages: Stages = lambda _what, _done, _total: None) -> LedgerReport:
        """Copy the ledger into the empty, migrated one at ``url``; its head stays as it is.

        Append to one of the two only from then on: two histories under one key are a fork.
        ``stages(what, done, total)`` counts entries. Raises as ``copies.copy``.
        """
        target = Database(url)
        try:
            target.check_revision()
            return copy(self._database, target, self.verifier, stages)
        finally:
            target.close()

    def record_by_content_id(self, content_id: str) -> Record | None:
        """The record whose mark carries ``content_id`` (16 hex digits)."""
        with self._database.reading() as connection:
            return records.by_content_id(connection, content_id)

    def record_by_sha256(self, sha256: str) -> Record | None:
        """The oldest record of the file with this SHA-256 (64 hex digits)."""
        with self._database.reading() as connection:
            return records.by_sha256(connection, sha256)

    def fingerprint_count(self) -> int:
        """How many fingerprints ``nearest_record`` searches."""
        with self._database.reading() as connection:
            return self._fingerprints.count(connection)

    def nearest_record(self, pdq: str, max_distance: int) -> tuple[Record, int] | None:
        """The record with the nearest fingerprint and its Hamming distance, 0 to 256.

        ``pdq``: 64 hex digits. None when the nearest is farther than ``max_distance``.
        """
        with self._database.reading() as connection:
            found = self._fingerprints.nearest(connection, pdq, max_distance)
            if found is None:
                return None
            seq, distance = found
            record = records.by_seq(connection, seq)
        if record is None:
            raise LedgerCorrupt(f"The record of entry {seq} is gone. Run: wardmark ledger verify")
        return record, distance


def _keys_beside(path: Path) -> tuple[LedgerKey | None, VerifierKey | None]:
    """The key at ``path`` to append with, else its public half to verify with, else neither."""
    if path.exists():
        return LedgerKey.load(path), None
    public = verifier_path(path)
    return None, load_verifier(public) if public.exists() else None
