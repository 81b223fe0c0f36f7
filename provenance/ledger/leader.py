"""The leader: one sequencer for many writers, processes and hosts, in PostgreSQL.

Any number may run; whoever holds an advisory lock leads, and when it dies the server gives the lock
to the next. The lock only spares work: two that lead by mistake are kept apart by the transactions
of ``Sequencer``, and no event is appended twice because its id stands already.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from provenance.errors import EventInvalid, LedgerKeyInvalid, LedgerUnavailable
from provenance.ledger import queue
from provenance.ledger.batch import Batch
from provenance.ledger.database import Database
from provenance.ledger.key import LedgerKey
from provenance.ledger.sequencer import Sequencer
from provenance.ledger.ticket import Ticket, decode

LEADER_LOCK = 0x57_41_52_4C  # "WARL": the advisory lock of PostgreSQL that the leader holds
ELECTION_SECONDS = 0.2  # between attempts to become the leader
LOOK_SECONDS = 1.0  # between looks at the queue, should a notification have been lost
MAX_TICKETS = 100  # in one transaction
# A leader whose host loses power says nothing more: asked after 5 s, given up after 11 s.
_KEEPALIVE = (
    "SELECT set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '2', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)


class Leader:
    """Appends what lies in the queue of the ledger at ``url``, signed with ``key``."""

    def __init__(
        self,
        url: str,
        key: LedgerKey,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``report`` gets a line when something goes wrong that needs no stop.

        Raises ``LedgerUnavailable``, also for SQLite, whose writers append by themselves.
        """
        self._database = Database(url)
        if self._database.is_sqlite:
            raise LedgerUnavailable(
                "Writers to SQLite append by themselves; a sequencer is for PostgreSQL."
            )
        self._database.check_revision()
        self._sequencer = Sequencer(self._database, key, clock)
        self._report = report
        self._careful = False  # one ticket at a time, until the bad one is found

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def run(self, stop: threading.Event, elected: Callable[[], None] = lambda: None) -> None:
        """Lead, or wait to lead, until ``stop``; ``elected`` is called on becoming the leader.

        An outage of the database is reported and waited for. Raises ``LedgerCorrupt``,
        ``LedgerKeyInvalid``: another, who may have the right key, must be able to lead.
        """
        while not stop.is_set():
            try:
                with self._database.outside() as connection:
                    connection.execute(text(_KEEPALIVE))
                    while not stop.is_set() and not _won(connection):
                        stop.wait(ELECTION_SECONDS)
                    if not stop.is_set():
                        elected()
                    self._lead(connection, stop)
                    connection.execute(text("SELECT pg_advisory_unlock_all()"))
            except LedgerKeyInvalid:
                raise
            except LedgerUnavailable as error:
                self._report(str(error))
            stop.wait(ELECTION_SECONDS)

    def _lead(self, connection: Connection, stop: threading.Event) -> None:
        self._database.listen(connection, queue.PUT)
        while not stop.is_set():
            # Heard while busy too: what nobody hears piles up in the server.
            self._database.hear(connection, 0 if self.drain() else LOOK_SECONDS)

    def drain(self) -> bool:
        """Append what lies in the queue, in one transaction; whether anything did.

        A ticket that cannot be appended is thrown out and reported; it does not harm the others.
        """
        taken: list[int] = []

        def take(connection: Connection) -> list[Ticket | Batch]:
            found = queue.take(connection, 1 if self._careful else MAX_TICKETS)
            taken.extend(found)
            tickets = [decode(content) for content in found.values()]
            if found:
                queue.notify(connection, queue.DONE)
            return tickets

        try:
            self._sequencer.append_from(take)
        except EventInvalid as error:
            self._careful = len(taken) > 1
            if not self._careful:
                self._throw_out(taken[0], error)
        return bool(taken)

    def _throw_out(self, number: int, error: EventInvalid) -> None:
        with self._database.appending() as connection:
            removed = queue.remove(connection, number)
            queue.notify(connection, queue.DONE)
        if removed:  # else its writer has taken it back
            self._report(f"Ticket {number} was thrown out: {error}")


def _won(connection: Connection) -> bool:
    query = text("SELECT pg_try_advisory_lock(:key)")
    return bool(connection.execute(query, {"key": LEADER_LOCK}).scalar_one())
