"""A ticket: what one writer wants appended together, and how it lies in the queue.

In the queue it is JSON. Who reads it checks everything again: others than we can write there too.

    {"events": [[id, kind, canonical body], ...], "records": [...]}
    {"batch": id, "kind": kind, "bodies": [canonical body, ...]}
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from provenance.errors import EventInvalid
from provenance.ledger import records, rotation
from provenance.ledger.batch import Batch, prepare
from provenance.ledger.event import Draft, Event, draft
from provenance.record import Record


class Ticket(NamedTuple):
    """Events to append together, and the records of deliveries among them, by the event's id."""

    drafts: Sequence[Draft]
    rows: Mapping[str, Record]


def encode(ticket: Ticket | Batch) -> bytes:
    """A ticket as the queue holds it."""
    if isinstance(ticket, Batch):
        return orjson.dumps({"batch": ticket.id, "kind": ticket.kind, "bodies": ticket.bodies})
    events = [(d.event.id, d.event.kind, d.body) for d in ticket.drafts]
    rows = [_plain(row) for row in ticket.rows.values()]
    return orjson.dumps({"events": events, "records": rows})


def decode(content: bytes) -> Ticket | Batch:
    """What ``encode`` wrote. Raises ``EventInvalid`` for anything that may not be appended."""
    try:
        found = orjson.loads(content)
        if "batch" in found:
            bodies = [orjson.loads(body) for body in found["bodies"]]
            return prepare(found["batch"], found["kind"], bodies)
        drafts = [
            draft(Event(kind, orjson.loads(body), event_id))
            for event_id, kind, body in found["events"]
        ]
        rows = {row.content_id: row for row in map(_record, found["records"])}
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise EventInvalid(f"A ticket in the queue cannot be read: {error}.") from error
    if any(d.event.kind == rotation.KIND for d in drafts):
        raise EventInvalid("A key is replaced by who has it, not through the queue.")
    delivered = {d.event.id: d.event for d in drafts if d.event.kind == records.DELIVERY}
    if delivered.keys() != rows.keys() or any(
        delivered[event_id].body.get("record") != records.described(row)
        for event_id, row in rows.items()
    ):
        raise EventInvalid("A delivery in the queue and its record do not belong together.")
    return Ticket(drafts, rows)


def _plain(record: Record) -> dict[str, Any]:
    fields = record.model_dump(mode="json", exclude={"credential"})
    return fields | {"credential": b64encode(record.credential).decode()}


def _record(fields: dict[str, Any]) -> Record:
    return Record.model_validate(fields | {"credential": b64decode(fields["credential"])})
