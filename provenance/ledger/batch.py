"""Batches: many events of one kind that are appended together, quicker than one by one.

An event of a batch has the id ``batch#number``, counted from 0. No other event can have such an id,
since ``check_id`` allows no ``#``, and a batch is appended whole or not at all. So one look for
``batch#0`` tells whether it stands, where other events need a look for each id.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection

from provenance.errors import EventConflict, EventInvalid
from provenance.ledger import journal, records, rotation
from provenance.ledger.event import (
    FORMAT,
    MAX_ID,
    Json,
    canonical_bodies,
    check_id,
    check_kind,
    leaf,
)

MAX_EVENTS = 100_000  # in one batch: one transaction, and about 100 MB of memory
_NUMBER = "#99999"


class Batch(NamedTuple):
    """Events that were checked. ``bodies`` are canonical JSON."""

    id: str
    kind: str
    bodies: Sequence[str]

    def event_id(self, number: int) -> str:
        """The id of one event of the batch."""
        return f"{self.id}#{number}"


def prepare(batch_id: str, kind: str, bodies: Sequence[Mapping[str, Json]]) -> Batch:
    """Check the events of a batch. Raises ``EventInvalid`` with what to change."""
    check_kind(kind)
    if kind == records.DELIVERY:
        raise EventInvalid("A delivery is recorded with Ledger.record, so it can be found.")
    if kind == rotation.KIND:
        raise EventInvalid("A key is replaced with: wardmark ledger rotate-key")
    check_id(batch_id, MAX_ID - len(_NUMBER))
    if not 0 < len(bodies) <= MAX_EVENTS:
        raise EventInvalid(f"A batch has 1 to {MAX_EVENTS} events, not {len(bodies)}.")
    longest = batch_id + _NUMBER
    return Batch(batch_id, kind, canonical_bodies(kind, longest, bodies))


def lay_out(batch: Batch, first: int, at: str) -> list[tuple[Any, ...]]:
    """Rows of ``event`` for a batch that is to stand from index ``first`` on."""
    # A leaf holds no newline, so the form of one can be cut where body and id go: the calls of
    # leaf and leaf_hash for each event would cost half as much again.
    before, between, behind = leaf(at, "\n", "\n", batch.kind, FORMAT).decode().split("\n")
    rows = []
    for number, body in enumerate(batch.bodies):
        event_id = f"{batch.id}#{number}"
        digest = sha256(f"\0{before}{body}{between}{event_id}{behind}".encode()).digest()
        rows.append((first + number, event_id, batch.kind, at, FORMAT, body, digest))
    return rows


def standing(connection: Connection, batch: Batch) -> range | None:
    """Where the batch stands already, if it does.

    Raises ``EventConflict`` when another one stands under its id.
    """
    head = journal.find(connection, [batch.event_id(0)])
    if not head:
        return None
    ids = [batch.event_id(number) for number in range(len(batch.bodies) + 1)]
    found = journal.find(connection, ids)
    meant = [(batch.kind, body) for body in batch.bodies]
    if meant != [(found[i][0].kind, found[i][1]) for i in ids if i in found]:
        raise EventConflict(
            f"The batch {batch.id} stands already, with other events; a new batch needs a new id."
        )
    first = head[ids[0]][0].index
    return range(first, first + len(batch.bodies))
