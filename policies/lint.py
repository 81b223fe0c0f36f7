"""What is legal in a policy and yet likely a mistake. Findings are data. Pure but for reading.

invalid             the document does not load; nothing else was looked at
unreachable         the clause contradicts itself: no facts make it true
duplicate           an earlier rule fires on the same facts and asks the same
covered             whenever the rule fires, another does that is as strict and asks as much
unanswered-skip     a strict rule is silent when a core or required category was not assessed,
                    and no rule answers for that by reading ``not_assessed``
unmet-label         the action is label but nothing obliges anybody to draw the label
unused-requirement  a category is required but no rule looks at its score
no-case             no case expects the rule to fire
no-cases            the policy has no cases at all
"""

from collections.abc import Sequence
from pathlib import Path

from policies.cases import FOLDER, Case, load_cases
from policies.categories import CORE_CATEGORIES
from policies.decision import Action, Frozen, Obligation
from policies.errors import PolicyInvalid, PolicyNotFound
from policies.fields import NOT_ASSESSED, SCORE_PREFIX
from policies.implication import covers, never
from policies.language import OnMissing, PolicyDocument, Rule, comparisons
from policies.load import document_of, policy_path, read_file
from policies.source import Path as Place
from policies.source import Source


class Finding(Frozen):
    """One remark. ``line`` and ``column`` count from 1; ``rule`` is None for the whole document."""

    code: str
    line: int
    column: int
    rule: str | None
    message: str


def lint_policy(name_or_path: str | Path) -> tuple[Finding, ...]:
    """Everything there is to say of a policy and its cases, in the order of the document.

    Faults that keep it from loading are findings too. Raises PolicyNotFound, PolicyUnreadable, and
    PolicyInvalid when the file of its cases is broken.
    """
    path = policy_path(name_or_path)
    try:
        source = read_file(path)
        document = document_of(source)
    except PolicyInvalid as error:
        return tuple(
            Finding(code="invalid", line=line, column=column, rule=None, message=message)
            for line, column, message in error.problems
        )
    try:
        cases: Sequence[Case] = load_cases(path)
    except PolicyNotFound:
        cases = ()
    return lint(document, source, cases)


def lint(document: PolicyDocument, source: Source, cases: Sequence[Case]) -> tuple[Finding, ...]:
    """Findings on a document that loads. ``source`` gives the places."""
    found = _Findings(source)
    for position, rule in enumerate(document.rules):
        at = ("rules", position)
        if never(rule.when):
            found.add("unreachable", (*at, "when"), rule, "contradicts itself and cannot fire")
        else:
            _overlaps(found, document.rules, position)
        _skips(found, document, position)
        if rule.action is Action.LABEL and Obligation.VISIBLE_LABEL not in rule.obligations:
            said = "labels, but without the obligation visible_label nobody must draw the label"
            found.add("unmet-label", (*at, "action"), rule, said)
    read = {field for rule in document.rules for field in _fields(rule)}
    for category in sorted(document.requires):
        if f"{SCORE_PREFIX}{category}" not in read:
            said = f"{category} is required, but no rule looks at its score"
            found.add("unused-requirement", ("requires",), None, said)
    if not cases:
        said = f"there are no cases; write them in {FOLDER}/{source.name}"
        found.add("no-cases", (), None, said)
        return found.in_order()
    expected = {rule for case in cases for rule in case.expect.rules}
    for position, rule in enumerate(document.rules):
        if rule.id not in expected:
            found.add("no-case", ("rules", position), rule, "is expected to fire by no case")
    return found.in_order()


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

    def in_order(self) -> tuple[Finding, ...]:
        return tuple(sorted(self._found, key=lambda one: (one.line, one.column, one.code)))


def _overlaps(found: _Findings, rules: Sequence[Rule], position: int) -> None:
    rule = rules[position]
    for other_position, other in enumerate(rules):
        if other_position == position or not covers(other, rule):
            continue
        if not covers(rule, other):
            said = f"adds nothing: whenever it fires, {other.id} does, which is as strict"
            found.add("covered", ("rules", position, "when"), rule, said)
            return
        if other_position < position:
            found.add(
                "duplicate", ("rules", position, "when"), rule, f"says the same as {other.id}"
            )
            return


def _skips(found: _Findings, document: PolicyDocument, position: int) -> None:
    rule = document.rules[position]
    if rule.on_missing is not OnMissing.SKIP or rule.action not in (Action.BLOCK, Action.REVIEW):
        return
    scores = {field.removeprefix(SCORE_PREFIX) for field in _fields(rule)}
    answered = {
        category
        for other in document.rules
        for _, clause, _ in comparisons(other.when)
        if clause.field == NOT_ASSESSED
        for category in (clause.limit if isinstance(clause.limit, tuple) else (clause.limit,))
    }
    matters = document.requires.union(CORE_CATEGORIES)
    for category in sorted((scores & matters) - answered):
        said = f"is silent when {category} was not assessed, and no rule answers for that"
        found.add("unanswered-skip", ("rules", position, "on_missing"), rule, said)


def _fields(rule: Rule) -> set[str]:
    return {clause.field for _, clause, _ in comparisons(rule.when)}
