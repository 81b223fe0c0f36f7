"""Decisions as pages show them: a list, newest first, and one with its reasons as sentences."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime

from guard.console.views import words
from guard.decisions import DecisionRecord, Ending, Result, StageDecision, ending_of
from policies.decision import Action, Frozen, Reason
from provenance.ledger import Entry, Ledger

KINDS: Final = ("delivery", "refusal", "stopped")
SHOWN: Final = 50  # rows of a page
MOST_LOOKED_AT: Final = 2_000  # entries that are looked through for those that match
Seen = Callable[[Entry], bool]


class Filter(Frozen):
    """What is looked for; what is empty is not asked. ``rule``: part of a rule's name."""

    result: Result | None = None
    action: Action | None = None
    stage: Literal["", "prompt", "image"] = ""
    rule: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    def takes(self, row: "Row") -> bool:
        """Whether a row is looked for; times are not asked here."""
        return (
            (self.result is None or row.result is self.result)
            and (self.action is None or row.action is self.action)
            and (not self.stage or row.stage == self.stage)
            and (not self.rule or any(self.rule in rule for rule in row.rules))
        )


class Row(Frozen):
    """One ending of a request. ``stage``: the last that was judged. ``action``: the strictest of
    its stages, None where a part was down (``code``). ``rules``: of that action."""

    decision: str
    entry: str
    index: int
    at: datetime
    result: Result
    stage: Literal["", "prompt", "image"]
    action: Action | None
    rules: tuple[str, ...]
    not_assessed: tuple[str, ...]
    code: str | None


class Listing(Frozen):
    """Rows, newest first. ``older``: the index to go on before, None at the end. ``looked_at``:
    entries that were read for it."""

    rows: tuple[Row, ...]
    older: int | None
    looked_at: int

    @property
    def newest(self) -> int:
        """Index of the first row; -1 of none."""
        return self.rows[0].index if self.rows else -1


class Score(Frozen):
    """One category of an assessment; probabilities."""

    category: str
    score: float
    threshold: float | None

    @property
    def flagged(self) -> bool:
        """It reaches the assessor's threshold."""
        return self.threshold is not None and self.score >= self.threshold


class Fired(Frozen):
    """A rule that fired, and the clauses that held, as sentences."""

    reason: Reason
    sentences: tuple[str, ...]


class Judged(Frozen):
    """One stage. What flagged comes first among the scores, the strictest first among the rules."""

    title: str
    decided: StageDecision
    fired: tuple[Fired, ...]
    scores: tuple[Score, ...]


class Picture(Frozen):
    """One ending, and the stages that are its own."""

    ending: Ending
    judged: tuple[Judged, ...]


class Whole(Frozen):
    """A decision. ``prompt`` is None where it ended before the prompt was judged."""

    id: str
    at: datetime
    results: tuple[Result, ...]
    prompt: Judged | None
    pictures: tuple[Picture, ...]


def listing(ledger: Ledger, asked: Filter, seen: Seen, *, before: int | None = None) -> Listing:
    """A page of what ``asked`` looks for and ``seen`` shows, before index ``before``.

    Raises LedgerUnavailable, LedgerCorrupt.
    """
    rows: list[Row] = []
    looked_at = 0
    last: int | None = None
    for entry in ledger.latest(*KINDS, before=before, until=asked.until):
        if asked.since is not None and entry.at < asked.since:
            break
        if len(rows) == SHOWN or looked_at == MOST_LOOKED_AT:
            return Listing(rows=tuple(rows), older=last, looked_at=looked_at)
        looked_at += 1
        last = entry.index
        if seen(entry):
            row = row_of(entry)
            if asked.takes(row):
                rows.append(row)
    return Listing(rows=tuple(rows), older=None, looked_at=looked_at)


def row_of(entry: Entry) -> Row:
    """An entry of ``KINDS`` in one line. Raises LedgerCorrupt."""
    ending = ending_of(entry)
    action = max((stage.action for stage in ending.stages), default=None)
    rules = [
        reason.rule
        for stage in ending.stages
        for reason in stage.reasons
        if reason.action is action
    ]
    unseen = [name for stage in ending.stages for name in stage.not_assessed]
    return Row(
        decision=str(entry.body.get("decision_id", "")),
        entry=entry.id,
        index=entry.index,
        at=entry.at,
        result=ending.result,
        stage=_last_stage(ending),
        action=action,
        rules=tuple(dict.fromkeys(rules)),
        not_assessed=tuple(dict.fromkeys(unseen)),
        code=ending.code,
    )


def whole(record: DecisionRecord) -> Whole:
    """All that a page shows of a decision."""
    stages = [stage for ending in record.endings for stage in ending.stages]
    prompt = next((stage for stage in stages if stage.stage == "prompt"), None)
    return Whole(
        id=record.id,
        at=record.endings[0].at,
        results=tuple(dict.fromkeys(ending.result for ending in record.endings)),
        prompt=None if prompt is None else judged(prompt),
        pictures=tuple(
            Picture(
                ending=ending,
                judged=tuple(judged(stage) for stage in ending.stages if stage.stage != "prompt"),
            )
            for ending in record.endings
        ),
    )


def judged(stage: StageDecision) -> Judged:
    """One stage with its reasons in words."""
    scores = [
        Score(category=name, score=score, threshold=stage.thresholds.get(name))
        for name, score in stage.scores.items()
    ]
    return Judged(
        title=words.stage(stage.stage),
        decided=stage,
        fired=fired(stage.reasons),
        scores=tuple(sorted(scores, key=lambda one: (not one.flagged, -one.score))),
    )


def fired(reasons: Sequence[Reason]) -> tuple[Fired, ...]:
    """Rules that fired in words, the strictest first."""
    return tuple(
        Fired(reason=reason, sentences=tuple(words.because(one) for one in reason.because))
        for reason in sorted(reasons, key=lambda one: -one.action.severity)
    )


def _last_stage(ending: Ending) -> Literal["", "prompt", "image"]:
    if not ending.stages:
        return ""
    return "prompt" if ending.stages[-1].stage == "prompt" else "image"
