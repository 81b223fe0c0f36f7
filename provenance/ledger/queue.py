"""The queue, in PostgreSQL: writers leave tickets there and the leading sequencer takes them out.

A ticket is taken out in the very transaction that appends its events, so it is either in the queue
or done, whoever is killed. Who waits is woken by NOTIFY; that is only for speed, and each side also
looks by itself from time to time.
"""

from sqlalchemy import Connection, delete, exists, func, insert, select, text

from provenance.ledger import tables
from provenance.ledger.batch import Batch
from provenance.ledger.ticket import Ticket, encode

PUT = "wardmark_put"  # channels of NOTIFY
DONE = "wardmark_done"
HANGING_SECONDS = 10  # of a transaction of the sequencer, after which it is not waited for
MAX_BYTES = 64 << 20  # of tickets in one transaction, beyond the first
_c = tables.queue.c


def put(connection: Connection, ticket: Ticket | Batch) -> int:
    """Leave a ticket; its number. ``connection`` is outside any transaction."""
    query = insert(tables.queue).values(content=encode(ticket)).returning(_c.ticket)
    number = int(connection.execute(query).scalar_one())
    # Not in the same transaction: those with a NOTIFY are committed one after the other.
    notify(connection, PUT)
    return number


def waits(connection: Connection, number: int) -> bool:
    """Whether the ticket is still to be done."""
    return bool(connection.execute(select(exists().where(_c.ticket == number))).scalar_one())


def withdraw(connection: Connection, number: int) -> bool:
    """Take a ticket back for good; False when a sequencer was quicker.

    Waits for one that is about to do it, but not for one that hangs.
    """
    connection.execute(text(f"SELECT set_config('lock_timeout', '{HANGING_SECONDS}s', false)"))
    return remove(connection, number)


def remove(connection: Connection, number: int) -> bool:
    """Take a ticket out undone; whether it was still there."""
    return connection.execute(delete(tables.queue).where(_c.ticket == number)).rowcount == 1


def take(connection: Connection, limit: int) -> dict[int, bytes]:
    """Take out up to ``limit`` tickets, in the order of their numbers: their contents.

    Fewer when they are large: what comes after the first ``MAX_BYTES`` waits for the next time.
    """
    size = func.octet_length(_c.content)
    before = func.sum(size).over(order_by=_c.ticket) - size
    oldest = select(_c.ticket, before.label("before")).order_by(_c.ticket).limit(limit).subquery()
    wanted = select(oldest.c.ticket).where(oldest.c.before < MAX_BYTES)
    query = delete(tables.queue).where(_c.ticket.in_(wanted))
    rows = connection.execute(query.returning(_c.ticket, _c.content)).all()
    return {number: bytes(content) for number, content in sorted(rows, key=lambda row: row[0])}


def notify(connection: Connection, channel: str) -> None:
    """Wake whoever listens, as soon as the transaction stands."""
    connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": channel})
