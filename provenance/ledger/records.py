"""Records: what the ledger knows of delivered pictures, and how a picture finds its own.

A record stands twice: as the body of a ``delivery`` event, under the hash, and as a row that can be
searched. ``Ledger.verify`` compares the two; the credential itself is only in the row, its SHA-256
in the event.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy import Connection, Row, or_, select

from policies.decision import PolicyRef
from provenance.errors import EventInvalid, LedgerCorrupt
from provenance.ledger import tables
from provenance.ledger.event import Event, Json, format_time
from provenance.record import Record

DELIVERY = "delivery"
PDQ_BITS = 256
PORTION = 100  # credentials that are held in memory at once, of some tens of kilobytes each
_c = tables.record.c


def delivery(record: Record, extra: Mapping[str, Json]) -> Event:
    """The event that binds ``record``. Its id is the content id, so a delivery is recorded once.

    ``extra`` stands beside the record in the body. Raises ``EventInvalid`` if it says ``record``.
    """
    if "record" in extra:
        raise EventInvalid("The record's own place in the body is taken; name the extra otherwise.")
    return Event(DELIVERY, {"record": described(record), **extra}, id=record.content_id)


def described(record: Record) -> dict[str, Json]:
    """A record as it stands in the body of its event."""
    columns = (str(column.name) for column in tables.record.columns)
    return _described(dict(zip(columns, row_of(record, 0), strict=True)))


def _described(columns: Mapping[str, Any]) -> dict[str, Json]:
    plain = {
        name: value
        for name, value in columns.items()
        if name not in ("seq", "credential") and not name.startswith("policy_")
    }
    return {
        **plain,
        "policy": {part: columns[f"policy_{part}"] for part in PolicyRef.model_fields},
        "credential_sha256": sha256(columns["credential"]).hexdigest(),
    }


def row_of(record: Record, seq: int) -> tuple[Any, ...]:
    """A record as a row, in the order of the table's columns."""
    policy = {f"policy_{part}": value for part, value in record.policy.model_dump().items()}
    fields = record.model_dump(exclude={"policy"}) | policy
    fields |= {"seq": seq, "created_at": format_time(record.created_at)}
    return tuple(fields[column.name] for column in tables.record.columns)


def restored(body: Mapping[str, Any], credential: bytes) -> Record:
    """The record that the body of a delivery binds. Raises ``EventInvalid`` when it is none."""
    try:
        fields = {k: v for k, v in body["record"].items() if k != "credential_sha256"}
        record = Record.model_validate(fields | {"credential": credential})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise EventInvalid(f"A delivery holds no record: {error}.") from error
    if described(record) != body["record"]:
        raise EventInvalid("A delivery and its credential do not belong together.")
    return record


def record_of(row: Row[*tuple[Any, ...]]) -> Record:
    """A row as a record. Raises ``LedgerCorrupt`` when it cannot be one."""
    fields = dict(row._mapping)
    seq = fields.pop("seq")
    policy = {part: fields.pop(f"policy_{part}") for part in PolicyRef.model_fields}
    try:
        return Record.model_validate(fields | {"policy": policy})
    except ValidationError as error:
        raise LedgerCorrupt(
            f"The record of entry {seq} is damaged. Run: wardmark ledger verify"
        ) from error


def disagreements(connection: Connection) -> Iterator[tuple[int, str]]:
    """(index, what differs) of each record that is not what its event binds."""
    event = tables.event.c
    query = select(event.body, tables.record).join_from(
        tables.record, tables.event, _c.seq == event.seq
    )
    for row in connection.execute(query.where(event.kind == DELIVERY).order_by(_c.seq)):
        columns = dict(row._mapping)
        try:
            bound = orjson.loads(columns.pop("body"))["record"]
            stands = _described(columns)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            yield row.seq, f"Entry {row.seq} or its record cannot be read as a delivery."
            continue
        wrong = sorted(
            name for name in bound.keys() | stands if bound.get(name) != stands.get(name)
        )
        if wrong:
            yield row.seq, f"The record of entry {row.seq} differs in: {', '.join(wrong)}."


def missing(connection: Connection) -> Sequence[int]:
    """Indexes of deliveries that have no record."""
    event = tables.event.c
    query = select(event.seq).join_from(
        tables.event, tables.record, _c.seq == event.seq, isouter=True
    )
    return connection.execute(query.where(event.kind == DELIVERY, _c.seq.is_(None))).scalars().all()


def unexpected(connection: Connection) -> Sequence[int]:
    """Indexes that records name although no delivery stands there."""
    event = tables.event.c
    query = select(_c.seq).join_from(tables.record, tables.event, _c.seq == event.seq, isouter=True)
    strange = or_(event.kind != DELIVERY, event.kind.is_(None))
    return connection.execute(query.where(strange)).scalars().all()


def credentials(connection: Connection, span: range) -> Iterator[tuple[int, bytes]]:
    """Index and credential of each record whose entry is in ``span``, in order."""
    query = select(_c.seq, _c.credential).where(_c.seq >= span.start, _c.seq < span.stop)
    result = connection.execution_options(yield_per=PORTION).execute(query.order_by(_c.seq))
    for seq, credential in result:
        yield seq, bytes(credential)


def content_ids(connection: Connection, decision_id: str) -> Sequence[str]:
    """Of the pictures that were delivered on a decision: the ids of their entries."""
    query = select(_c.content_id).where(_c.decision_id == decision_id).order_by(_c.seq)
    return connection.execute(query).scalars().all()


def by_content_id(connection: Connection, content_id: str) -> Record | None:
    """The record whose mark carries ``content_id`` (16 hex digits)."""
    return _first(connection, _c.content_id == content_id.lower())


def by_sha256(connection: Connection, digest: str) -> Record | None:
    """The oldest record of the file with this SHA-256 (64 hex digits)."""
    return _first(connection, _c.sha256 == digest.lower())


def by_seq(connection: Connection, seq: int) -> Record | None:
    """The record of the entry at index ``seq``."""
    return _first(connection, _c.seq == seq)


def _first(connection: Connection, condition: Any) -> Record | None:
    query = select(tables.record).where(condition).order_by(_c.seq).limit(1)
    row = connection.execute(query).first()
    return None if row is None else record_of(row)


class Fingerprints:
    """All PDQ hashes of the records in memory, 32 bytes each, for exhaustive search.

    A scan of 10**6 hashes takes about 20 ms of one core and 32 MB, and misses nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: NDArray[np.uint64] = np.empty((0, PDQ_BITS // 64), np.uint64)
        self._seqs: NDArray[np.int64] = np.empty(0, np.int64)

    def count(self, connection: Connection) -> int:
        """How many there are."""
        return len(self._refreshed(connection)[1])

    def nearest(
        self, connection: Connection, pdq: str, max_distance: int
    ) -> tuple[int, int] | None:
        """(index of the entry, Hamming distance) of the nearest record; None beyond the limit.

        ``pdq``: 64 hex digits. Of equally near records, the oldest.
        """
        words, seqs = self._refreshed(connection)
        if not len(seqs):
            return None
        wanted = np.frombuffer(bytes.fromhex(pdq), np.uint64)
        distances = np.bitwise_count(words ^ wanted).sum(axis=1, dtype=np.uint16)
        best = int(distances.argmin())
        distance = int(distances[best])
        return (int(seqs[best]), distance) if distance <= max_distance else None

    def _refreshed(self, connection: Connection) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        with self._lock:
            last = int(self._seqs[-1]) if len(self._seqs) else -1
            query = select(_c.seq, _c.pdq).where(_c.seq > last).order_by(_c.seq)
            rows = connection.execute(query).all()
            if rows:
                fresh = np.frombuffer(bytes.fromhex("".join(row.pdq for row in rows)), np.uint64)
                self._words = np.concatenate([self._words, fresh.reshape(len(rows), -1)])
                self._seqs = np.concatenate(
                    [self._seqs, np.array([row.seq for row in rows], np.int64)]
                )
            return self._words, self._seqs
