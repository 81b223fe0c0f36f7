"""Subjects: people in the ledger, from the first sealed event to their withdrawal.

The ledger is the authority on who withdrew and which keys are over; the store of keys carries out
what it says (``settle``). So a withdrawal is the event first, then the destruction: whatever is
interrupted in between is finished by whoever opens the two next, and a store that was put back
from an old copy forgets again before it is used.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final

from policies.decision import Frozen
from provenance.errors import EventInvalid, KeyCopyRefused, SubjectForgotten
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.event import Entry, Event, Json, new_id
from provenance.ledger.forgetting.keys import KeyStore
from provenance.ledger.forgetting.sealed import (
    Opened,
    Sealed,
    open_bytes,
    open_sealed,
    pseudonym,
    seal,
    seal_bytes,
)
from provenance.ledger.forgetting.settling import Settling
from provenance.ledger.ledger import Ledger
from provenance.ledger.retention import ClassDue, RetentionPlan, RetentionReport, load_plan

WITHDRAWN: Final = "consent.withdrawn"
EXPIRED_KEYS: Final = "retention.applied"
CONSENT: Final = "consent."  # kinds of events that say how somebody's consent stands begin so
UNKNOWN: Final = "unknown"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ConsentStanding(Frozen):
    """How a subject's consent stood. ``state``: unknown, declared, licensed, claimed, expired or
    withdrawn, which is final. ``entry``: id of the event that says so, at ``since``."""

    state: str
    entry: str | None = None
    since: datetime | None = None


class Withdrawal(Frozen):
    """What a withdrawal found and did.

    ``subject``: pseudonym; ``entry`` and ``index``: of the event; ``keys_destroyed``: in this run.
    ``sealed``: bodies of this subject in the whole ledger; ``readable``: of these, how many could
    still be opened. ``copies_until``: a copy of the keys from before the withdrawal cannot be
    restored after that time; None when there is none. ``in_log``: the store lives in PostgreSQL,
    whose write-ahead log may hold the keys until the server recycles it.
    """

    subject: str
    entry: str
    index: int
    at: datetime
    keys_destroyed: int
    sealed: int
    readable: int
    copies_until: datetime | None
    in_log: bool

    @property
    def complete(self) -> bool:
        """Whether nothing readable is left."""
        return self.readable == 0


class Subjects:
    """Seals, opens and forgets. Safe to share between threads, as its parts are."""

    def __init__(
        self, ledger: Ledger, keys: KeyStore, secret: bytes, plan: RetentionPlan | None = None
    ) -> None:
        """``secret``: 32 bytes, the key of commitments, under which ids become pseudonyms.

        Finishes what was interrupted. Raises ``LedgerUnavailable``, and ``KeyCopyRefused`` for a
        copy in the place of the store.
        """
        if keys.settlement().expires_at is not None:
            raise KeyCopyRefused("This store of keys is a copy; bring it back with restore.")
        self._ledger = ledger
        self._keys = keys
        self._secret = secret
        self._plan = plan or load_plan()
        self.settle()

    @property
    def keys(self) -> KeyStore:
        """The store of their keys, of which copies are made and into which one is restored."""
        return self._keys

    def pseudonym(self, subject_id: str) -> str:
        """What stands for a subject in the ledger, 64 hex digits."""
        return pseudonym(self._secret, subject_id)

    def event(
        self,
        kind: str,
        subject_id: str,
        plain: Mapping[str, Json],
        beside: Mapping[str, Json] | None = None,
        *,
        event_id: str | None = None,
    ) -> Event:
        """An event whose body holds ``plain`` sealed, and ``beside`` in clear.

        Appending it is up to the caller. Raises ``SubjectForgotten`` after a withdrawal,
        ``RetentionInvalid`` for a kind without a class, ``EventInvalid``.
        """
        key = self._keys.sealing_key(self.pseudonym(subject_id), self._plan.class_of(kind))
        body = seal(key, plain).body()
        if beside and body.keys() & beside.keys():
            raise EventInvalid("The fields subject and sealed of a sealed body are taken.")
        return Event(kind, body | dict(beside or {}), event_id or new_id())

    def open(self, entry: Entry) -> Opened:
        """What an entry seals. Raises ``SubjectForgotten`` when its key is destroyed,
        ``EventInvalid`` where nothing is sealed, ``LedgerCorrupt``."""
        sealed = Sealed.of(entry.body)
        if sealed is None:
            raise EventInvalid(f"The entry {entry.id} seals nothing.")
        return open_sealed(self._keys.opening_key(sealed.sealed.key), sealed)

    def days_kept(self, kind: str) -> int | None:
        """Whole days for which what is sealed under ``kind`` stays readable; None for ever.
        Raises ``RetentionInvalid`` for a kind without a class."""
        return self._plan.classes[self._plan.class_of(kind)].keep_days

    def seal_bytes(self, kind: str, subject_id: str, plain: bytes) -> tuple[str, bytes]:
        """Seal what is to stand beside the ledger; returns the id of the key, and what to keep.

        Raises ``SubjectForgotten`` after a withdrawal, ``RetentionInvalid``.
        """
        key = self._keys.sealing_key(self.pseudonym(subject_id), self._plan.class_of(kind))
        return key.id, seal_bytes(key, plain)

    def open_bytes(self, key_id: str, sealed: bytes) -> bytes:
        """What ``seal_bytes`` sealed. Raises ``SubjectForgotten``, ``LedgerCorrupt``."""
        return open_bytes(self._keys.opening_key(key_id), sealed)

    def entries(self, subject_id: str, *, as_of: Checkpoint | int | None = None) -> Iterator[Entry]:
        """Every entry of a subject in order, as of a checkpoint or a number of entries."""
        return self._of(self.pseudonym(subject_id), as_of)

    def _of(self, subject: str, as_of: Checkpoint | int | None = None) -> Iterator[Entry]:
        # The text is sought in the database, which reads ten times as fast as JSON is parsed.
        for entry in self._ledger.entries(mentioning=subject, as_of=as_of):
            if entry.body.get("subject") == subject:
                yield entry

    def consent(self, subject_id: str, *, as_of: Checkpoint | int | None = None) -> ConsentStanding:
        """How consent stood as of a checkpoint or a number of entries; now, without one.

        Silence is ``unknown``. What a declaration says in detail was sealed and may be gone.
        """
        standing = ConsentStanding(state=UNKNOWN)
        for entry in self.entries(subject_id, as_of=as_of):
            if entry.kind.startswith(CONSENT):
                state = entry.kind.removeprefix(CONSENT)
                standing = ConsentStanding(state=state, entry=entry.id, since=entry.at)
                if entry.kind == WITHDRAWN:
                    break
        return standing

    def withdraw(self, subject_id: str) -> Withdrawal:
        """Record the withdrawal, destroy the subject's keys, and look whether anything opens.

        When this returns, the keys are gone from the store and from its file. Doing it again
        changes nothing and looks again; after a crash it finishes the work. It is on record even
        of somebody of whom nothing was sealed. Raises ``LedgerUnavailable``.
        """
        subject = self.pseudonym(subject_id)
        (entry,) = self._ledger.append([_withdrawal(subject)])
        with self._keys.settling() as settling:
            destroyed = settling.forget(subject)  # also keys that somebody put back since
            carry_out(self._ledger, settling)
        self._leave_no_trace()
        sealed = readable = 0
        for found in self._of(subject):
            if Sealed.of(found.body) is not None:
                sealed += 1
                readable += self._opens(found)
        until = self._keys.settlement().copies_until
        return Withdrawal(
            subject=subject,
            entry=entry.id,
            index=entry.index,
            at=entry.at,
            keys_destroyed=destroyed,
            sealed=sealed,
            readable=readable,
            copies_until=until if until and until > self._keys.now() else None,
            in_log=self._keys.keeps_a_log,
        )

    def _opens(self, entry: Entry) -> bool:
        try:
            self.open(entry)
        except SubjectForgotten:
            return False
        return True

    def settle(self) -> int:
        """Carry out what the ledger says and the store has not done; returns how many keys went.

        Called on opening; where there is nothing to do, it costs two queries.
        """
        destroyed = 0
        if any(unsettled(self._ledger, self._keys.settlement().size)):
            with self._keys.settling() as settling:
                destroyed = carry_out(self._ledger, settling)
        self._leave_no_trace()
        return destroyed

    def _leave_no_trace(self) -> None:
        if self._keys.settlement().residue:
            self._keys.compact()

    def retention(self, today: date | None = None) -> RetentionReport:
        """What is due on ``today`` (UTC; the store's clock without it). Destroys nothing."""
        day = today or self._keys.now().date()
        held = self._keys.held_by_class()
        classes = []
        for name, declared in sorted(self._plan.classes.items()):
            through = declared.last_day_due(day)
            found = held.get(name)
            classes.append(
                ClassDue(
                    name=name,
                    keep_days=declared.keep_days,
                    keys=found.number if found else 0,
                    due=self._keys.due(name, through) if through else 0,
                    through=through,
                    oldest=found.oldest if found else None,
                )
            )
        undeclared = tuple(sorted(held.keys() - self._plan.classes.keys()))
        return RetentionReport(today=day, classes=tuple(classes), undeclared=undeclared)

    def erase_due(self, today: date | None = None) -> RetentionReport:
        """Destroy the keys that are due, recording it first; returns the report of before."""
        report = self.retention(today)
        events = [_expiry(c.name, c.through) for c in report.classes if c.due and c.through]
        if events:
            self._ledger.append(events)
            self.settle()
        return report


def unsettled(ledger: Ledger, size: int) -> Iterator[Entry]:
    """Withdrawals and ends of retention that a store which is settled up to ``size`` lacks."""
    # A ledger shorter than the store has seen was put back from a backup: all of it counts anew.
    first = size if size <= ledger.size else 0
    for kind in (WITHDRAWN, EXPIRED_KEYS):
        yield from ledger.entries(kind=kind, first=first)


def carry_out(ledger: Ledger, settling: Settling) -> int:
    """Destroy what the ledger says, within one transaction; returns how many keys went."""
    size = ledger.size  # before reading: what is appended meanwhile is left to the next
    for entry in unsettled(ledger, settling.before.size):
        match entry.body:
            case {"subject": str(subject)} if entry.kind == WITHDRAWN:
                settling.forget(subject)
            case {"class": str(name), "through": str(day)} if _DAY.fullmatch(day):
                settling.expire(name, day)
            case _:
                continue  # of that kind, but not ours: it says of nobody whose keys are to go
    return settling.done(size)


def _withdrawal(subject: str) -> Event:
    """Its id follows from the subject, so that a withdrawal is recorded once."""
    return Event(WITHDRAWN, {"subject": subject}, f"{WITHDRAWN}:{subject}")


def _expiry(name: str, through: date) -> Event:
    day = through.isoformat()
    return Event(EXPIRED_KEYS, {"class": name, "through": day}, f"{EXPIRED_KEYS}:{name}:{day}")
