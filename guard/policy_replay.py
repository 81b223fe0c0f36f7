"""What would this policy have decided on what was asked before? From the ledger, changing nothing.

Each judgement on record (a prompt, a picture that was sent in, one that was drawn, one after
redaction) is put to the policy anew, on the very facts of then. What cannot be known is counted and
said: judgements recorded without their facts, and what would pass now and was never drawn.
"""

import heapq
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from guard.pipeline.account import recorded_facts, words_of
from guard.pipeline.pipeline import after_redaction
from policies.comparison import Answer, Direction
from policies.decision import Action, Frozen, PolicyRef
from policies.errors import FactMissing
from policies.facts import Facts, Stage
from policies.policy import Policy
from provenance.ledger import Entry, Ledger

KINDS = ("delivery", "refusal")
PARTS: Mapping[str, Stage] = {
    "prompt_stage": "prompt",
    "input_image": "image",
    "input_image_redacted": "image",
    "image": "image",
    "image_redacted": "image",
}
"""Where the judgements stand in the body of an entry."""

MAX_EXAMPLES = 1_000  # differences that a report names; all are counted
_REMEMBERED = 100_000  # decisions whose prompt was counted; pictures of one stand close together

Part = Literal["prompt_stage", "input_image", "input_image_redacted", "image", "image_redacted"]
ASKED: frozenset[Part] = frozenset({"prompt_stage", "input_image", "input_image_redacted"})
"""Judged once for all the pictures of a request, before any was drawn."""

Progress = Callable[[int, int], None]
"""Called with how far in the ledger it is, and how many entries the ledger has."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement on record. ``account`` as ``guard.pipeline.account`` wrote it."""

    index: int
    entry: str
    decision: str
    at: datetime
    part: Part
    account: Mapping[str, Any]

    @property
    def answer(self) -> Answer:
        """What was decided then."""
        return Answer(
            action=Action(self.account["action"]),
            rules=frozenset(reason["rule"] for reason in self.account["reasons"]),
            obligations=frozenset(self.account.get("obligations", ())),
        )


class Difference(Frozen):
    """One judgement that comes out otherwise. ``after`` is None where a demanded fact was missing;
    ``gained`` and ``lost`` are rules.

    ``decision``: the id that the caller was given; ``entry``: the ledger's, for a proof.
    """

    decision: str
    entry: str
    at: datetime
    part: Part
    direction: Direction | None
    before: Action
    after: Action | None
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    obligations_gained: tuple[str, ...]
    obligations_lost: tuple[str, ...]


class RuleDifference(Frozen):
    """How often a rule fires that did not, and no longer fires that did."""

    rule: str
    gained: int
    lost: int


class Transition(Frozen):
    """How many judgements went from one action to another; None: could not be decided."""

    part: Part
    before: Action
    after: Action | None
    count: int


class ReplayReport(Frozen):
    """The differences between what was decided and what ``policy`` says.

    ``judged`` = ``same`` + ``stricter`` + ``milder`` + ``other`` (same action by other rules or
    obligations) + ``undecided`` (a fact that the policy demands was missing). ``without_facts``:
    judgements of before facts were recorded, which cannot be asked again. ``never_drawn``: prompts
    that were held or refused and would pass now, so nobody knows what their pictures would show.
    ``differences`` names up to ``MAX_EXAMPLES``, oldest first.
    """

    policy: PolicyRef
    since: datetime
    judged: int
    same: int
    stricter: int
    milder: int
    other: int
    undecided: int
    without_facts: int
    never_drawn: int
    decided_by: tuple[tuple[PolicyRef, int], ...]
    transitions: tuple[Transition, ...]
    rules: tuple[RuleDifference, ...]
    differences: tuple[Difference, ...]


def judgements(ledger: Ledger, since: datetime) -> Iterator[Judged]:
    """Every judgement recorded since, in the ledger's order; what was asked once for all its
    pictures."""
    counted: OrderedDict[tuple[str, str], None] = OrderedDict()
    by_kind = [ledger.entries(kind=kind, since=since) for kind in KINDS]
    for entry in heapq.merge(*by_kind, key=lambda one: one.index):
        body: Mapping[str, Any] = entry.body
        decision = body.get("decision_id")
        for part in PARTS:
            if not isinstance(decision, str) or not isinstance(body.get(part), dict):
                continue
            if part in ASKED:
                if (decision, part) in counted:
                    continue
                counted[decision, part] = None
                if len(counted) > _REMEMBERED:
                    counted.popitem(last=False)
            yield _judged(entry, decision, part, body[part])


def _judged(entry: Entry, decision: str, part: str, account: Mapping[str, Any]) -> Judged:
    return Judged(entry.index, entry.id, decision, entry.at, part, account)  # type: ignore[arg-type]


def replay(
    ledger: Ledger,
    policy: Policy,
    since: datetime,
    commitment_key: bytes,
    progress: Progress = lambda _done, _all: None,
) -> ReplayReport:
    """Put everything recorded since to ``policy``. ``since`` is aware.

    Raises LedgerUnavailable. Memory does not grow with the ledger.
    """
    words = words_of([policy], commitment_key)
    tally = _Tally(policy.ref, since)
    size = ledger.size
    for judged in judgements(ledger, since):
        facts = recorded_facts(judged.account, PARTS[judged.part], words)
        if facts is None:
            tally.without_facts += 1
        else:
            tally.add(judged, _answer(policy, facts, judged.part))
        progress(judged.index + 1, size)
    return tally.report()


def candidate_report(ledger: Ledger, policy: Policy, since: datetime) -> ReplayReport:
    """What ``policy`` said since while it was on trial, from what was recorded at the time."""
    tally = _Tally(policy.ref, since)
    for judged in judgements(ledger, since):
        said = judged.account.get("candidate")
        if said and said["policy"]["digest"] == policy.digest:
            tally.add(judged, None if said["answer"] is None else Answer(**said["answer"]))
    return tally.report()


def _answer(policy: Policy, facts: Facts, part: Part) -> Answer | None:
    try:
        decision = policy.decide(facts)
    except FactMissing:
        return None
    return Answer.of(after_redaction(decision) if part.endswith("_redacted") else decision)


def _more(one: Answer | None, other: Answer | None) -> tuple[str, ...]:
    """The obligations of ``one`` that ``other`` does not have."""
    mine, theirs = (each.obligations if each else frozenset() for each in (one, other))
    return tuple(sorted(mine - theirs))


class _Tally:
    """Counts differences as they come."""

    def __init__(self, policy: PolicyRef, since: datetime) -> None:
        self.without_facts = 0
        self._policy = policy
        self._since = since
        self._directions: Counter[Direction | None] = Counter()
        self._never_drawn = 0
        self._decided_by: Counter[PolicyRef] = Counter()
        self._transitions: Counter[tuple[Part, Action, Action | None]] = Counter()
        self._gained: defaultdict[str, int] = defaultdict(int)
        self._lost: defaultdict[str, int] = defaultdict(int)
        self._differences: list[Difference] = []

    def add(self, judged: Judged, after: Answer | None) -> None:
        before = judged.answer
        direction = None if after is None else before.towards(after)
        self._decided_by[PolicyRef(**judged.account["policy"])] += 1
        self._directions[direction] += 1
        if direction is Direction.SAME:
            return
        action = None if after is None else after.action
        gained = sorted(after.rules - before.rules) if after else []
        lost = sorted(before.rules - after.rules) if after else []
        for rule in gained:
            self._gained[rule] += 1
        for rule in lost:
            self._lost[rule] += 1
        if action is not before.action:
            self._transitions[judged.part, before.action, action] += 1
        stopped_at = Action.REDACT if judged.part == "prompt_stage" else Action.REVIEW
        if judged.part in ASKED and before.action >= stopped_at:
            self._never_drawn += action is not None and action < stopped_at
        if len(self._differences) < MAX_EXAMPLES:
            self._differences.append(
                Difference(
                    decision=judged.decision,
                    entry=judged.entry,
                    at=judged.at,
                    part=judged.part,
                    direction=direction,
                    before=before.action,
                    after=action,
                    gained=tuple(gained),
                    lost=tuple(lost),
                    obligations_gained=_more(after, before),
                    obligations_lost=_more(before, after) if after else (),
                )
            )

    def report(self) -> ReplayReport:
        counts = self._directions
        return ReplayReport(
            policy=self._policy,
            since=self._since,
            judged=sum(counts.values()),
            same=counts[Direction.SAME],
            stricter=counts[Direction.STRICTER],
            milder=counts[Direction.MILDER],
            other=counts[Direction.OTHER],
            undecided=counts[None],
            without_facts=self.without_facts,
            never_drawn=self._never_drawn,
            decided_by=tuple(self._decided_by.most_common()),
            transitions=tuple(
                Transition(part=part, before=before, after=after, count=count)
                for (part, before, after), count in self._transitions.most_common()
            ),
            rules=tuple(
                RuleDifference(rule=rule, gained=self._gained[rule], lost=self._lost[rule])
                for rule in sorted({*self._gained, *self._lost})
            ),
            differences=tuple(self._differences),
        )
