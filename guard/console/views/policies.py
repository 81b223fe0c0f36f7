"""Policies as pages show them: rules with their origin, cases, and how a draft differs. Pure but
for reading the files of a policy."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from policies.cases import Outcome, load_cases, run
from policies.decision import Frozen, PolicyRef
from policies.errors import PolicyInvalid, PolicyNotFound
from policies.inclusion import Effective
from policies.language import Rule, Service
from policies.lint import Finding, lint_policy
from policies.load import load_effective
from policies.policy import Policy
from policies.rendering import rendered

CONTEXT = 3  # lines around a difference


class RuleRow(NamedTuple):
    """A rule: as it stands, where it comes from, and what was done to it, in words."""

    rule: Rule
    origin: str
    in_force: bool
    changes: tuple[str, ...]


class Shown(NamedTuple):
    """A policy that loads. ``outcomes``: of its cases. ``text``: everything as one document."""

    name: str
    file: Path | None
    ref: PolicyRef
    description: str
    applies: str
    rules: tuple[RuleRow, ...]
    serves: tuple[Service, ...]
    unserved: tuple[Service, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    text: str


class Line(Frozen):
    """A line of a difference."""

    kind: Literal["added", "removed", "same", "place"]
    text: str


def shown(name: str) -> Shown:
    """A pack or a file. Raises PolicyNotFound, PolicyInvalid, PolicyUnreadable."""
    held = load_effective(name)
    policy = Policy(held.document)
    try:
        outcomes = run(policy, load_cases(name))
    except PolicyNotFound:
        outcomes = ()
    document = held.document
    return Shown(
        name=name,
        file=held.path,
        ref=policy.ref,
        description=document.description,
        applies=document.applies,
        rules=rules(held),
        serves=document.serves,
        unserved=held.unserved,
        findings=_findings(name),
        outcomes=outcomes,
        text=rendered(held),
    )


def rules(held: Effective) -> tuple[RuleRow, ...]:
    """Every rule, those that were dropped too."""
    return tuple(
        RuleRow(
            rule=one.rule,
            origin=one.origin,
            in_force=not one.dropped,
            changes=tuple(
                f"{'dropped' if did.after is None else 'changed'} by {did.by}: {did.because}"
                for did in one.changes
            ),
        )
        for one in held.standing
    )


def difference(before: str, after: str) -> tuple[Line, ...]:
    """How two texts differ, with a few lines around; empty where they are the same."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT
    )
    return tuple(_line(line) for line in list(lines)[2:])


def failed(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """The cases that do not hold."""
    return tuple(one for one in outcomes if not one.passed)


def _findings(name: str) -> tuple[Finding, ...]:
    try:
        return lint_policy(name)
    except PolicyInvalid:  # its cases are broken, which running them says
        return ()


def _line(text: str) -> Line:
    match text[:1]:
        case "+":
            return Line(kind="added", text=text[1:])
        case "-":
            return Line(kind="removed", text=text[1:])
        case "@":
            return Line(kind="place", text=text)
        case _:
            return Line(kind="same", text=text[1:])
