"""API keys: made, rotated and revoked in the ledger's database, each change told to the ledger.

A key is ``wm_<id>_<secret>``: 16 hexadecimal digits by which it is found, and 52 characters
(base32, 256 bits drawn at random) that are shown once. What is kept is HMAC-SHA-256 of the secret
under a key that follows from the home's ``commitment.key``, so a copy of the database lets nobody
in; a slow password hash would add 200 ms to each request and, over 256 random bits, no strength.
"""

import base64
import hmac
import math
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import Field, field_validator
from sqlalchemy import Row, insert, select, update

from guard.errors import ApiKeyNotFound, CredentialInvalid, InvalidRequest
from guard.gateway.callers.identity import ORDINARY, Checked, Identity, Role, Scope
from guard.gateway.callers.tables import api_key
from policies.decision import Frozen
from provenance.callers import Limits
from provenance.errors import LedgerUnavailable
from provenance.home import Home
from provenance.ledger import Event, Ledger
from provenance.ledger.commitment import commitment
from provenance.ledger.database import Database
from provenance.ledger.event import format_time, parse_time

PREFIX = "wm_"
FORM = re.compile(r"wm_([0-9a-f]{16})_([a-z2-7]{52})")
SECRET_BYTES = 32
_DOMAIN = b"wardmark-api-key/1\x00"  # of the key that follows from commitment.key
MAX_NOTED = 100_000  # keys whose last day is remembered, some 10 MB
MAX_OVERLAP = timedelta(days=30)


_UNKNOWN = "this API key is not known here, or has ended; ask the operator for another"


class KeyState(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class KeyTerms(Frozen):
    """What a key is for. ``label`` is for people and stands in no ledger; times are UTC."""

    label: str = Field(default="", max_length=128)
    role: Role = Role.USER
    tenant: str | None = Field(default=None, min_length=1, max_length=128)
    scopes: frozenset[Scope] = ORDINARY
    region: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    age_verified: bool | None = None
    limits: Limits = Limits()
    expires_at: datetime | None = None

    @field_validator("scopes")
    @classmethod
    def _some(cls, scopes: frozenset[Scope]) -> frozenset[Scope]:
        if not scopes:
            raise ValueError("a key without a scope opens nothing; name one, or leave scopes out")
        return scopes


class ApiKey(Frozen):
    """A key without its secret. ``last_used``: a day, or nothing yet."""

    id: str
    terms: KeyTerms
    created_at: datetime
    revoked_at: datetime | None = None
    previous_until: datetime | None = None
    last_used: str | None = None

    def state(self, now: datetime) -> KeyState:
        """Whether it opens anything at ``now``."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        expires = self.terms.expires_at
        return KeyState.EXPIRED if expires is not None and now >= expires else KeyState.ACTIVE

    @property
    def subject(self) -> str:
        """As identities and the ledger name it."""
        return f"key_{self.id}"


class Issued(NamedTuple):
    """A key and its token, which nobody can show again."""

    key: ApiKey
    token: str


class Held(NamedTuple):
    """A row, as a check needs it."""

    key: ApiKey
    identity: Identity
    mac: bytes
    previous_mac: bytes | None


class ApiKeys:
    """The keys of one home. Safe to use from several threads and processes."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        commitment_key: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._commitment_key = commitment_key
        self._mac_key = hmac.digest(commitment_key, _DOMAIN, "sha256")
        self._used: dict[str, str] = {}  # the day last written, by key
        self.clock = clock

    @classmethod
    def of(cls, home: Home) -> "ApiKeys":
        """Raises LedgerUnavailable where the database cannot be used."""
        return cls(Database(home.ledger_url), home.ledger, home.commitment_key)

    def create(self, terms: KeyTerms) -> Issued:
        """Make a key. Raises InvalidRequest for one that would have expired already."""
        now = self.clock()
        if terms.expires_at is not None and terms.expires_at <= now:
            raise InvalidRequest("the key would have expired already; name a time to come")
        key = ApiKey(id=secrets.token_hex(8), terms=terms, created_at=now)
        secret = _new_secret()
        self._record("api_key.created", key, expires_at=_text(terms.expires_at))
        row = {
            "id": key.id,
            "mac": self._mac(secret),
            "label": terms.label,
            "role": terms.role.value,
            "tenant": terms.tenant,
            "scopes": " ".join(sorted(terms.scopes)),
            "region": terms.region,
            "age_verified": terms.age_verified,
            **terms.limits.model_dump(),
            "created_at": format_time(now),
            "expires_at": _text(terms.expires_at),
        }
        with self._database.changing() as connection:
            connection.execute(insert(api_key).values(row))
        return Issued(key, f"{PREFIX}{key.id}_{secret}")

    def all(self) -> tuple[ApiKey, ...]:
        """Every key that was ever made, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(api_key).order_by(api_key.c.created_at.desc()))
            return tuple(_held(row).key for row in rows)

    def find(self, named: str) -> ApiKey:
        """The key with this id, with or without ``key_``. Raises ApiKeyNotFound."""
        held = self.held(named.removeprefix("key_"))
        if held is None:
            raise ApiKeyNotFound(f"no API key {named!r}; see: wardmark api-keys list")
        return held.key

    def rotate(self, named: str, overlap: timedelta = timedelta(0)) -> Issued:
        """A new secret for a key, whose id, terms and quota stay; the old one is good for
        ``overlap`` more (at most 30 days). Raises ApiKeyNotFound, InvalidRequest."""
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise InvalidRequest(f"the old secret can stay good for 0 to {MAX_OVERLAP.days} days")
        key = self._active(named)
        until = self.clock() + overlap
        secret = _new_secret()
        self._record("api_key.rotated", key, previous_until=format_time(until))
        with self._database.changing() as connection:
            connection.execute(
                update(api_key)
                .where(api_key.c.id == key.id)
                .values(
                    previous_mac=api_key.c.mac,
                    previous_until=format_time(until),
                    mac=self._mac(secret),
                )
            )
        rotated = key.model_copy(update={"previous_until": until})
        return Issued(rotated, f"{PREFIX}{key.id}_{secret}")

    def revoke(self, named: str) -> ApiKey:
        """End a key, for good. Raises ApiKeyNotFound, InvalidRequest where it has ended."""
        key = self._active(named)
        now = self.clock()
        with self._database.changing() as connection:  # first: what the ledger says can wait
            connection.execute(
                update(api_key).where(api_key.c.id == key.id).values(revoked_at=format_time(now))
            )
        self._record("api_key.revoked", key)
        return key.model_copy(update={"revoked_at": now})

    def any_active(self) -> bool:
        """Whether there is a key that opens something."""
        now = self.clock()
        return any(key.state(now) is KeyState.ACTIVE for key in self.all())

    def held(self, key_id: str) -> Held | None:
        """The row of an id. Raises LedgerUnavailable."""
        with self._database.reading() as connection:
            row = connection.execute(select(api_key).where(api_key.c.id == key_id)).one_or_none()
        return None if row is None else _held(row)

    def check(self, token: str) -> Checked:
        """Whose key this is. Raises CredentialInvalid, in the same words whatever is wrong, and
        LedgerUnavailable where nobody can tell."""
        now = self.clock()
        named = key_id(token)
        held = self.held(named) if named else None
        if held is None or held.key.state(now) is not KeyState.ACTIVE:
            raise CredentialInvalid(_UNKNOWN)
        mac = self._mac(token.rpartition("_")[2])
        until = held.key.previous_until
        overlaps = held.previous_mac is not None and until is not None and now < until
        good = hmac.compare_digest(mac, held.mac)
        if not good and not (overlaps and hmac.compare_digest(mac, held.previous_mac or b"")):
            raise CredentialInvalid(_UNKNOWN)
        self._note_use(held.key, f"{now:%Y-%m-%d}")
        ends = [held.key.terms.expires_at, None if good else until]
        return Checked(
            held.identity, min((end.timestamp() for end in ends if end), default=math.inf)
        )

    def _note_use(self, key: ApiKey, today: str) -> None:
        """Write the day on which a key was used, once in each process."""
        if today in (key.last_used, self._used.get(key.id)):
            return
        with suppress(LedgerUnavailable), self._database.changing() as connection:
            # A note for people: where it cannot be written, the request goes on.
            connection.execute(
                update(api_key)
                .where(api_key.c.id == key.id, api_key.c.last_used.is_distinct_from(today))
                .values(last_used=today)
            )
        if len(self._used) >= MAX_NOTED:
            self._used.clear()
        self._used[key.id] = today

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def _active(self, named: str) -> ApiKey:
        key = self.find(named)
        state = key.state(self.clock())
        if state is not KeyState.ACTIVE:
            raise InvalidRequest(f"the key {key.subject} is {state}; make another one")
        return key

    def _mac(self, secret: str) -> bytes:
        return hmac.digest(self._mac_key, secret.encode(), "sha256")

    def _record(self, kind: str, key: ApiKey, **more: str | None) -> None:
        terms = key.terms
        tenant = terms.tenant
        body = {
            "key": key.subject,
            "role": terms.role.value,
            "scopes": sorted(terms.scopes),
            "tenant": tenant and commitment(self._commitment_key, f"caller.tenant={tenant}"),
            **more,
        }
        self._ledger.append([Event(kind=kind, body=body)])


def key_id(token: str) -> str | None:
    """The id in a token of our form; None where it is of another form."""
    found = FORM.fullmatch(token)
    return found[1] if found else None


def _new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=").lower()


def _text(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _held(row: Row[Any]) -> Held:
    limits = Limits(
        requests_per_minute=row.requests_per_minute, pictures_per_day=row.pictures_per_day
    )
    terms = KeyTerms(
        label=row.label,
        role=Role(row.role),
        tenant=row.tenant,
        scopes=frozenset(map(Scope, row.scopes.split())),
        region=row.region,
        age_verified=row.age_verified,
        limits=limits,
        expires_at=_time(row.expires_at),
    )
    key = ApiKey(
        id=row.id,
        terms=terms,
        created_at=parse_time(row.created_at),
        revoked_at=_time(row.revoked_at),
        previous_until=_time(row.previous_until),
        last_used=row.last_used,
    )
    identity = Identity(
        subject=key.subject,
        role=terms.role,
        tenant=terms.tenant,
        scopes=frozenset(scope.value for scope in terms.scopes),
        region=terms.region,
        age_verified=terms.age_verified,
        limits=limits,
    )
    return Held(key, identity, row.mac, row.previous_mac)
