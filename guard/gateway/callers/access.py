"""From a request to who asks: the dependencies ``identify`` and ``require`` of the routes.

Without a credential, or with one that is not of our form, a caller on this machine is
anonymous, unless the settings say ``[callers] required = true``. A credential of our form that
is wrong is always 401, so that nobody works without the rights that they think they have.
Whoever comes from elsewhere, or through a proxy, needs a credential.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from guard.errors import CredentialInvalid, InvalidRequest, NotAllowed
from guard.gateway.callers.admission import Admission
from guard.gateway.callers.friction import Friction, MemoryNotes, Notes
from guard.gateway.callers.identity import Identity, Role, Scope
from guard.gateway.callers.keys import PREFIX, ApiKeys
from guard.gateway.callers.quota import Quotas
from guard.gateway.callers.redis import RedisCounters, RedisNotes
from guard.gateway.callers.tokens import Issuers
from guard.gateway.limits import Counters, MemoryCounters
from provenance.fetch import is_loopback
from provenance.home import Home

FRESH_SECONDS = 2.0  # how long an answer on a credential is believed: a revocation counts then
MAX_KNOWN = 10_000  # credentials remembered at once, some 10 MB; the oldest is forgotten first
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # what proxies add
_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of the OIDC issuer.")


class _Known(NamedTuple):
    identity: Identity
    until: float  # seconds of the monotonic clock


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
        settings = home.settings.callers
        self.required = exposed or settings.required
        self.keys = keys or ApiKeys.of(home)
        self.issuers = Issuers(settings.issuers, home.commitment_key, self.keys.clock, monotonic)
        counters: Counters = MemoryCounters()
        notes: Notes = MemoryNotes()
        if settings.redis:
            counters, notes = RedisCounters(settings.redis), RedisNotes(settings.redis)
        self.quotas = Quotas(settings, counters, home.commitment_key)
        self.friction = Friction(settings.friction, notes, counters, home.commitment_key)
        self.admission = Admission(
            self.quotas, self.friction, home.ledger, settings.friction.stop_after
        )
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, _Known] = OrderedDict()  # by the digest of a credential
        self._lock = threading.Lock()

    async def of(self, request: Request) -> Identity:
        """Who asks. Raises CredentialInvalid, Unavailable where nobody can tell."""
        told: Identity | None = getattr(request.state, "identity", None)
        if told is not None:
            return told
        token = _token(request)
        if token is not None and self._ours(token):
            identity = self._remembered(token)
            if identity is None:
                identity = await run_in_threadpool(self.of_token, token)
        elif self.required or not _from_this_machine(request):
            raise CredentialInvalid(
                "send an API key as 'Authorization: Bearer wm_...'; the operator makes one"
                " with: wardmark api-keys create"
            )
        else:
            identity = Identity()
        request.state.identity = identity
        return identity

    def of_token(self, token: str) -> Identity:
        """Whose credential this is; for sign-in too. Raises CredentialInvalid, Unavailable."""
        asked = self._monotonic()  # before the question: what is revoked meanwhile is not missed
        by_issuer = self.issuers.takes(token)
        identity, until = self.issuers.check(token) if by_issuer else self.keys.check(token)
        fresh = min(FRESH_SECONDS, until - self.keys.clock().timestamp())
        with self._lock:
            self._known[_digest(token)] = _Known(identity, asked + fresh)
            self._known.move_to_end(_digest(token))
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return identity

    def _ours(self, token: str) -> bool:
        return token.startswith(PREFIX) or self.issuers.takes(token)

    def _remembered(self, token: str) -> Identity | None:
        known = self._known.get(_digest(token))
        return known.identity if known and self._monotonic() < known.until else None


async def identify(request: Request, _: Annotated[Any, Security(_bearer)] = None) -> Identity:
    """Who asks, as a dependency of a route."""
    callers: Callers = request.app.state.callers
    return await callers.of(request)


Identified = Annotated[Identity, Depends(identify)]


def require(
    *roles: Role, scope: Scope | None = None
) -> Callable[[Request, Identity], Awaitable[Identity]]:
    """A dependency that lets these roles in (none named: every role), with a credential that may
    be used for ``scope``, and counts the request. Raises NotAllowed, RateLimited."""

    async def allowed(request: Request, identity: Identified) -> Identity:
        if roles and identity.role not in roles:
            raise NotAllowed(f"this is for the role {' or '.join(roles)}; yours is {identity.role}")
        if scope is not None and scope not in identity.scopes:
            raise NotAllowed(f"your key is not for {scope}; ask the operator for one that is")
        if not getattr(request.state, "counted", False):  # once, however much a route requires
            request.state.counted = True
            callers: Callers = request.app.state.callers
            await callers.quotas.count(identity)
        return identity

    return allowed


def check_exposure(host: str, home: Home) -> bool:
    """Whether callers need a credential because ``host`` is not loopback, as ``create_app(...,
    exposed=...)`` takes it; asked by ``wardmark serve`` before anything is loaded.

    Raises InvalidRequest where nobody could have a credential.
    """
    if is_loopback(host):
        return False
    if home.settings.callers.issuers:
        return True
    keys = ApiKeys.of(home)
    try:
        some = keys.any_active()
    finally:
        keys.close()
    if not some:
        raise InvalidRequest(
            f"{host} is not a loopback address, and no caller could be recognised: make a key with"
            " 'wardmark api-keys create', name an issuer of tokens in wardmark.toml, or"
            " listen on 127.0.0.1"
        )
    return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _token(request: Request) -> str | None:
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        raise CredentialInvalid("the request has two Authorization headers; send one")
    scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _from_this_machine(request: Request) -> bool:
    """Whether it comes from a program here: not through a proxy, and not from a web page of
    elsewhere, which may have sent a form or made its name lead here (DNS rebinding)."""
    client = request.client.host if request.client else ""
    if not is_loopback(client) or any(name in request.headers for name in FORWARDED):
        return False
    origin = request.headers.get("origin")
    if origin is not None and not is_loopback(_host(origin.rpartition("://")[2])):
        return False
    return is_loopback(_host(request.headers.get("host", "")))


def _host(authority: str) -> str:
    """An authority (RFC 3986) without its port."""
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority
