"""Tokens of OpenID Connect: JSON Web Tokens (RFC 7519) of issuers that the settings name.

A token is believed where its issuer, audience, times and signature hold. Only algorithms in which a
verifier holds no secret are taken, and only with a key of the issuer's set that is for signatures
and for that algorithm. Keys are fetched from the one address in the settings; where they cannot
be had, nobody can tell whether a token is good: IssuerUnavailable, neither a pass nor a refusal.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from guard.errors import CredentialInvalid, IssuerUnavailable
from guard.gateway.callers.identity import ORDINARY, Checked, Identity, Role, Scope
from provenance.callers import IssuerSettings
from provenance.ledger.commitment import commitment

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_TOKEN = 8_192  # characters; tokens with long lists of groups stay below 4 KB
MAX_KEYS_BYTES = 262_144  # of a JSON Web Key Set; well-known ones have 2 to 10 KB
FETCH_SECONDS = 5.0
ASK_AGAIN_SECONDS = 10.0  # at most so often for a key that the set did not hold, or a dead issuer
ADULT = 18  # years; an age claim may be a number
_SIGNING = ("RSA", "EC", "OKP")


class _NoRedirect(HTTPRedirectHandler):
    """The address in the settings is the one that is asked."""

    def redirect_request(self, *_: Any) -> None:
        return None


class KeySet:
    """The public keys of one issuer, fetched when they are needed. Safe in several threads."""

    def __init__(
        self, settings: IssuerSettings, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str | None, PyJWK] = {}
        self._fetched = -float("inf")  # when they last came
        self._asked = -float("inf")  # when they were last asked for
        self._fault = ""

    def key(self, kid: str | None) -> "PyJWK | None":
        """The key of that id (where the set has one key only, a token need not name it).

        None where the issuer has no such key. Raises IssuerUnavailable where nobody can tell.
        """
        found = self._find(kid)
        if found is not None and not self._stale():
            return found
        with self._lock:  # whoever needs no new keys does not wait for them
            now = self._monotonic()
            if (
                self._stale() or self._find(kid) is None
            ) and now - self._asked >= ASK_AGAIN_SECONDS:
                self._asked = now
                self._fetch(now)
            found = self._find(kid)
            if self._stale() or (found is None and self._fault):
                raise IssuerUnavailable(
                    f"the keys of {self._settings.issuer} cannot be had ({self._fault});"
                    " try again later"
                )
            return found

    def _stale(self) -> bool:
        return self._monotonic() - self._fetched >= self._settings.keys_fresh

    def _find(self, kid: str | None) -> "PyJWK | None":
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _fetch(self, now: float) -> None:
        asked = Request(self._settings.keys_url, headers={"accept": "application/json"})  # noqa: S310
        try:
            with build_opener(_NoRedirect).open(asked, timeout=FETCH_SECONDS) as answer:
                told = answer.read(MAX_KEYS_BYTES + 1)
            self._keys = _keys_of(told, self._settings)
        except (OSError, HTTPException, ValueError) as error:
            self._fault = str(error) or type(error).__name__
        else:
            self._fault, self._fetched = "", now


class Issuers:
    """The issuers that the settings name; perhaps none. ``clock`` gives UTC."""

    def __init__(
        self,
        settings: Sequence[IssuerSettings],
        commitment_key: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trusted = {one.issuer: (one, KeySet(one, monotonic)) for one in settings}
        self._commitment_key = commitment_key
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._trusted)

    def takes(self, token: str) -> bool:
        """Whether this looks like a token, so that a wrong one is refused and not passed over."""
        return bool(self) and token.count(".") == 2 and token.startswith("eyJ")

    def check(self, token: str) -> Checked:
        """Whose token this is. Raises CredentialInvalid, IssuerUnavailable."""
        import jwt

        if len(token) > MAX_TOKEN:
            raise CredentialInvalid(f"the token is longer than {MAX_TOKEN:,} characters")
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
            named = self._trusted.get(claimed) if isinstance(claimed, str) else None
            if named is None:
                raise CredentialInvalid("this token is of an issuer that is not believed here")
            settings, keys = named
            if header.get("alg") not in settings.algorithms:
                raise CredentialInvalid("this token is signed in a way that is not taken here")
            key = keys.key(header.get("kid"))
            if key is None:
                raise CredentialInvalid("this token is signed with a key that its issuer disowns")
            claims = self._verified(token, key, settings)
        except jwt.PyJWTError as error:
            raise CredentialInvalid(f"this token cannot be taken: {error}; get another") from error
        return Checked(self._identity(claims, settings), claims["exp"])

    def _verified(self, token: str, key: "PyJWK", settings: IssuerSettings) -> dict[str, Any]:
        """The claims, where everything but the times holds by PyJWT, and the times by our clock."""
        import jwt

        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(settings.algorithms),
            audience=settings.audience,
            issuer=settings.issuer,
            options={
                "require": ["exp", "sub", "iss", "aud"],
                "enforce_minimum_key_length": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        now, leeway = self._clock().timestamp(), settings.leeway
        for name in ("exp", "nbf", "iat"):
            if not math.isfinite(_number(claims.get(name, 0))):
                raise jwt.InvalidTokenError(f"{name} is no time")
        if now >= claims["exp"] + leeway:
            raise jwt.ExpiredSignatureError("it has expired")
        if now < max(claims.get("nbf", 0), claims.get("iat", 0)) - leeway:
            raise jwt.ImmatureSignatureError("it is not good yet")
        return claims

    def _identity(self, claims: Mapping[str, Any], settings: IssuerSettings) -> Identity:
        who = f"oidc\n{settings.issuer}\n{claims['sub']}"
        tenant = settings.tenant or _word(_claim(claims, settings.tenant_claim))
        if settings.tenant_claim and tenant is None:
            raise CredentialInvalid(
                f"this token does not say in {settings.tenant_claim} which organisation it is for"
            )
        region = _word(_claim(claims, settings.region_claim))
        return Identity(
            subject=f"oidc:{commitment(self._commitment_key, who)}",
            role=_role(_claim(claims, settings.role_claim), settings.roles),
            tenant=tenant,
            scopes=_scopes(claims, settings.scope_claim),
            region=region.upper() if region and len(region) == 2 else None,
            age_verified=_adult(_claim(claims, settings.age_claim)),
        )


def _keys_of(told: bytes, settings: IssuerSettings) -> "dict[str | None, PyJWK]":
    """The keys of a set that are fit to verify a signature here; others are passed over."""
    from jwt import PyJWK, PyJWTError

    document = orjson.loads(told) if len(told) <= MAX_KEYS_BYTES else None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("its answer is no JSON Web Key Set, or too large")  # noqa: TRY004
    found: dict[str | None, PyJWK] = {}
    for described in listed:
        if not isinstance(described, dict) or described.get("kty") not in _SIGNING:
            continue
        if described.get("use", "sig") != "sig" or "d" in described:
            continue
        try:
            key = PyJWK(described)
        except PyJWTError:
            continue  # of a kind that this version does not know
        if key.algorithm_name in settings.algorithms:
            found[described.get("kid")] = key
    return found


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """What stands in a claim; the whole name is tried before its dots mean anything."""
    if not path:
        return None
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else math.nan


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 128 else None


def _role(value: Any, roles: Mapping[str, str]) -> Role:
    """The role that a claim stands for; of several, the one that the settings name first."""
    said = set(_words(value)) | ({value} if isinstance(value, str) else set())
    return next((Role(role) for name, role in roles.items() if name in said), Role.USER)


def _scopes(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    if not path:
        return ORDINARY
    return frozenset(_words(_claim(claims, path))) & frozenset(scope.value for scope in Scope)


def _adult(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return value >= ADULT if isinstance(value, int | float) else None
