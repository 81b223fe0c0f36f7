"""What is legal in a policy and yet likely a mistake. Findings are data. Pure but for reading.

invalid             the document does not load; nothing else was looked at
unreachable         the clause contradicts itself: no facts make it true
duplicate           an earlier rule fires on the same facts and asks the same
covered             whenever the rule fires, another does that is as strict and asks as much
overlap             the limits of two rules lie so that one of them never decides, or nobody can
                    say which does
unanswered-skip     a strict rule is silent when a core or required category was not assessed,
                    and no rule answers for that by reading ``not_assessed``
unmet-label         the action is label but nothing obliges anybody to draw the label
unused-requirement  a category is required but no rule looks at its score
no-case             no case expects the rule to fire
no-cases            the policy has no cases at all
weakened            a note: an override may let pass what the rule stopped before
unserved            a note: a line of law is no longer served, since its rule was dropped

Looked at are the rules that the file states or overrides itself, beside all that are in force; what
it only includes is a matter of the included file. Notes tell what was done on purpose.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from policies.cases import FOLDER, Case, load_cases
from policies.categories import CORE_CATEGORIES
from policies.decision import Action, Frozen, Obligation, Scalar
from policies.errors import PolicyInvalid, PolicyNotFound
from policies.fields import NOT_ASSESSED, SCORE_PREFIX
from policies.implication import covers, never, outranks, thresholds
from policies.inclusion import Effective
from policies.language import OnMissing, Rule, comparisons, share_of_threshold, spelt_out
from policies.load import load_effective, policy_path
from policies.source import Path as Place
from policies.source import Source

NOTES = frozenset({"weakened", "unserved"})


class Finding(Frozen):
    """One remark. ``line`` and ``column`` count from 1; ``rule`` is None for the whole document."""

    code: str
    line: int
    column: int
    rule: str | None
    message: str

    @property
    def is_note(self) -> bool:
        """It tells what was done on purpose and stated."""
        return self.code in NOTES


class _Own(NamedTuple):
    """A rule that the file states (its keys are places of their own) or overrides."""

    rule: Rule
    at: Place
    stated: bool

    def place(self, key: str) -> Place:
        return (*self.at, key) if self.stated else self.at


def lint_policy(name_or_path: str | Path) -> tuple[Finding, ...]:
    """Everything there is to say of a policy and its cases, in the order of the document.

    Faults that keep it from loading are findings too. Raises PolicyNotFound, PolicyUnreadable, and
    PolicyInvalid when the file of its cases is broken.
    """
    path = policy_path(name_or_path)
    try:
        policy = load_effective(path)
    except PolicyInvalid as error:
        return tuple(
            Finding(code="invalid", line=line, column=column, rule=None, message=message)
            for line, column, message in error.problems
        )
    try:
        cases: Sequence[Case] = load_cases(path)
    except PolicyNotFound:
        cases = ()
    return lint(policy, cases)


def lint(policy: Effective, cases: Sequence[Case]) -> tuple[Finding, ...]:
    """Findings on a policy that loads."""
    found = _Findings(policy.source)
    rules = policy.document.rules
    own = _own(policy)
    for one in own:
        if never(one.rule.when):
            said = "contradicts itself and cannot fire"
            found.add("unreachable", one.place("when"), one.rule, said)
        else:
            _overlaps(found, rules, one)
        _skips(found, policy, one)
        due = one.rule.obligations | policy.document.obligations
        if one.rule.action is Action.LABEL and Obligation.VISIBLE_LABEL not in due:
            said = "labels, but without the obligation visible_label nobody must draw the label"
            found.add("unmet-label", one.place("action"), one.rule, said)
    read = {field for rule in rules for field in _fields(rule)}
    for category in sorted(policy.file.requires):
        if f"{SCORE_PREFIX}{category}" not in read:
            said = f"{category} is required, but no rule looks at its score"
            found.add("unused-requirement", ("requires",), None, said)
    _overrides(found, policy)
    _cases(found, own, cases)
    return found.in_order()


def _own(policy: Effective) -> tuple[_Own, ...]:
    stated = {rule.id: position for position, rule in enumerate(policy.file.rules)}
    changed = {one.rule: position for position, one in enumerate(policy.file.overrides)}
    return tuple(
        _Own(rule, ("rules", stated[rule.id]), stated=True)
        if rule.id in stated
        else _Own(rule, ("overrides", changed[rule.id]), stated=False)
        for rule in policy.document.rules
        if rule.id in stated or rule.id in changed
    )


class _Findings:
    """Collects findings with their places."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: list[Finding] = []

    def add(self, code: str, path: Place, rule: Rule | None, said: str) -> None:
        line, column = self._source.place(path)
        name = rule.id if rule else None
        message = f"rule {name} {said}" if rule else said
        self._found.append(Finding(code=code, line=line, column=column, rule=name, message=message))

    @property
    def file(self) -> str:
        return self._source.name

    def in_order(self) -> tuple[Finding, ...]:
        return tuple(sorted(self._found, key=lambda one: (one.line, one.column, one.code)))


def _overlaps(found: _Findings, rules: Sequence[Rule], one: _Own) -> None:
    rule, place = one.rule, one.place("when")
    position = rules.index(rule)
    for other_position, other in enumerate(rules):
        if other_position == position:
            continue
        if covers(other, rule) and not covers(rule, other):
            said = f"adds nothing: whenever it fires, {other.id} does, which is as strict"
            found.add("covered", place, rule, said)
            return
        if covers(other, rule):
            if other_position < position:
                found.add("duplicate", place, rule, f"says the same as {other.id}")
                return
        elif outranks(other, rule) and not outranks(rule, other):
            said = f"never decides: whenever it fires, {other.id} does, which is as strict"
            found.add("overlap", place, rule, said)
            return
        elif other_position < position:
            for score in _undecided(rule, other):
                said = f"and {other.id} hold {score} to a number and to the assessor's threshold"
                advice = "which is lower depends on the assessor, so say both in one rule"
                found.add("overlap", place, rule, f"{said}; {advice}")


def _undecided(rule: Rule, other: Rule) -> list[str]:
    """Scores that alone make both rules fire, the one at a number, the other at ``calibrated``."""
    if rule.action is not other.action or len({rule.stage, other.stage, "both"}) == 3:
        return []
    mine, theirs = thresholds(rule.when), thresholds(other.when)
    return sorted(
        score
        for score in mine.keys() & theirs.keys()
        if _of_the_assessor(mine[score]) is not _of_the_assessor(theirs[score])
    )


def _of_the_assessor(limits: set[Scalar]) -> bool:
    return any(share_of_threshold(limit) for limit in limits)


def _skips(found: _Findings, policy: Effective, one: _Own) -> None:
    rule = one.rule
    if rule.on_missing is not OnMissing.SKIP or rule.action not in (Action.BLOCK, Action.REVIEW):
        return
    scores = {field.removeprefix(SCORE_PREFIX) for field in _fields(rule)}
    answered = {
        category
        for other in policy.document.rules
        for _, clause, _ in comparisons(other.when)
        if clause.field == NOT_ASSESSED
        for category in (clause.limit if isinstance(clause.limit, tuple) else (clause.limit,))
    }
    matters = policy.document.requires.union(CORE_CATEGORIES)
    for category in sorted((scores & matters) - answered):
        said = f"is silent when {category} was not assessed, and no rule answers for that"
        found.add("unanswered-skip", one.place("on_missing"), rule, said)


def _overrides(found: _Findings, policy: Effective) -> None:
    positions = {one.rule: nth for nth, one in enumerate(policy.file.overrides)}
    for standing in policy.standing:
        nth = positions.get(standing.rule.id)
        if nth is not None and standing.changes[-1].may_weaken:
            said = "was dropped" if standing.dropped else "may stop less than before"
            because = standing.changes[-1].because
            found.add("weakened", ("overrides", nth), standing.rule, f"{said}: {because}")
    gone = {one.rule.id: one for one in policy.standing if one.dropped}
    for service in policy.unserved:
        for by in sorted(gone.keys() & set(service.by)):
            place: Place = ("overrides", positions[by]) if by in positions else ("includes",)
            said = f"{service.line} is not served without the rule {by} of {gone[by].origin}"
            found.add("unserved", place, None, said)


def _cases(found: _Findings, own: Sequence[_Own], cases: Sequence[Case]) -> None:
    if not cases:
        said = f"there are no cases; write them in {FOLDER}/{found.file}"
        found.add("no-cases", (), None, said)
        return
    expected = {rule for case in cases for rule in case.expect.rules}
    for one in own:
        if one.rule.id not in expected:
            found.add("no-case", one.at, one.rule, "is expected to fire by no case")


def _fields(rule: Rule) -> set[str]:
    return {
        field.field
        for _, clause, _ in comparisons(rule.when)
        for _, field, _ in comparisons(spelt_out(clause))
    }
