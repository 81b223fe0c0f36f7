"""Handing over: how a process without the ledger's key appends, in PostgreSQL.

It leaves a ticket in the queue and waits until a sequencer (``leader``) has done it. Nobody sends
an answer: it is read from the ledger itself, by the ids of the events.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from provenance.errors import EventConflict, LedgerUnavailable
from provenance.ledger import batch as batches
from provenance.ledger import journal, queue
from provenance.ledger.batch import Batch
from provenance.ledger.database import BUSY_SECONDS, Database
from provenance.ledger.event import Draft, Entry
from provenance.ledger.ticket import Ticket
from provenance.record import Record

LOOK_SECONDS = 1.0  # between looks at the queue, should a notification have been lost


class HandOver:
    """Appends through whoever leads. Safe to share between threads."""

    def __init__(self, database: Database, patience: float = BUSY_SECONDS) -> None:
        self._database = database
        self._patience = patience

    def commit(self, drafts: Sequence[Draft], rows: Mapping[str, Record]) -> list[Entry]:
        """As ``Sequencer.commit``. Raises ``LedgerUnavailable`` too when no sequencer comes."""
        _check(drafts)
        with self._done(Ticket(drafts, rows)) as connection:
            standing = journal.find(connection, [d.event.id for d in drafts])
        return [entry for entry, _ in _told(drafts, standing)]

    def commit_batch(self, batch: Batch) -> range:
        """As ``Sequencer.commit_batch``. Raises as ``commit``."""
        with self._done(batch) as connection:
            stands = batches.standing(connection, batch)
        if stands is None:
            raise _thrown_out()
        return stands

    @contextmanager
    def _done(self, ticket: Ticket | Batch) -> Iterator[Connection]:
        """Leave a ticket and wait until it is out of the queue, done or thrown out."""
        until = time.monotonic() + self._patience
        with self._database.outside() as connection:
            self._database.listen(connection, queue.DONE)
            number = queue.put(connection, ticket)
            while queue.waits(connection, number):
                left = until - time.monotonic()
                if left <= 0 and queue.withdraw(connection, number):
                    raise LedgerUnavailable(
                        f"No sequencer took the events within {self._patience:g} s; nothing was "
                        "recorded. Where the ledger's key is, run: wardmark ledger sequence"
                    )
                self._database.hear(connection, min(max(left, 0), LOOK_SECONDS))
            yield connection


def _check(drafts: Sequence[Draft]) -> None:
    """Raises ``EventConflict`` where one id means two events among ``drafts`` themselves."""
    meant: dict[str, tuple[str, str]] = {}
    for d in drafts:
        if meant.setdefault(d.event.id, (d.event.kind, d.body)) != (d.event.kind, d.body):
            raise _conflict(d)


def _told(
    drafts: Sequence[Draft], standing: Mapping[str, tuple[Entry, str]]
) -> list[tuple[Entry, str]]:
    """What became of a ticket that was done: its entries, if they stand as they were meant."""
    for d in drafts:
        entry, body = standing.get(d.event.id, (None, ""))
        if entry is not None and (entry.kind, body) != (d.event.kind, d.body):
            raise _conflict(d)
    if any(d.event.id not in standing for d in drafts):
        raise _thrown_out()
    return [standing[d.event.id] for d in drafts]


def _thrown_out() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The sequencer threw the events out and says why in its own log; nothing was recorded."
    )


def _conflict(d: Draft) -> EventConflict:
    return EventConflict(
        f"The id {d.event.id} stands for another event already; a new event needs a new id."
    )
