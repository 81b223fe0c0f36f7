"""The sequencer: gives events their place, one transaction at a time.

Threads that append at once share a transaction (group commit): each leaves a ticket, and whoever
comes to the front writes for all that wait, after a short wait for those who were served just now
and come again. So sixteen threads cost one write to the disk, and not sixteen. Between processes
the database makes the transactions take turns.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from policies.errors import WardmarkError
from provenance.errors import EventConflict, LedgerKeyInvalid, LedgerUnavailable
from provenance.ledger import batch as batches
from provenance.ledger import journal, records, tables
from provenance.ledger.batch import Batch
from provenance.ledger.database import Database
from provenance.ledger.event import Draft, Entry, Event, draft, format_time, parse_time
from provenance.ledger.heads import believed, keys, last_note
from provenance.ledger.heads import frontier as stored_frontier
from provenance.ledger.key import LedgerKey
from provenance.ledger.merkle import Frontier
from provenance.ledger.rotation import FIELD, KIND, Rotation
from provenance.ledger.ticket import Ticket
from provenance.ledger.tiles import tile_row
from provenance.record import Record

MAX_GROUP = 10_000  # events in one transaction, beyond the first ticket
GATHERING = 0.25  # of the time of a transaction, which the next one may wait for who comes again
LOOK_SECONDS = 5e-5  # between looks at who has come


class _Head(NamedTuple):
    """The tree as of the last checkpoint, and the time of its last entry; "" of an empty ledger."""

    frontier: Frontier
    note: str | None
    at: str


@dataclass
class _Ticket:
    """What one thread wants appended, and later what became of it."""

    drafts: Sequence[Draft]
    rows: Mapping[str, Record]
    entries: list[Entry] = field(default_factory=list)
    error: WardmarkError | None = None
    done: bool = False
    thread: int = field(default_factory=threading.get_ident)


class _Served(NamedTuple):
    """The last group: its threads, when it was done and how long that took (monotonic seconds)."""

    threads: frozenset[int]
    ended: float
    took: float


class Sequencer:
    """Appends drafts to the ledger in ``database`` and signs each new head with ``key``."""

    def __init__(self, database: Database, key: LedgerKey, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._turn = threading.Condition()
        self._writer: _Ticket | None = None  # whose thread writes, one at a time
        self._waiting: deque[_Ticket] = deque()
        self._served = _Served(frozenset(), 0.0, 0.0)
        self._head = _Head(Frontier(), None, "")

    def commit(self, drafts: Sequence[Draft], rows: Mapping[str, Record]) -> list[Entry]:
        """Append ``drafts``, all or none; entries come in their order.

        ``rows``: records that are to be searchable, by the id of their event. Raises
        ``EventConflict``, ``LedgerUnavailable``, ``LedgerCorrupt``.
        """
        ticket = _Ticket(drafts, rows)
        try:
            with self._turn:
                self._waiting.append(ticket)
                self._turn.wait_for(lambda: ticket.done or self._writer is None)
                if not ticket.done:
                    self._writer = ticket
            while not ticket.done:
                self._gather()
                self._write(self._next_group())
        finally:  # whatever happens, and be it Ctrl-C
            if self._writer is ticket:
                with self._turn:
                    self._writer = None
                    self._turn.notify_all()
        if ticket.error is not None:
            raise ticket.error
        return ticket.entries

    def commit_batch(self, batch: Batch) -> range:
        """Append a batch, all or none; returns the indexes of its events. Raises as ``commit``."""
        with self._alone():
            with self._database.appending() as connection:
                head, where = self._append_batch(connection, self._current(connection), batch)
            self._head = head  # only once the transaction stands
        return where

    def _append_batch(
        self, connection: Connection, head: _Head, batch: Batch
    ) -> tuple[_Head, range]:
        stands = batches.standing(connection, batch)
        if stands is not None:
            return head, stands
        at = max(format_time(self._clock()), head.at)
        laid = batches.lay_out(batch, head.frontier.size, at)
        extended = self._sign(connection, head, laid, at)
        return extended, range(head.frontier.size, extended.frontier.size)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other threads from writing, as a ticket does whose turn it is."""
        with self._turn:
            self._turn.wait_for(lambda: self._writer is None)
            self._writer = _Ticket((), {})
        try:
            yield
        finally:
            with self._turn:
                self._writer = None
                self._turn.notify_all()

    def append_from(self, take: Callable[[Connection], Iterable[Ticket | Batch]]) -> None:
        """Append the tickets that ``take`` brings, in the transaction in which it brings them.

        One that means another event by an id that stands is left out. From one thread at a time,
        and not beside ``commit``. Raises as ``commit``, and whatever ``take`` raises.
        """
        with self._database.appending() as connection:
            taken = list(take(connection))
            group = [_Ticket(*ticket) for ticket in taken if isinstance(ticket, Ticket)]
            head = self._append(connection, group)
            for batch in taken:
                if isinstance(batch, Batch):
                    with suppress(EventConflict):  # of which its writer finds out
                        head, _ = self._append_batch(connection, head, batch)
        self._head = head

    def rotate(self, successor: LedgerKey) -> Rotation:
        """Hand the ledger over to ``successor``, which signs from then on. Raises as ``commit``."""
        with self._alone():
            with self._database.appending() as connection:
                head = self._current(connection)
                rotation = Rotation.sign(head.frontier.size + 1, self._key, successor)
                event_id = f"{KIND}/{successor.public.key_id.hex()}"
                event = draft(Event(KIND, {FIELD: rotation.statement}, event_id))
                head, _ = self._extend(connection, head, [event], successor)
            self._head, self._key = head, successor
        return rotation

    def _gather(self) -> None:
        """Wait for the threads that were served just now: they often come again, all at once.

        Without this, sixteen threads fall into two groups that take turns, which costs twice as
        much. Where the last group was served longer ago than it took, nobody waits.
        """
        now = time.monotonic()
        if now - self._served.ended > self._served.took:
            return
        while time.monotonic() - now < GATHERING * self._served.took:
            with self._turn:
                if self._served.threads <= {ticket.thread for ticket in self._waiting}:
                    return
            time.sleep(LOOK_SECONDS)

    def _next_group(self) -> list[_Ticket]:
        group = [self._waiting.popleft()]
        size = 0
        while self._waiting and size + len(self._waiting[0].drafts) <= MAX_GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1].drafts)
        return group

    def _write(self, group: Sequence[_Ticket]) -> None:
        began = time.monotonic()
        try:
            with self._database.appending() as connection:
                head = self._append(connection, group)
            self._head = head  # only once the transaction stands
        except WardmarkError as error:
            for ticket in group:
                ticket.error = ticket.error or error
        except BaseException:
            for ticket in group:
                ticket.error = LedgerUnavailable(
                    "The append was interrupted; send the events again under the same ids."
                )
            raise
        finally:
            ended = time.monotonic()
            threads = frozenset(ticket.thread for ticket in group)
            self._served = _Served(threads, ended, ended - began)
            for ticket in group:
                ticket.done = True

    def _append(self, connection: Connection, group: Sequence[_Ticket]) -> _Head:
        head = self._current(connection)
        if not group:
            return head
        standing = journal.find(connection, [d.event.id for t in group for d in t.drafts])
        fresh = _admit(group, {i: (e.kind, body) for i, (e, body) in standing.items()})
        entries = {event_id: entry for event_id, (entry, _) in standing.items()}
        if fresh:
            head, added = self._extend(connection, head, fresh)
            entries |= added
            self._insert_records(connection, group, added)
        for ticket in group:
            if ticket.error is None:
                ticket.entries = [entries[d.event.id] for d in ticket.drafts]
        return head

    def _extend(
        self,
        connection: Connection,
        head: _Head,
        fresh: Sequence[Draft],
        successor: LedgerKey | None = None,
    ) -> tuple[_Head, dict[str, Entry]]:
        # A clock that jumped back must not put an entry before the one it follows.
        at = max(format_time(self._clock()), head.at)
        laid = journal.lay_out(fresh, head.frontier.size, at)
        extended = self._sign(connection, head, laid, at, successor)
        time = parse_time(at)
        added = {
            d.event.id: Entry(row[0], time, d.event, row[-1].hex())
            for d, row in zip(fresh, laid, strict=True)
        }
        return extended, added

    def _sign(
        self,
        connection: Connection,
        head: _Head,
        laid: Sequence[tuple[Any, ...]],
        at: str,
        successor: LedgerKey | None = None,
    ) -> _Head:
        """Insert rows of ``event`` with the tiles that they fill, under a signed head."""
        frontier = head.frontier.copy()
        tiles = frontier.extend([row[-1] for row in laid])
        signed = self._key.sign_checkpoint(frontier.size, frontier.root(), successor)
        root = bytes.fromhex(signed.root)
        self._database.insert(connection, tables.event, laid)
        if tiles:
            self._database.insert(connection, tables.tile, [tile_row(tile) for tile in tiles])
        self._database.insert(connection, tables.checkpoint, [(signed.size, root, signed.note)])
        return _Head(frontier, signed.note, at)

    def _insert_records(
        self, connection: Connection, group: Iterable[_Ticket], added: Mapping[str, Entry]
    ) -> None:
        admitted = [ticket.rows for ticket in group if ticket.error is None]
        found = {event_id: record for rows in admitted for event_id, record in rows.items()}
        laid = [
            records.row_of(record, added[event_id].index)
            for event_id, record in found.items()
            if event_id in added
        ]
        if laid:
            self._database.insert(connection, tables.record, laid)

    def _current(self, connection: Connection) -> _Head:
        """The head to extend: the one in memory, unless another process has moved on."""
        note = last_note(connection)
        if note == self._head.note:
            return self._head
        history = keys(connection, self._key.public)
        signed = believed(note, history) if note else None
        size = signed.size if signed else 0
        if history.at(size + 1) != self._key.public:
            raise LedgerKeyInvalid(
                f"The key {self._key.public.key_id.hex()} of {self._key.public.name} was replaced; "
                "load the ledger's new key and try again."
            )
        frontier = stored_frontier(connection, signed)
        query = select(tables.event.c.at).where(tables.event.c.seq == size - 1)
        return _Head(frontier, note, connection.execute(query).scalar() or "")


def _admit(group: Iterable[_Ticket], known: dict[str, tuple[str, str]]) -> list[Draft]:
    """The drafts that are new, in order. ``known``: kind and body of each id that stands.

    A ticket whose id means two events is turned away whole; it does not harm the others.
    """
    fresh: list[Draft] = []
    for ticket in group:
        own: dict[str, Draft] = {}
        for d in ticket.drafts:
            meant = (d.event.kind, d.body)
            stands = known.get(d.event.id)
            if stands is None and d.event.id in own:
                stands = (own[d.event.id].event.kind, own[d.event.id].body)
            if stands is None:
                own[d.event.id] = d
            elif stands != meant:
                ticket.error = EventConflict(
                    f"The id {d.event.id} stands for another event already; "
                    "a new event needs a new id."
                )
                break
        else:
            fresh += own.values()
            known |= {event_id: (d.event.kind, d.body) for event_id, d in own.items()}
    return fresh
