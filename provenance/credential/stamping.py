"""Asks a time stamping authority when a signature was made (RFC 3161), or goes without.

A certificate is valid for a year at most; a time stamp proves that it was valid when it signed.
What an authority answers is checked first: its imprint, its signature, its certificate, its clock.
"""

import hashlib
import http.client
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import pkcs7

from provenance.credential.reader.der import INTEGER, SEQUENCE, children, content, first
from provenance.credential.reader.timestamp import read_token
from provenance.errors import SignerUnavailable
from provenance.keys.chain import MALFORMED
from provenance.keys.trust import TrustAnchors

RESERVE: Final = 10_240  # bytes; tokens of public authorities have 3 to 7 KB
MAX_REPLY: Final = 64 * 1024  # bytes
TIMEOUT: Final = 5.0  # seconds for each authority
CLOCK_DIFFERENCE: Final = timedelta(minutes=5)  # between theirs and ours
GRANTED: Final = (0, 1)  # RFC 3161, section 2.4.2: granted, granted with changes

NO_ANCHORS: Final = TrustAnchors()

_SHA256 = bytes.fromhex("0609608648016503040201")
_NULL, _TRUE = b"\x05\x00", b"\x01\x01\xff"
_log = logging.getLogger(__name__)


class StampPolicy(StrEnum):
    """required: no signature without a time stamp. try: one without, where all authorities are
    down, and the receipt says so. off: none is asked."""

    REQUIRED = "required"
    TRY = "try"
    OFF = "off"


@dataclass(frozen=True)
class TimeAuthorities:
    """Time stamping authorities, asked in this order until one answers rightly.

    ``anchors``: who must vouch for them; where empty, any that is whole in itself is taken, and who
    verifies decides. ``timeout``: seconds for each.
    """

    urls: tuple[str, ...]
    policy: StampPolicy = StampPolicy.TRY
    anchors: TrustAnchors = NO_ANCHORS
    timeout: float = TIMEOUT
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def reserve(self) -> int:
        return 0 if self.policy is StampPolicy.OFF else RESERVE

    def stamp(self, data: bytes) -> bytes | None:
        """A token (DER) over ``data``; None where policy lets it be missing.

        Raises SignerUnavailable where one is required and none can be had.
        """
        if self.policy is StampPolicy.OFF:
            return None
        failures = []
        for url in self.urls:
            try:
                token = _ask(url, data, self.timeout)
                self._check(token, data)
            except (OSError, http.client.HTTPException, LookupError, *MALFORMED) as error:
                failures.append(f"{url}: {str(error) or type(error).__name__}")
            else:
                return token
        said = "; ".join(failures) or "no authority is named"
        if self.policy is StampPolicy.REQUIRED:
            raise SignerUnavailable(
                f"no time stamp could be had, and policy requires one ({said}); name another"
                " authority, or set the policy to try"
            )
        _log.warning("signed without a time stamp: %s", said)
        return None

    def _check(self, token: bytes, data: bytes) -> None:
        if len(token) > RESERVE:
            raise ValueError(f"its token has {len(token)} bytes, room is kept for {RESERVE}")
        own = TrustAnchors(time_stamping=tuple(pkcs7.load_der_pkcs7_certificates(token)))
        found = read_token(token, data, self.anchors if self.anchors.time_stamping else own)
        if found.problem is not None:
            raise ValueError(found.problem)
        if abs(found.moment - self.clock()) > CLOCK_DIFFERENCE:
            raise ValueError(f"it says {found.moment}, which is not now; check both clocks")


def request(data: bytes) -> bytes:
    """A TimeStampReq for ``data``, by its SHA-256, that asks for the certificates too.

    It has no nonce: what is stamped is a signature made just now, which nobody stamped before.
    """
    imprint = _sequence(_sequence(_SHA256, _NULL), b"\x04\x20" + hashlib.sha256(data).digest())
    return _sequence(b"\x02\x01\x01", imprint, _TRUE)


def token_of(reply: bytes) -> bytes:
    """The token in a TimeStampResp. Raises ValueError where none was granted."""
    status, *rest = children(first(reply), SEQUENCE)
    code = int.from_bytes(content(children(status, SEQUENCE)[0], INTEGER), "big")
    if code not in GRANTED or not rest:
        raise ValueError(f"it refused, status {code}")
    return rest[0].whole


def _sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of fewer than 128 bytes."""
    whole = b"".join(parts)
    return bytes((SEQUENCE, len(whole))) + whole


def _ask(url: str, data: bytes, timeout: float) -> bytes:
    """Ask one authority, following no redirect. ``url`` is the operator's own choice."""
    place = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if place.scheme not in kinds or not place.hostname:
        raise ValueError("not an http or https address")
    connection = kinds[place.scheme](place.hostname, place.port, timeout=timeout)
    try:
        target = (place.path or "/") + (f"?{place.query}" if place.query else "")
        headers = {"Content-Type": "application/timestamp-query"}
        connection.request("POST", target, body=request(data), headers=headers)
        response = connection.getresponse()
        reply = response.read(MAX_REPLY + 1)
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ValueError(f"it answered with status {response.status}")
    if len(reply) > MAX_REPLY:
        raise ValueError("its answer is too long")
    return token_of(reply)
