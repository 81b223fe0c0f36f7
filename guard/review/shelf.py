"""What is held for review, sealed: in the ledger's database, under a key for each decision.

The keys lie in the store of subjects' keys, so ``wardmark withdraw --subject DECISION_ID`` ends
what is held of a decision, and so does the end of its time. What is sealed is CBOR of everything
that is needed to go on, pictures as PNG.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import cbor2
from pydantic import ValidationError
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from guard.assessment import Region
from guard.errors import AlreadyRuled, HeldNotFound
from guard.generation import CoreInfo
from guard.pipeline.account import kept
from guard.pipeline.held import Held
from guard.pipeline.release import Draft
from guard.pipeline.request import ImageRequest
from guard.pipeline.trail import Trail
from guard.review.tables import held as table
from policies.decision import Decision, Obligation
from provenance.credential import RedactedArea
from provenance.errors import LedgerCorrupt, LedgerUnavailable, RetentionInvalid
from provenance.home import Home
from provenance.ledger.database import Database
from provenance.ledger.event import format_time, parse_time
from provenance.picture import decode, encode
from provenance.receipt import Receipt

KIND = "review.held"  # of the retention plan
REQUEST = -1  # in the place of a picture's number
BUSY = timedelta(minutes=15)  # the longest time that a release takes
_c = table.c


class State(StrEnum):
    """Where something held stands. What was refused is not kept."""

    WAITING = "waiting"
    RELEASED = "released"  # the file is kept for who asked


class Waiting(NamedTuple):
    """One row without what it seals. ``picture``: from 0, None for a request; ``tenant``: a
    commitment; ``busy``: somebody is ruling on it just now."""

    decision_id: str
    picture: int | None
    tenant: str | None
    kept_at: datetime
    expires_at: datetime
    busy: bool


class File(NamedTuple):
    """A picture that was released, for who asked. ``receipts``: of its way, as JSON values."""

    content_id: str
    sha256: str
    media_type: str
    data: bytes
    receipts: tuple[Mapping[str, Any], ...]


class SealedShelf:
    """Keeps and finds. Safe to share between threads, and between processes."""

    def __init__(
        self, home: Home, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._home = home
        self._database = Database(home.ledger_url)
        self._clock = clock

    def keep(self, held: Held) -> None:
        """Raises LedgerUnavailable where it cannot be sealed and kept."""
        try:
            days = self._home.subjects.days_kept(KIND)
        except RetentionInvalid as error:
            raise LedgerUnavailable(f"nothing can be held here: {error}") from error
        now = self._clock()
        until = now + timedelta(days=days) if days is not None else datetime.max.replace(tzinfo=UTC)
        key, sealed = self._sealed(held.decision_id, _packed(held))
        tenant = held.request.caller.tenant
        row = {
            "decision_id": held.decision_id,
            "picture": _number(held.picture),
            "tenant": kept("caller.tenant", tenant, self._home.commitment_key),
            "kept_at": format_time(now),
            "expires_at": format_time(until),
            "state": State.WAITING.value,
            "key": key,
            "sealed": sealed,
        }
        with self._database.changing() as connection:
            self._purge(connection)
            connection.execute(insert(table).values(row))

    def waiting(self, limit: int) -> tuple[Waiting, ...]:
        """What nobody ruled on, oldest first. Rows whose time is over go."""
        columns = [column for column in table.columns if column.name not in ("key", "sealed")]
        query = select(*columns).where(_c.state != State.RELEASED, _c.expires_at > self._now())
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_c.kept_at).limit(limit))
            rows = tuple(self._waiting(row) for row in found)
            over = connection.execute(select(_c.picture).where(_c.expires_at <= self._now()))
            purge = over.first() is not None
        if purge:
            with self._database.changing() as connection:
                self._purge(connection)
        return rows

    def open(self, decision_id: str, picture: int | None) -> tuple[Waiting, Held]:
        """Raises HeldNotFound, and SubjectForgotten where its key was destroyed."""
        row = self._row(decision_id, picture)
        if row.state == State.RELEASED:
            raise _gone(decision_id)
        return self._waiting(row), _unpacked(self._opened(row))

    def take(self, decision_id: str, picture: int | None) -> None:
        """Have it alone, to rule on it. Raises AlreadyRuled where somebody else has, or has ruled;
        HeldNotFound."""
        now = self._clock()
        free = or_(_c.busy_until.is_(None), _c.busy_until <= format_time(now))
        where = and_(_this(decision_id, picture), _c.state == State.WAITING, free)
        until = format_time(now + BUSY)
        with self._database.changing() as connection:
            taken = connection.execute(update(table).where(where).values(busy_until=until))
        if not taken.rowcount:
            self._row(decision_id, picture)
            raise AlreadyRuled(f"somebody else is ruling on {decision_id}, or has")

    def put_back(self, decision_id: str, picture: int | None) -> None:
        """The ruling came to nothing: it waits again."""
        with self._database.changing() as connection:
            where = _this(decision_id, picture)
            connection.execute(update(table).where(where).values(busy_until=None))

    def drop(self, decision_id: str, picture: int | None) -> None:
        """It is refused, and gone."""
        with self._database.changing() as connection:
            connection.execute(delete(table).where(_this(decision_id, picture)))

    def store(self, decision_id: str, picture: int | None, files: tuple[File, ...]) -> None:
        """What was released takes the place of what was held, until the same time."""
        packed = bytes(cbor2.dumps([file._asdict() for file in files]))
        key, sealed = self._sealed(decision_id, packed)
        values = {"state": State.RELEASED.value, "key": key, "sealed": sealed}
        with self._database.changing() as connection:
            where = _this(decision_id, picture)
            connection.execute(update(table).where(where).values(values))

    def files(self, decision_id: str) -> tuple[File, ...]:
        """Everything that was released of a decision."""
        query = select(table).where(
            _c.decision_id == decision_id,
            _c.state == State.RELEASED,
            _c.expires_at > self._now(),
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_c.picture)).all()
        found = (cbor2.loads(self._opened(row)) for row in rows)
        return tuple(
            File(**file | {"receipts": tuple(file["receipts"])})
            for files in found
            for file in files
        )

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def _row(self, decision_id: str, picture: int | None) -> Row[Any]:
        query = select(table).where(_this(decision_id, picture), _c.expires_at > self._now())
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise _gone(decision_id)
        return row

    def _waiting(self, row: Row[Any]) -> Waiting:
        picture = None if row.picture == REQUEST else int(row.picture)
        kept_at, expires_at = parse_time(row.kept_at), parse_time(row.expires_at)
        busy = row.busy_until is not None and row.busy_until > self._now()
        return Waiting(row.decision_id, picture, row.tenant, kept_at, expires_at, busy)

    def _purge(self, connection: Connection) -> None:
        connection.execute(delete(table).where(_c.expires_at <= self._now()))

    def _now(self) -> str:
        return format_time(self._clock())

    def _sealed(self, decision_id: str, plain: bytes) -> tuple[str, bytes]:
        return self._home.subjects.seal_bytes(KIND, decision_id, plain)

    def _opened(self, row: Row[Any]) -> bytes:
        return self._home.subjects.open_bytes(row.key, bytes(row.sealed))


def _this(decision_id: str, picture: int | None) -> Any:
    return and_(_c.decision_id == decision_id, _c.picture == _number(picture))


def _number(picture: int | None) -> int:
    return REQUEST if picture is None else picture


def _gone(decision_id: str) -> HeldNotFound:
    return HeldNotFound(
        f"nothing is held of {decision_id!r} any more: it was ruled on, or its time is over"
    )


def _packed(held: Held) -> bytes:
    document: dict[str, Any] = {
        "decision_id": held.decision_id,
        "picture": held.picture,
        "request": held.request.model_dump(),
        "decision": held.decision.model_dump(mode="json"),
        "regions": [region.model_dump(mode="json") for region in held.regions],
        "receipts": [receipt.model_dump(mode="json") for receipt in held.trail.receipts],
        "required": list(held.trail.required),
    }
    if held.draft is not None:
        draft = held.draft
        document["draft"] = {
            "png": encode(draft.pixels, "png"),
            "format": draft.format,
            "policy": draft.policy.model_dump(),
            "obligations": sorted(draft.obligations),
            "core": draft.core.model_dump(mode="json"),
            "created_at": draft.created_at.isoformat(),
            "account": dict(draft.account),
            "payload": draft.payload,
            "redacted": [area.model_dump() for area in draft.redacted],
        }
    return bytes(cbor2.dumps(document))


def _unpacked(data: bytes) -> Held:
    """Without the ingredients of an edit, which the pipeline reads again."""
    try:
        document = cbor2.loads(data)
        decision = Decision.model_validate(document["decision"])
        drawn = document.get("draft")
        draft = drawn and Draft(
            pixels=decode(drawn["png"]).pixels,
            format=drawn["format"],
            decision_id=document["decision_id"],
            policy=decision.policy,
            obligations=frozenset(map(Obligation, drawn["obligations"])),
            core=CoreInfo.model_validate(drawn["core"]),
            created_at=datetime.fromisoformat(drawn["created_at"]),
            account=drawn["account"],
            payload=drawn["payload"],
            redacted=tuple(map(RedactedArea.model_validate, drawn.get("redacted", ()))),
        )
        return Held(
            decision_id=document["decision_id"],
            picture=document["picture"],
            request=ImageRequest.model_validate(document["request"]),
            decision=decision,
            regions=tuple(map(Region.model_validate, document["regions"])),
            draft=draft,
            trail=Trail(
                tuple(map(Receipt.model_validate, document["receipts"])),
                tuple(document["required"]),
            ),
        )
    except (cbor2.CBORDecodeError, ValidationError, KeyError, TypeError, ValueError) as error:
        raise LedgerCorrupt(
            "what was held cannot be read: another version kept it; refuse it, so that it is gone"
        ) from error
