"""Events, and the leaves that they become.

A leaf is the canonical JSON (RFC 8785) of one object:

    {"at": time, "body": {...}, "id": id, "kind": kind, "v": format version}

It is kept in columns and put together again when it is needed, so that every column that matters is
under the hash. The position of the leaf is not in it: the tree commits to that.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

import orjson
import rfc8785

from provenance.errors import EventInvalid
from provenance.ledger.lint import check_body, one_is_personal

FORMAT = 1  # of the leaf; a change of anything above is a new number
MAX_LEAF_BYTES = 65_535  # an entry bundle of tlog-tiles gives the length of a leaf in 16 bits
MAX_ID = 128  # characters
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")  # needs no escaping in JSON
_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = {str, int, bool, type(None)}
_NESTED = {dict, list}
_PLAIN = _SCALARS | _NESTED

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def new_id() -> str:
    """An id that no other event has (32 hex digits)."""
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and is to be kept.

    ``kind``: what it is, in lower case ("delivery", "refusal", "dataset.shard"). ``body``: JSON
    without personal data in clear (see ``lint``). ``id``: the idempotency key; appending the same
    event again under the same id changes nothing and returns the first entry.
    """

    kind: str
    body: Mapping[str, Json]
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in its place. ``index`` counts from 0; ``at`` is UTC, never earlier than the entry
    before; ``leaf_hash`` is 64 hex digits."""

    index: int
    at: datetime
    event: Event
    leaf_hash: str

    @property
    def id(self) -> str:
        """The event's id, by which ``Ledger.prove`` finds it."""
        return self.event.id

    @property
    def kind(self) -> str:
        """The event's kind."""
        return self.event.kind

    @property
    def body(self) -> Mapping[str, Json]:
        """The event's body."""
        return self.event.body


class Draft(NamedTuple):
    """An event that was checked and made canonical, before it has a time and a place."""

    event: Event
    body: str


def draft(event: Event) -> Draft:
    """Check an event and make its body canonical. Raises ``EventInvalid`` with what to change."""
    check_kind(event.kind)
    check_id(event.id)
    return Draft(event, canonical_body(event.kind, event.id, event.body))


def check_kind(kind: str) -> None:
    """Raises ``EventInvalid`` for what is no kind of event."""
    if not _KIND.fullmatch(kind):
        raise EventInvalid(
            f"{kind!r} is no kind of event; use up to 64 of a-z, 0-9, dot, dash, underscore."
        )


def check_id(event_id: str, longest: int = MAX_ID) -> None:
    """Raises ``EventInvalid`` for what cannot be an id, of up to ``longest`` characters."""
    if len(event_id) > longest or not _ID.fullmatch(event_id):
        raise EventInvalid(
            f"{event_id!r} is no id of an event; use up to {longest} letters, digits and . _ : / -"
        )


def canonical_body(kind: str, event_id: str, body: Mapping[str, Json]) -> str:
    """The body as it stands in a leaf. Raises ``EventInvalid`` if it cannot or may not."""
    if not isinstance(body, dict):
        raise EventInvalid(f"The body of {kind} is not a dictionary.")
    text = canonical(body)
    if len(text) > _room(kind, event_id):
        raise EventInvalid(
            f"The body of {kind} takes {len(text)} bytes; a leaf holds {MAX_LEAF_BYTES}. "
            "Keep the bulk elsewhere and its SHA-256 here."
        )
    check_body(kind, text, body)
    return text.decode()


def canonical_bodies(kind: str, event_id: str, bodies: Sequence[Mapping[str, Json]]) -> list[str]:
    """``canonical_body`` of each, in a quarter of its time where all are flat and harmless.

    ``event_id``: the longest of their ids. Raises as ``canonical_body``.
    """
    return _of_harmless(bodies, _room(kind, event_id)) or [
        canonical_body(kind, event_id, body) for body in bodies
    ]


def _of_harmless(bodies: Sequence[Mapping[str, Json]], most: int) -> list[str] | None:
    """Looks at all of them at once, in loops of C; None where any needs a look of its own."""
    if set(map(type, bodies)) != {dict}:
        return None
    values = chain.from_iterable(body.values() for body in bodies)
    if not _SCALARS.issuperset(map(type, values)):
        return None
    try:
        # Decoded one by one: orjson's own results hold on to five times the memory they need.
        texts = [orjson.dumps(body, option=_CANONICAL).decode() for body in bodies]
    except orjson.JSONEncodeError:
        return None
    together = "".join(texts)
    if "@" in together or not together.isascii() or max(map(len, texts)) > most:
        return None
    return None if one_is_personal(tuple(sorted(set(chain.from_iterable(bodies))))) else texts


def leaf(at: str, body: str, event_id: str, kind: str, version: int) -> bytes:
    """The bytes under the leaf hash. ``body`` is canonical; the other parts need no escaping."""
    return (
        f'{{"at":"{at}","body":{body},"id":"{event_id}","kind":"{kind}","v":{version}}}'
    ).encode()


_LEAF_FRAME_BYTES = len(leaf("2026-01-01T00:00:00.000000Z", "", "", "", FORMAT))


def _room(kind: str, event_id: str) -> int:
    """Bytes that a leaf has for its body."""
    return MAX_LEAF_BYTES - _LEAF_FRAME_BYTES - len(event_id) - len(kind)


def canonical(value: dict[str, Json]) -> bytes:
    """RFC 8785 form of ``value``. Raises ``EventInvalid`` for what JSON cannot hold exactly."""
    try:
        quick = _canonical_of_plain(value) if _is_plain(value) else None
        if quick is not None:
            return quick
        text = bytes(rfc8785.dumps(value))
        # A float such as 1e20 is written as an integer that no reader takes back exactly.
        rfc8785.dumps(json.loads(text))
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise EventInvalid(f"A body cannot be kept as canonical JSON: {error}.") from error
    return text


def _canonical_of_plain(value: dict[str, Json]) -> bytes | None:
    """The very bytes of rfc8785, ten times as fast, for most plain bodies; a test compares both."""
    try:
        text = orjson.dumps(value, option=_CANONICAL)
    except orjson.JSONEncodeError:  # rfc8785 may take it, or says why not in its own words
        return None
    return text if text.isascii() else None


def _is_plain(value: Any) -> bool:
    """Whether everything in this dict or list is a string, integer, boolean, null, list or dict."""
    items = value.values() if type(value) is dict else value
    kinds = set(map(type, items))
    if kinds <= _SCALARS:
        return True
    return kinds <= _PLAIN and all(_is_plain(item) for item in items if type(item) in _NESTED)


def format_time(time: datetime) -> str:
    """UTC with microseconds and Z: fixed width, so that text order is time order."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """What ``format_time`` wrote."""
    return datetime.fromisoformat(text)
