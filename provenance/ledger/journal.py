"""Reading and writing rows of ``event``: the one place that knows how an entry lies in columns."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, Select, func, select, text

from provenance.ledger import tables
from provenance.ledger.event import FORMAT, Draft, Entry, Event, format_time, leaf, parse_time
from provenance.ledger.merkle import leaf_hash
from provenance.ledger.proof import Leaf

PAGE = 1_000  # rows in one query
PAGE_BACK = 100  # the same where somebody wants the newest, of which few are looked at
_c = tables.event.c
_COLUMNS = (_c.seq, _c.id, _c.kind, _c.at, _c.body, _c.leaf_hash)
_ON_SQLITE = select(*_COLUMNS).where(text("event.id IN (SELECT value FROM json_each(:ids))"))
_ON_POSTGRESQL = select(*_COLUMNS).where(text("event.id = ANY(:ids)"))


def lay_out(drafts: Iterable[Draft], first: int, at: str) -> list[tuple[Any, ...]]:
    """Rows of ``event`` for drafts that are to stand from index ``first`` on."""
    return [
        (seq, d.event.id, d.event.kind, at, FORMAT, d.body, leaf_hash(_leaf(d, at)))
        for seq, d in enumerate(drafts, first)
    ]


def _leaf(draft: Draft, at: str) -> bytes:
    return leaf(at, draft.body, draft.event.id, draft.event.kind, FORMAT)


def find(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[Entry, str]]:
    """The entries that stand under any of ``ids``, with their canonical bodies."""
    # All ids are one parameter: one for each would cost more than the search.
    if connection.dialect.name == "sqlite":
        found = connection.execute(_ON_SQLITE, {"ids": orjson.dumps(ids).decode()})
    else:
        found = connection.execute(_ON_POSTGRESQL, {"ids": list(ids)})
    return {row.id: (_entry(row), row.body) for row in found}


def read(
    connection: Connection,
    *,
    first: int,
    end: int | None = None,
    kind: str | None,
    mentioning: str | None = None,
    limit: int,
) -> list[Entry]:
    """Up to ``limit`` entries from index ``first`` on and before ``end``, in order."""
    query: Select[Any] = select(*_COLUMNS).where(_c.seq >= first)
    if end is not None:
        query = query.where(_c.seq < end)
    if kind is not None:
        query = query.where(_c.kind == kind)
    if mentioning is not None:
        find = func.instr if connection.dialect.name == "sqlite" else func.strpos
        query = query.where(find(_c.body, mentioning) > 0)
    return [_entry(row) for row in connection.execute(query.order_by(_c.seq).limit(limit))]


def read_back(
    connection: Connection, *, before: int | None, kind: str | None, limit: int
) -> list[Entry]:
    """Up to ``limit`` entries before index ``before``, the last of all where None, newest first."""
    query: Select[Any] = select(*_COLUMNS)
    if before is not None:
        query = query.where(_c.seq < before)
    if kind is not None:
        query = query.where(_c.kind == kind)
    return [_entry(row) for row in connection.execute(query.order_by(_c.seq.desc()).limit(limit))]


class Tally(NamedTuple):
    """How many entries of a kind there are, and index and time of the last one."""

    entries: int
    last: int
    at: datetime


def tallies(connection: Connection) -> dict[str, Tally]:
    """Of every kind that there is. Counted on the index of kinds, without a body."""
    last = func.max(_c.seq).label("last")
    sums = select(_c.kind, func.count().label("entries"), last).group_by(_c.kind).subquery()
    query = select(sums.c.kind, sums.c.entries, sums.c.last, _c.at).join(
        tables.event, _c.seq == sums.c.last
    )
    rows = connection.execute(query)
    return {row.kind: Tally(row.entries, row.last, parse_time(row.at)) for row in rows}


def first_since(connection: Connection, size: int, since: datetime) -> int:
    """Index of the first entry at or after ``since``; ``size`` when there is none.

    Times never decrease along the ledger, so this needs no index on them.
    """
    wanted, low, high = format_time(since), 0, size
    while low < high:
        middle = (low + high) // 2
        at = connection.execute(select(_c.at).where(_c.seq == middle)).scalar()
        if at is None or at < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    event = Event(row.kind, orjson.loads(row.body), row.id)
    return Entry(row.seq, parse_time(row.at), event, row.leaf_hash.hex())


def leaves(connection: Connection, span: range) -> Iterator[bytes]:
    """The leaves of ``span``, in order."""
    for first in range(span.start, span.stop, PAGE):
        query = select(_c.at, _c.body, _c.id, _c.kind, _c.version)
        query = query.where(_c.seq >= first, _c.seq < min(first + PAGE, span.stop)).order_by(_c.seq)
        for at, body, event_id, kind, version in connection.execute(query):
            yield leaf(at, body, event_id, kind, version)


def leaf_of(connection: Connection, seq: int) -> Leaf:
    """What the leaf hash of entry ``seq`` covers. The entry exists."""
    row = connection.execute(select(*_COLUMNS, _c.version).where(_c.seq == seq)).one()
    return Leaf(at=row.at, body=orjson.loads(row.body), id=row.id, kind=row.kind, v=row.version)
