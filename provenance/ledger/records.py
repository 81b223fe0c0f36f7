"""Records: what the ledger knows of delivered pictures, and how a picture finds its own.

A record stands twice: as the body of a ``delivery`` event, under the hash, and as a row that can be
searched. ``Ledger.verify`` compares the two; the credential itself is only in the row, its SHA-256
in the event.
"""

import threading
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select

from policies.decision import PolicyRef
from provenance.errors import EventInvalid
from provenance.ledger import tables
from provenance.ledger.event import Event, Json, format_time, parse_time
from provenance.record import Record

DELIVERY = "delivery"
PDQ_BITS = 256
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
    plain = record.model_dump(mode="json", exclude={"credential", "created_at"})
    return {
        **plain,
        "created_at": format_time(record.created_at),
        "credential_sha256": sha256(record.credential).hexdigest(),
    }


def row_of(record: Record, seq: int) -> tuple[Any, ...]:
    """A record as a row, in the order of the table's columns."""
    fields = record.model_dump(exclude={"policy"}) | {
        "seq": seq,
        "created_at": format_time(record.created_at),
        "policy_name": record.policy.name,
        "policy_version": record.policy.version,
        "policy_digest": record.policy.digest,
    }
    return tuple(fields[column.name] for column in tables.record.columns)


def record_of(row: Row[*tuple[Any, ...]]) -> Record:
    """A row as a record."""
    fields = dict(row._mapping)
    policy = PolicyRef(
        name=fields.pop("policy_name"),
        version=fields.pop("policy_version"),
        digest=fields.pop("policy_digest"),
    )
    del fields["seq"]
    return Record(**fields | {"created_at": parse_time(fields["created_at"]), "policy": policy})


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
