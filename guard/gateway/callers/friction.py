"""Friction for whoever tries a refused prompt again and again in slightly other words.

Somebody who is refused may reword: a few attempts cost nothing. Attempts that are refused as well
are counted, and an answer to the next then takes longer (a few a minute), later there is none for
a while, and at last the fact ``caller.probing`` lets policy hold all their requests for a person.
Only near-duplicates of what was refused are held up; the same prompt sent twice tells nobody
anything new and is no attempt.

What is remembered of a prompt is a sketch (``sketch``) and a keyed hash, for a stated time, at most
``NOTES`` of a person and of ``PEOPLE`` people.
"""

import hmac
import math
import struct
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol

from starlette.concurrency import run_in_threadpool

from guard.errors import ProbingSuspected
from guard.gateway.callers.identity import ANONYMOUS, Identity, Scope
from guard.gateway.callers.sketch import Sketch, overlap, packed, sketch, unpacked
from guard.gateway.limits import MINUTE, Counters, Meter
from provenance.callers import FrictionSettings

NOTES = 24  # of one person, some 5 KB
PEOPLE = 10_000  # at once in one process, 50 MB at most; the one not heard of longest is forgotten
LONG_PROMPT = 2_000  # characters; what is longer is not folded on the event loop
_DOMAIN = b"wardmark-probing/1\x00"
_HEAD = struct.Struct("<dB8s")  # when (POSIX seconds), what came of it, the prompt's hash


class Came(IntEnum):
    """What came of a prompt."""

    REFUSED = 0
    REFUSED_AGAIN = 1  # much like one that was refused
    STOPPED = 2  # not asked at all


class Note(NamedTuple):
    """What is remembered of one prompt."""

    at: float
    came: Came
    exact: bytes
    words: Sketch

    def packed(self) -> bytes:
        """As bytes, at most 209."""
        return _HEAD.pack(self.at, self.came, self.exact) + packed(self.words)

    @classmethod
    def unpacked(cls, data: bytes) -> "Note":
        at, came, exact = _HEAD.unpack_from(data)
        return cls(at, Came(came), exact, unpacked(data[_HEAD.size :]))


class Notes(Protocol):
    """Keeps the newest ``NOTES`` of each person, for ``seconds`` at least."""

    remote: bool

    def read(self, person: str) -> list[bytes]:
        """The oldest first. Raises Unavailable."""

    def add(self, person: str, note: bytes, seconds: float) -> None:
        """Raises Unavailable."""


class MemoryNotes:
    """Notes of one process."""

    remote = False

    def __init__(self) -> None:
        self._people: OrderedDict[str, deque[bytes]] = OrderedDict()

    def read(self, person: str) -> list[bytes]:
        """See ``Notes``."""
        return list(self._people.get(person, ()))

    def add(self, person: str, note: bytes, seconds: float) -> None:  # noqa: ARG002
        """See ``Notes``. Friction passes over what is too old."""
        self._people.setdefault(person, deque(maxlen=NOTES)).append(note)
        self._people.move_to_end(person)
        if len(self._people) > PEOPLE:
            self._people.popitem(last=False)


class Tried(NamedTuple):
    """A prompt that may go on. ``attempts``: near-duplicates of refused prompts of late.
    ``note``: what to remember if it is refused; None where there is nothing to."""

    person: str
    attempts: int
    note: Note | None

    @property
    def new(self) -> bool:
        """Whether a refusal of it would be one attempt more."""
        return self.note is not None and self.note.came is Came.REFUSED_AGAIN


class Friction:
    """For one gateway. ``clock`` gives POSIX seconds."""

    def __init__(
        self,
        settings: FrictionSettings,
        notes: Notes,
        counters: Counters,
        commitment_key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._counters = counters
        self._key = hmac.digest(commitment_key, _DOMAIN, "sha256")
        self._clock = clock

    def person(self, identity: Identity, end_user: str | None = None) -> str | None:
        """Against whom attempts are held; None where against nobody.

        ``end_user``: as the request names them. Only a key of the scope bulk, behind which many
        people stand, is believed about that; anybody else could become a new person at will.
        """
        if not self._settings.on or identity.subject == ANONYMOUS:
            return None
        if Scope.BULK not in identity.scopes:
            return identity.subject
        if not end_user:
            return None
        named = hmac.digest(
            self._key, b"person\x00" + end_user.encode("utf-8", "replace"), "sha256"
        )
        return f"{identity.subject}:{named.hex()[:32]}"

    async def weigh(self, person: str, prompt: str) -> Tried:
        """Whether ``prompt`` may go on. Raises ProbingSuspected, LimitsUnavailable."""
        if self._notes.remote or len(prompt) > LONG_PROMPT:
            return await run_in_threadpool(self._weigh, person, prompt)
        return self._weigh(person, prompt)

    async def refused(self, tried: Tried) -> None:
        """Remember that what was tried was refused. Raises LimitsUnavailable."""
        if tried.note is not None:
            packed_note = tried.note._replace(at=self._clock()).packed()
            if self._notes.remote:
                await run_in_threadpool(self._add, tried.person, packed_note)
            else:
                self._add(tried.person, packed_note)

    def _weigh(self, person: str, prompt: str) -> Tried:
        settings, now = self._settings, self._clock()
        notes = [Note.unpacked(data) for data in self._notes.read(person)]
        notes = [note for note in notes if now - note.at < settings.memory]
        attempts = sum(note.came is not Came.REFUSED for note in notes)
        words = sketch(prompt, self._key)
        exact = hmac.digest(self._key, prompt.encode("utf-8", "replace"), "sha256")[:8]
        same = [note for note in notes if note.exact == exact]
        if any(note.came is not Came.STOPPED for note in same):
            return Tried(person, attempts, None)
        if not any(overlap(words, note.words) >= settings.alike for note in notes):
            return Tried(person, attempts, Note(now, Came.REFUSED, exact, words))
        if attempts >= settings.stop_after:
            if not same:
                self._add(person, Note(now, Came.STOPPED, exact, words).packed())
            oldest = min(note.at for note in notes if note.came is not Came.REFUSED)
            raise _suspected("no more is tried", oldest + settings.memory - now)
        if attempts >= settings.slow_after:
            meter = Meter(f"probing:{person}", "bucket", settings.per_minute, 1, MINUTE)
            (stands,) = self._counters.take([meter], now)
            if not stands.allowed:
                raise _suspected(f"{settings.per_minute} a minute are tried", stands.wait)
        return Tried(person, attempts, Note(now, Came.REFUSED_AGAIN, exact, words))

    def _add(self, person: str, note: bytes) -> None:
        self._notes.add(person, note, self._settings.memory)


def _suspected(what: str, wait: float) -> ProbingSuspected:
    seconds = max(1, math.ceil(wait))
    return ProbingSuspected(
        "this prompt is much like several that were refused, which looks like probing, so"
        f" {what}; try again in {seconds} s, or ask for something else. If the refusals were"
        " wrong, appeal against one of them",
        retry_after=seconds,
    )
