"""The ledger: events in, proofs out."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from sqlalchemy import Connection, select

from provenance.errors import (
    EventConflict,
    EventInvalid,
    LedgerCorrupt,
    LedgerEntryNotFound,
    LedgerKeyInvalid,
    ProofInvalid,
)
from provenance.ledger import journal, records, tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.database import Database, sqlite_path
from provenance.ledger.event import Draft, Entry, Event, Json, draft, format_time, parse_time
from provenance.ledger.exports import write_export
from provenance.ledger.key import LedgerKey, load_verifier, verifier_path
from provenance.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
)
from provenance.ledger.note import VerifierKey
from provenance.ledger.proof import ConsistencyProof, InclusionProof, encode_path
from provenance.ledger.report import LedgerReport
from provenance.ledger.tiles import StoredTiles, tile_row
from provenance.ledger.verification import Progress, verify
from provenance.record import Record


class _Head(NamedTuple):
    """The tree as of the last checkpoint, and the time of its last entry."""

    frontier: Frontier
    root: bytes
    at: str


class Ledger:
    """An append-only, signed record in a database that ``migrations`` made.

    Safe to share between threads, and between processes that each open their own: appends take
    turns, so there is one history. After a fork, open it anew.
    """

    def __init__(
        self,
        url: str,
        key: LedgerKey | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the ledger at ``url`` (``sqlite:///FILE`` or ``postgresql://...``).

        Without ``key``, the files beside an SQLite database are used where they are there:
        ``ledger.key`` to append, else ``ledger.pub`` to verify. Raises ``LedgerUnavailable``.
        """
        self._database = Database(url)
        self._key = key
        self._verifier = key.public if key else None
        path = sqlite_path(self._database.url)
        if key is None and path is not None:
            self._use_keys_beside(path.with_suffix(".key"))
        self._clock = clock
        self._lock = threading.Lock()
        self._head: _Head | None = None
        self._fingerprints = records.Fingerprints()
        self._database.check_revision()

    def _use_keys_beside(self, path: Path) -> None:
        if path.exists():
            self._key = LedgerKey.load(path)
            self._verifier = self._key.public
        elif verifier_path(path).exists():
            self._verifier = load_verifier(verifier_path(path))

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        drafts = [draft(event) for event in events]
        return self._commit(drafts, {}) if drafts else []

    def record(self, record: Record, extra: Mapping[str, Json] | None = None) -> Entry:
        """Record a delivery: its event and its searchable row, in one transaction.

        ``extra`` stands beside the record in the event's body. The entry's id is the content id.
        Raises as ``append``.
        """
        event = records.delivery(record, extra or {})
        (entry,) = self._commit([draft(event)], {event.id: record})
        return entry

    def _commit(self, drafts: Sequence[Draft], rows: Mapping[str, Record]) -> list[Entry]:
        if self._key is None:
            raise LedgerKeyInvalid(
                f"{self._database.name} is open for reading only; appending needs the ledger's key."
            )
        with self._lock:
            with self._database.appending() as connection:
                standing = _agreed(journal.find(connection, [d.event.id for d in drafts]), drafts)
                fresh = list({d.event.id: d for d in drafts if d.event.id not in standing}.values())
                if not fresh:
                    return [standing[d.event.id] for d in drafts]
                head = self._current(connection)
                first = head.frontier.size
                # A clock that jumped back must not put an entry before the one it follows.
                at = max(format_time(self._clock()), head.at)
                laid = journal.lay_out(fresh, first, at)
                frontier = head.frontier.copy()
                tiles = frontier.extend([row[-1] for row in laid])
                checkpoint = self._key.sign_checkpoint(frontier.size, frontier.root())
                root = bytes.fromhex(checkpoint.root)
                insert = self._database.insert
                insert(connection, tables.event, laid)
                if tiles:
                    insert(connection, tables.tile, [tile_row(tile) for tile in tiles])
                head_row = (checkpoint.size, root, checkpoint.note)
                insert(connection, tables.checkpoint, [head_row])
                for seq, d in enumerate(fresh, first):
                    if d.event.id in rows:
                        row = records.row_of(rows[d.event.id], seq)
                        insert(connection, tables.record, [row])
            self._head = _Head(frontier, root, at)  # only once the transaction stands
        time = parse_time(at)
        entries = standing | {
            d.event.id: Entry(row[0], time, d.event, row[-1].hex())
            for d, row in zip(fresh, laid, strict=True)
        }
        return [entries[d.event.id] for d in drafts]

    def _current(self, connection: Connection) -> _Head:
        """The head to extend: the one in memory, unless another process has moved on."""
        checkpoint = self._last_checkpoint(connection)
        size = checkpoint.size if checkpoint else 0
        root = bytes.fromhex(checkpoint.root) if checkpoint else EMPTY_ROOT
        if self._head and self._head.frontier.size == size and self._head.root == root:
            return self._head
        frontier = Frontier.load(StoredTiles(connection, size), size)
        if frontier.root() != root:
            raise LedgerCorrupt(
                f"The entries of {self._database.name} are not those that were signed at size "
                f"{size}; nothing is appended to it. Run: wardmark ledger verify"
            )
        query = select(tables.event.c.at).where(tables.event.c.seq == size - 1)
        return _Head(frontier, root, connection.execute(query).scalar() or "")

    def _last_checkpoint(self, connection: Connection) -> Checkpoint | None:
        query = select(tables.checkpoint.c.note).order_by(tables.checkpoint.c.size.desc()).limit(1)
        note = connection.execute(query).scalar()
        return None if note is None else self._believed(note)

    def _believed(self, note: str) -> Checkpoint:
        """A stored checkpoint that our key signed; another key must not carry this ledger on."""
        try:
            return Checkpoint.verified(note, self.verifier)
        except ProofInvalid as error:
            raise LedgerCorrupt(
                f"A checkpoint of {self._database.name} is not signed by {self.verifier}: {error}"
            ) from error

    def checkpoint(self) -> Checkpoint:
        """The signed head of the ledger. Raises ``LedgerEntryNotFound`` while it is empty."""
        with self._database.reading() as connection:
            return self._some_checkpoint(connection)

    def _some_checkpoint(self, connection: Connection) -> Checkpoint:
        found = self._last_checkpoint(connection)
        if found is None:
            raise LedgerEntryNotFound("The ledger is empty: nothing is signed yet.")
        return found

    def prove(self, entry_id: str) -> InclusionProof:
        """Proof that the event ``entry_id`` stands in the ledger as of its last checkpoint.

        The id of a delivery is its content id. Raises ``LedgerEntryNotFound``.
        """
        with self._database.reading() as connection:
            found = journal.find(connection, [entry_id]).get(entry_id)
            if found is None:
                raise LedgerEntryNotFound(f"The ledger has no event of the id {entry_id!r}.")
            entry, _ = found
            head = self._some_checkpoint(connection)
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
                checkpoint=head.note,
            )

    def consistency(self, old_size: int) -> ConsistencyProof:
        """Proof that the ledger still begins as it was signed at ``old_size`` entries.

        Raises ``LedgerEntryNotFound`` when no checkpoint was signed at that size.
        """
        with self._database.reading() as connection:
            head = self._some_checkpoint(connection)
            query = select(tables.checkpoint.c.note).where(tables.checkpoint.c.size == old_size)
            old = connection.execute(query).scalar()
            if old is None:
                raise LedgerEntryNotFound(f"No checkpoint was signed at {old_size} entries.")
            path = consistency_path(StoredTiles(connection, head.size), old_size, head.size)
            return ConsistencyProof(
                old=self._believed(old).note, new=head.note, path=encode_path(path)
            )

    def entries(
        self,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        first: int = 0,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Entries in order: of one ``kind``, recorded at or after ``since``, from index ``first``.

        Reads a page at a time, so that a long iteration holds no lock.
        """
        if since is not None:
            with self._database.reading() as connection:
                first = max(first, journal.first_since(connection, self._size(connection), since))
        left = limit
        while left is None or left > 0:
            wanted = journal.PAGE if left is None else min(journal.PAGE, left)
            with self._database.reading() as connection:
                page = journal.read(connection, first=first, kind=kind, limit=wanted)
            yield from page
            if len(page) < wanted:
                return
            first = page[-1].index + 1
            left = None if left is None else left - len(page)

    @staticmethod
    def _size(connection: Connection) -> int:
        query = select(tables.event.c.seq).order_by(tables.event.c.seq.desc()).limit(1)
        last = connection.execute(query).scalar()
        return 0 if last is None else last + 1

    def export(self) -> Iterator[bytes]:
        """Lines (with newline) of an export that ``verify_file`` checks: a header, then each leaf.

        Raises ``LedgerEntryNotFound`` while the ledger is empty.
        """
        with self._database.reading() as connection:
            yield from write_export(connection, self._some_checkpoint(connection))

    def verify(
        self,
        progress: Progress | None = None,
        *,
        witnessed: Iterable[str] = (),
    ) -> LedgerReport:
        """Recompute everything and name whatever does not fit.

        ``progress(done, total)`` counts entries. ``witnessed``: checkpoints (signed notes) that
        somebody kept elsewhere; a ledger that was rewound or rewritten does not fit them.
        """
        with self._database.inspecting() as connection:
            return verify(connection, self.verifier, witnessed, progress)

    def record_by_content_id(self, content_id: str) -> Record | None:
        """The record whose mark carries ``content_id`` (16 hex digits)."""
        with self._database.reading() as connection:
            return records.by_content_id(connection, content_id)

    def record_by_sha256(self, sha256: str) -> Record | None:
        """The oldest record of the file with this SHA-256 (64 hex digits)."""
        with self._database.reading() as connection:
            return records.by_sha256(connection, sha256)

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


def _agreed(found: Mapping[str, tuple[Entry, str]], drafts: Sequence[Draft]) -> dict[str, Entry]:
    """The entries that stand already. Raises ``EventConflict`` where an id means two events."""
    bodies = {event_id: (entry.kind, body) for event_id, (entry, body) in found.items()}
    for d in drafts:
        if bodies.setdefault(d.event.id, (d.event.kind, d.body)) != (d.event.kind, d.body):
            raise EventConflict(
                f"The id {d.event.id} stands for another event already; a new event needs a new id."
            )
    return {event_id: entry for event_id, (entry, _) in found.items()}
