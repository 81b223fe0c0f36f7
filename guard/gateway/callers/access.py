"""From a request to who asks: the dependencies ``identify`` and ``require`` of the routes.

Without a credential, or with one that is not of our form, a caller on this machine is
anonymous, unless the settings say ``[callers] required = true``. A credential of our form that
is wrong is always 401, so that nobody works without the rights that they think they have.
Whoever comes from elsewhere, or through a proxy, needs a credential.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from guard.errors import CredentialInvalid, InvalidRequest, NotAllowed
from guard.gateway.callers.identity import Identity, Role, Scope
from guard.gateway.callers.keys import PREFIX, ApiKeys, Held, key_id
from provenance.errors import LedgerUnavailable
from provenance.home import Home

FRESH_SECONDS = 2.0  # how long a row of a key is believed: a revocation counts after that
MAX_ROWS = 10_000  # remembered at once, some 20 MB; the one not seen longest is forgotten first
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # what proxies add
_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of the OIDC issuer.")


class _Row(NamedTuple):
    held: Held | None  # None: no key of that id
    at: float  # seconds of the monotonic clock


class Callers:
    """Recognises callers of one gateway. ``exposed``: it listens on more than loopback, so nobody
    is anonymous."""

    def __init__(
        self,
        home: Home,
        *,
        exposed: bool = False,
        keys: ApiKeys | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.required = exposed or home.settings.callers.required
        self.keys = keys or ApiKeys.of(home)
        self._monotonic = monotonic
        self._rows: OrderedDict[str, _Row] = OrderedDict()
        self._used: dict[str, str] = {}  # the day last written, by key
        self._lock = threading.Lock()

    async def of(self, request: Request) -> Identity:
        """Who asks. Raises CredentialInvalid, LedgerUnavailable where nobody can tell."""
        known: Identity | None = getattr(request.state, "identity", None)
        if known is not None:
            return known
        token = _token(request)
        if token is None or not token.startswith(PREFIX):
            if self.required or not _from_this_machine(request):
                raise CredentialInvalid(
                    "send an API key as 'Authorization: Bearer wm_...'; the operator makes one"
                    " with: wardmark api-keys create"
                )
            identity = Identity()
        else:
            held = self._remembered(token)
            if held is None:
                identity = await run_in_threadpool(self.of_token, token)
            else:
                identity = self.keys.check(token, held)
                await self._note_use(held)
        request.state.identity = identity
        return identity

    def of_token(self, token: str) -> Identity:
        """Whose token this is; for sign-in too. Raises CredentialInvalid, LedgerUnavailable."""
        named = key_id(token)
        held = self._row(named) if named else None
        identity = self.keys.check(token, held)
        if held is not None:
            self._write_use(held)
        return identity

    def _remembered(self, token: str) -> Held | None:
        """The row of a token without asking the database, where it is fresh."""
        named = key_id(token)
        with self._lock:
            row = self._rows.get(named) if named else None
        return row.held if row and self._monotonic() - row.at < FRESH_SECONDS else None

    def _row(self, named: str) -> Held | None:
        with self._lock:
            row = self._rows.get(named)
        if row is not None and self._monotonic() - row.at < FRESH_SECONDS:
            return row.held
        at = self._monotonic()  # before the question: what is revoked meanwhile is not missed
        held = self.keys.held(named)
        with self._lock:
            self._rows[named] = _Row(held, at)
            self._rows.move_to_end(named)
            if len(self._rows) > MAX_ROWS:
                self._rows.popitem(last=False)
        return held

    async def _note_use(self, held: Held) -> None:
        if self._used.get(held.key.id) != self._today():
            await run_in_threadpool(self._write_use, held)

    def _write_use(self, held: Held) -> None:
        today = self._today()
        if held.key.last_used == today or self._used.get(held.key.id) == today:
            return
        with suppress(LedgerUnavailable):  # a note for people, not worth a request
            self.keys.used(held.key.id, today)
        with self._lock:
            if len(self._used) >= MAX_ROWS:
                self._used.clear()
            self._used[held.key.id] = today

    def _today(self) -> str:
        return f"{self.keys.clock():%Y-%m-%d}"


async def identify(request: Request, _: Annotated[Any, Security(_bearer)] = None) -> Identity:
    """Who asks, as a dependency of a route."""
    callers: Callers = request.app.state.callers
    return await callers.of(request)


Identified = Annotated[Identity, Depends(identify)]


def require(*roles: Role, scope: Scope | None = None) -> Callable[[Identity], Awaitable[Identity]]:
    """A dependency that lets these roles in (none named: every role), with a credential that may
    be used for ``scope``. Raises NotAllowed."""

    async def allowed(identity: Identified) -> Identity:
        if roles and identity.role not in roles:
            raise NotAllowed(f"this is for the role {' or '.join(roles)}; yours is {identity.role}")
        if scope is not None and scope not in identity.scopes:
            raise NotAllowed(f"your key is not for {scope}; ask the operator for one that is")
        return identity

    return allowed


def is_loopback(host: str) -> bool:
    """Whether an address or name is of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(host: str, home: Home) -> bool:
    """Whether callers need a credential because ``host`` is not loopback, as ``create_app(...,
    exposed=...)`` takes it; asked by ``wardmark serve`` before anything is loaded.

    Raises InvalidRequest where nobody could have a credential.
    """
    if is_loopback(host):
        return False
    keys = ApiKeys.of(home)
    try:
        some = keys.any_active()
    finally:
        keys.close()
    if not some:
        raise InvalidRequest(
            f"{host} is not a loopback address, and no caller could be recognised: make a key with"
            " 'wardmark api-keys create', or listen on 127.0.0.1"
        )
    return True


def _token(request: Request) -> str | None:
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        raise CredentialInvalid("the request has two Authorization headers; send one")
    scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _from_this_machine(request: Request) -> bool:
    """Whether it comes from a program here: not through a proxy, and not from a web page whose
    name was made to lead here (DNS rebinding)."""
    client = request.client.host if request.client else ""
    if not is_loopback(client) or any(name in request.headers for name in FORWARDED):
        return False
    host = request.headers.get("host", "")
    return is_loopback(host if host.endswith("]") else host.rpartition(":")[0] or host)
