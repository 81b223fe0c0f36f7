"""Settling: what changes the store of keys, within one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Delete, delete, insert, select, update

from provenance.ledger.event import format_time, parse_time
from provenance.ledger.forgetting import tables

_k = tables.subject_key.c

Rows = Sequence[dict[str, Any]]
"""Each row by the names of its columns."""


class Settlement(NamedTuple):
    """How far a store is in carrying out what the ledger says.

    ``size``: withdrawals among so many entries are carried out. ``deleted``: keys that ever were;
    ``rewritten``: of these, how many the file was rewritten without. ``copies_until``: no copy of
    this store is good after that, None if there never was one. ``expires_at``: of a copy, when it
    is no good any more; None for the store itself.
    """

    size: int
    deleted: int
    rewritten: int
    copies_until: datetime | None
    expires_at: datetime | None

    @property
    def residue(self) -> bool:
        """Whether a trace of a deleted key may be left in the file."""
        return self.deleted > self.rewritten


class Contents(NamedTuple):
    """A whole store."""

    keys: Rows
    forgotten: Rows
    settlement: Settlement


class Settling:
    """What a withdrawal changes, within one transaction of the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.before = settlement_of(connection)
        self._deleted = 0

    def forget(self, subject: str) -> int:
        """Destroy every key of a subject, and never make another; returns how many there were."""
        if not is_forgotten(self._connection, subject):
            self._connection.execute(insert(tables.forgotten).values(subject=subject))
        return self._delete(delete(tables.subject_key).where(_k.subject == subject))

    def expire(self, retention: str, through: str) -> int:
        """Destroy the keys of a class that were made on ``through`` (ISO 8601) or before."""
        return self._delete(delete(tables.subject_key).where(of_class(retention, through)))

    def take_in(self, contents: Contents) -> None:
        """Add what another store holds, and be settled as far as that one is."""
        known = set(self._connection.execute(select(tables.forgotten.c.subject)).scalars())
        forgotten = [row for row in contents.forgotten if row["subject"] not in known]
        for table, rows in ((tables.subject_key, contents.keys), (tables.forgotten, forgotten)):
            if rows:
                self._connection.execute(insert(table), rows)
        self.before = self.before._replace(size=contents.settlement.size)
        if contents.settlement.copies_until:
            self._update(copies_until=format_time(contents.settlement.copies_until))

    def become_copy(self, expires: datetime) -> None:
        """Mark this store as a copy that may be restored until ``expires``."""
        self._update(expires_at=format_time(expires))

    def _delete(self, statement: Delete) -> int:
        deleted = self._connection.execute(statement).rowcount
        self._deleted += deleted
        return deleted

    def done(self, size: int) -> int:
        """Note that the first ``size`` entries are carried out; returns how many keys went."""
        deleted = self.before.deleted + self._deleted
        self._update(size=size, deleted=deleted)
        return self._deleted

    def _update(self, **columns: int | str) -> None:
        self._connection.execute(update(tables.settlement).values(**columns))


def settlement_of(connection: Connection) -> Settlement:
    """As ``KeyStore.settlement``, within a transaction."""
    row = connection.execute(select(tables.settlement)).one()
    return Settlement(
        size=row.size,
        deleted=row.deleted,
        rewritten=row.rewritten,
        copies_until=parse_time(row.copies_until) if row.copies_until else None,
        expires_at=parse_time(row.expires_at) if row.expires_at else None,
    )


def of_class(retention: str, through: str) -> ColumnElement[bool]:
    """Keys of a retention class that were made on ``through`` or before."""
    return (_k.retention == retention) & (_k.day <= through)


def is_forgotten(connection: Connection, subject: str) -> bool:
    """Whether a subject's withdrawal is carried out in this store."""
    query = select(tables.forgotten.c.subject).where(tables.forgotten.c.subject == subject)
    return connection.execute(query).first() is not None
