"""Appeals: somebody disagrees with a decision, and a person answers.

    appeals = Appeals(home)
    opened = appeals.open(find_decision(home.ledger, "dec_..."), Statement(statement="..."))
    appeals.waiting()                                        # oldest first, without their texts
    appeals.answer(opened.id, Outcome.OVERTURNED, "you were right: ...", by="key_17")
    appeals.read(opened.id).answer

All of it stands in the ledger: that somebody appealed and what came of it in clear, the words of
both sides sealed under a key of the appeal's own, which ``wardmark withdraw --subject APPEAL_ID``
destroys. The id of an appeal follows from its decision and cannot be guessed without the home's
key, so whoever knows it is the appellant, or was shown it.
"""

import hmac
import re
import threading
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from pydantic import AwareDatetime, Field

from guard.decisions import DecisionRecord, Found, Result, find_decision
from guard.errors import AlreadyRuled, AppealNotFound, AppealRefused, InvalidRequest
from policies.categories import CORE_CATEGORIES
from policies.decision import Action, Frozen
from provenance.errors import (
    EventConflict,
    LedgerUnavailable,
    RetentionInvalid,
    SubjectForgotten,
)
from provenance.home import Home
from provenance.ledger import Entry, Event
from provenance.ledger.commitment import commitment
from provenance.ledger.event import Json

OPENED = "appeal"
ANSWERED = "appeal.answer"
MAX_WORDS = 4_000  # characters, of a statement and of an answer
MAX_APPEALS = 3  # against one decision, one after the other
_FORM = re.compile(r"apl_([0-9a-f]{16})_([1-9])_([0-9a-f]{16})")
_ENTRY = re.compile(r"(dec_[0-9a-f]{16}):appeal:([1-9])")
_DOMAIN = b"wardmark-appeal/1\x00"
_UNSAFE = frozenset({"unsafe", *CORE_CATEGORIES})


class Outcome(StrEnum):
    """What a moderator says of the decision."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"


class Statement(Frozen):
    """What the appellant says. ``prompt``: the one that was refused, if they care to give it: it is
    stored nowhere else. ``reuse``: it may serve as a labelled example."""

    statement: str = Field(min_length=1, max_length=MAX_WORDS)
    prompt: str | None = Field(default=None, min_length=1, max_length=MAX_WORDS)
    reuse: bool = False


class Answer(Frozen):
    """``by``: who answered, an id. ``words`` is None where the appeal was erased."""

    outcome: Outcome
    words: str | None
    by: str
    at: AwareDatetime


class Appeal(Frozen):
    """One appeal. ``entry``: of the ledger, for a proof; ``tenant``: a commitment, or none.

    ``statement`` is None in lists, and where it was erased (``erased``). ``prompt_is_it``: whether
    the prompt that was given is the one that was refused; None where none was given.
    """

    id: str
    decision_id: str
    entry: str
    opened_at: AwareDatetime
    tenant: str | None = None
    statement: str | None = None
    prompt: str | None = None
    prompt_is_it: bool | None = None
    reuse: bool = False
    erased: bool = False
    answer: Answer | None = None

    @property
    def state(self) -> str:
        """``open``, or the outcome."""
        return self.answer.outcome.value if self.answer else "open"


class _Named(NamedTuple):
    """The decision and number of an appeal, and the ids of its two entries."""

    decision_id: str
    number: int

    @property
    def opened(self) -> str:
        return f"{self.decision_id}:appeal:{self.number}"

    @property
    def answered(self) -> str:
        return f"{self.opened}:answer"


class Appeals:
    """The appeals of one home. Safe to share between threads; several processes agree through the
    ledger."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open: dict[str, Appeal] = {}
        self._seen = 0  # entries of the ledger that ``_open`` knows
        self._lock = threading.Lock()

    def open(self, found: Found, said: Statement) -> Appeal:
        """Appeal against a decision.

        Raises AppealRefused where nothing was refused, or an appeal is open or was the last;
        LedgerUnavailable where it cannot be recorded and sealed.
        """
        decision = found.record
        if not any(ending.result in (Result.REFUSED, Result.HELD) for ending in decision.endings):
            raise AppealRefused("nothing was refused or held here, so there is nothing to appeal")
        before = self._against(decision.id)
        if before and before[-1].answer is None:
            raise AppealRefused(f"an appeal is open: {before[-1].id}; wait for its answer")
        if len(before) == MAX_APPEALS:
            raise AppealRefused(
                f"{MAX_APPEALS} appeals against this decision were answered; there is no further"
            )
        named = _Named(decision.id, len(before) + 1)
        plain: dict[str, Json] = {"said": said.statement}
        if said.prompt is not None:
            plain |= {"asked": said.prompt, "reuse": said.reuse}
        beside: dict[str, Json] = {"decision_id": decision.id, "tenant": found.tenant}
        event = self._sealed(OPENED, named, plain, beside, named.opened)
        try:
            self._home.ledger.append([event])
        except EventConflict as error:
            raise AppealRefused("another appeal was opened at the same moment; read it") from error
        return self.read(self._id(named))

    def read(self, appeal_id: str) -> Appeal:
        """An appeal with its words, as far as they were not erased. Raises AppealNotFound,
        LedgerUnavailable."""
        named = self._named(appeal_id)
        entries = {e.id: e for e in self._home.ledger.find([named.opened, named.answered])}
        if named.opened not in entries:
            raise AppealNotFound(f"no appeal {appeal_id!r}; its id stands in the answer to it")
        appeal = self._opened(entries[named.opened], appeal_id)
        if named.answered in entries:
            return appeal.model_copy(update={"answer": self._answer(entries[named.answered])})
        return appeal

    def waiting(self) -> tuple[Appeal, ...]:
        """The open appeals, oldest first, without their words. Reads what is new in the ledger."""
        ledger = self._home.ledger
        with self._lock:
            size = ledger.size  # before reading: what comes meanwhile is read again
            for entry in ledger.entries(kind=OPENED, first=self._seen):
                if named := _named(entry.id):
                    self._open[entry.id] = _listed(entry, self._id(named))
            for entry in ledger.entries(kind=ANSWERED, first=self._seen):
                self._open.pop(entry.id.removesuffix(":answer"), None)
            self._seen = size
            return tuple(self._open.values())

    def answered(self, limit: int = 100) -> tuple[Appeal, ...]:
        """The appeals that were answered last, newest first, with their words."""
        entries = self._home.ledger.latest(ANSWERED)
        names = (_named(entry.id.removesuffix(":answer")) for entry in entries)
        return tuple(self.read(self._id(named)) for named in islice(filter(None, names), limit))

    def answer(self, appeal_id: str, outcome: Outcome, words: str, *, by: str) -> Appeal:
        """Answer an appeal, once. ``words`` are for the appellant, 1 to 4,000 characters.

        Raises AppealNotFound, AlreadyRuled, InvalidRequest, LedgerUnavailable. Of an appeal that
        was erased only the outcome is kept.
        """
        if not 1 <= len(words.strip()) <= MAX_WORDS:
            raise InvalidRequest(f"say why in 1 to {MAX_WORDS:,} characters")
        if self.read(appeal_id).answer is not None:
            raise AlreadyRuled(f"{appeal_id} was answered before; read it")
        named = self._named(appeal_id)
        beside: dict[str, Json] = {
            "decision_id": named.decision_id,
            "outcome": outcome.value,
            "by": by,
        }
        try:
            event = self._sealed(ANSWERED, named, {"said": words}, beside, named.answered)
        except SubjectForgotten:
            event = Event(ANSWERED, beside, named.answered)
        try:
            self._home.ledger.append([event])
        except EventConflict as error:
            raise AlreadyRuled(f"{appeal_id} was answered at the same moment; read it") from error
        return self.read(appeal_id)

    def labelled(self) -> Iterator[dict[str, Any]]:
        """Rulings on prompts as lines for ``wardmark evaluate prompts``.

        Only prompts that the appellant gave for this, and that are the ones which were refused.
        Raises AppealRefused unless the settings allow it.
        """
        if not self._home.settings.appeals.export:
            raise AppealRefused(
                "the settings do not allow it; set [appeals] export = true in wardmark.toml"
            )
        for entry in self._home.ledger.entries(kind=ANSWERED):
            named = _named(entry.id.removesuffix(":answer"))
            appeal = self.read(self._id(named)) if named else None
            if appeal is None or not (appeal.answer and appeal.reuse and appeal.prompt_is_it):
                continue
            objected = _objected(find_decision(self._home.ledger, appeal.decision_id).record)
            upheld = appeal.answer.outcome is Outcome.UPHELD
            if objected:  # else no score refused the prompt, and the ruling says nothing of it
                yield {
                    "text": appeal.prompt,
                    "unsafe": upheld and bool(objected & _UNSAFE),
                    "categories": sorted(objected - {"unsafe"}) if upheld else [],
                    "source": "appeals",
                }

    def _against(self, decision_id: str) -> list[Appeal]:
        """The appeals against a decision, in order, without their words."""
        names = [_Named(decision_id, n) for n in range(1, MAX_APPEALS + 1)]
        ids = [one for named in names for one in (named.opened, named.answered)]
        entries = {entry.id: entry for entry in self._home.ledger.find(ids)}
        found = []
        for named in names:
            if named.opened in entries:
                appeal = _listed(entries[named.opened], self._id(named))
                if named.answered in entries:
                    answer = self._answer(entries[named.answered])
                    appeal = appeal.model_copy(update={"answer": answer})
                found.append(appeal)
        return found

    def _sealed(
        self,
        kind: str,
        named: _Named,
        plain: dict[str, Json],
        beside: dict[str, Json],
        event_id: str,
    ) -> Event:
        try:
            return self._home.subjects.event(
                kind, self._id(named), plain, beside, event_id=event_id
            )
        except RetentionInvalid as error:
            raise LedgerUnavailable(f"appeals cannot be sealed here: {error}") from error

    def _opened(self, entry: Entry, appeal_id: str) -> Appeal:
        listed = _listed(entry, appeal_id)
        plain = self._plain(entry)
        if plain is None:
            return listed.model_copy(update={"erased": True})
        asked = plain.get("asked")
        words = {"statement": plain["said"], "prompt": asked, "reuse": plain.get("reuse", False)}
        if asked is not None:
            words["prompt_is_it"] = self._is_it(listed.decision_id, asked)
        return listed.model_copy(update=words)

    def _answer(self, entry: Entry) -> Answer:
        plain = self._plain(entry) if "sealed" in entry.body else None
        body: Any = entry.body
        words = plain["said"] if plain else None
        return Answer(outcome=body["outcome"], words=words, by=body["by"], at=entry.at)

    def _plain(self, entry: Entry) -> dict[str, Any] | None:
        try:
            return self._home.subjects.open(entry).plain
        except SubjectForgotten:
            return None

    def _is_it(self, decision_id: str, prompt: str) -> bool:
        """Whether this is the prompt of a decision, by the commitment that is on record."""
        committed = find_decision(self._home.ledger, decision_id).prompt_commitment
        return committed == commitment(self._home.commitment_key, prompt)

    def _id(self, named: _Named) -> str:
        message = _DOMAIN + named.opened.encode()
        mac = hmac.digest(self._home.commitment_key, message, "sha256").hex()[:16]
        return f"apl_{named.decision_id.removeprefix('dec_')}_{named.number}_{mac}"

    def _named(self, appeal_id: str) -> _Named:
        found = _FORM.fullmatch(appeal_id)
        named = _Named(f"dec_{found[1]}", int(found[2])) if found else None
        if named is None or not hmac.compare_digest(self._id(named), appeal_id):
            raise AppealNotFound(f"no appeal {appeal_id!r}; its id stands in the answer to it")
        return named


def _named(entry_id: str) -> _Named | None:
    """None for an entry of that kind which somebody else put there: no appeal of ours."""
    found = _ENTRY.fullmatch(entry_id)
    return _Named(found[1], int(found[2])) if found else None


def _listed(entry: Entry, appeal_id: str) -> Appeal:
    body: Any = entry.body
    return Appeal(
        id=appeal_id,
        decision_id=body["decision_id"],
        entry=entry.id,
        opened_at=entry.at,
        tenant=body.get("tenant"),
    )


def _objected(decision: DecisionRecord) -> frozenset[str]:
    """The categories whose scores made a rule hold or refuse the prompt itself."""
    return frozenset(
        because.field.removeprefix("score.")
        for ending in decision.endings
        for stage in ending.stages
        if stage.stage == "prompt"
        for reason in stage.reasons
        if reason.action >= Action.REDACT
        for because in reason.because
        if because.field.startswith("score.")
    )
