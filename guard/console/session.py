"""Who is signed in: a signed, expiring value in a cookie. Pure but for the clock.

The value names an API key, and no right: what the key may do is looked up anew with each request,
so a key that is revoked or changed counts at once. It ends ``IDLE`` after the last page that a
person asked for and ``LONGEST`` after the sign-in, whichever comes first.
"""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from policies.decision import Frozen

IDLE: Final = 30 * 60  # seconds
LONGEST: Final = 12 * 60 * 60  # seconds
FORM_SECONDS: Final = 60 * 60  # how long a sign-in form may lie open
TOKEN_BYTES: Final = 16
MAX_COOKIE: Final = 1_024  # characters
_SESSION = b"wardmark-console-session/1\x00"  # keys that mean nothing elsewhere
_FORM = b"wardmark-console-form/1\x00"


class Session(Frozen):
    """``subject``: the API key, ``key_...``. ``csrf``: what each form of this session must carry.
    ``began`` and ``seen``: POSIX seconds."""

    subject: str
    csrf: str
    began: int
    seen: int


class Sessions:
    """Opens and seals sessions under keys that follow from ``secret`` (the home's commitment key).
    ``clock``: POSIX seconds."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._session_key = hmac.digest(secret, _SESSION, "sha256")
        self._form_key = hmac.digest(secret, _FORM, "sha256")
        self._clock = clock

    def begin(self, subject: str) -> Session:
        """A new session of somebody who has just shown a good key."""
        now = int(self._clock())
        return Session(
            subject=subject, csrf=secrets.token_urlsafe(TOKEN_BYTES), began=now, seen=now
        )

    def of_program(self, subject: str) -> Session:
        """The session of a program that sends its key with each request, always the same."""
        csrf = _sealed(self._form_key, subject.encode()).partition(".")[2]
        now = int(self._clock())
        return Session(subject=subject, csrf=csrf, began=now, seen=now)

    def touched(self, session: Session) -> Session:
        """The same session, seen now."""
        return session.model_copy(update={"seen": int(self._clock())})

    def seal(self, session: Session) -> str:
        """As a cookie holds it."""
        return _sealed(self._session_key, session.model_dump_json().encode())

    def open(self, cookie: str) -> Session | None:
        """The session in a cookie; None where it is not ours, was changed, or has ended."""
        content = _opened(self._session_key, cookie)
        if content is None:
            return None
        try:
            session = Session.model_validate_json(content)
        except ValidationError:
            return None
        now = self._clock()
        ended = now > session.seen + IDLE or now > session.began + LONGEST
        return None if ended or session.began > now + IDLE else session

    def form(self) -> str:
        """What a form carries that is sent before there is a session; its cookie holds the same."""
        stamp = f"{int(self._clock())}.{secrets.token_urlsafe(TOKEN_BYTES)}"
        return _sealed(self._form_key, stamp.encode())

    def is_form(self, sent: str, cookie: str) -> bool:
        """Whether a form was made here, lately, for the browser that sends it."""
        content = _opened(self._form_key, sent)
        if content is None or not same(sent, cookie):
            return False
        return self._clock() <= int(content.split(b".")[0]) + FORM_SECONDS


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _sealed(key: bytes, content: bytes) -> str:
    parts = (content, hmac.digest(key, content, "sha256"))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _opened(key: bytes, text: str) -> bytes | None:
    body, _, mac = text.partition(".")
    if len(text) > MAX_COOKIE:
        return None
    try:
        content, given = (
            base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (body, mac)
        )
    except (binascii.Error, ValueError):
        return None
    return content if hmac.compare_digest(hmac.digest(key, content, "sha256"), given) else None
