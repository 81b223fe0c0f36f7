"""Cases: facts and the answer that a policy must give on them.

The cases of ``packs/kids.yaml`` lie in ``packs/cases/kids.yaml``, and those of any other policy
file likewise in ``cases`` beside it. Pure but for reading the file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from policies.decision import Action, Frozen, Obligation
from policies.errors import PolicyNotFound
from policies.facts import Facts
from policies.faults import model_of
from policies.load import policy_path, read_file
from policies.policy import Policy
from policies.source import read_source

FOLDER = "cases"


class Expected(Frozen):
    """The answer. ``rules`` are all that fire, in any order; ``obligations`` all that are due,
    unchecked where None."""

    action: Action
    rules: frozenset[str]
    obligations: frozenset[Obligation] | None = None


class Case(Frozen):
    """One question and its answer. ``name`` is a sentence."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    facts: Facts
    expect: Expected


class Cases(Frozen):
    """A file of cases. ``base`` holds facts that every case shares: a case adds its own, and what
    both name is the case's."""

    base: dict[str, Any] = Field(default_factory=dict)
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _on_the_base(cls, given: object) -> object:
        if not isinstance(given, dict) or not isinstance(given.get("base"), dict):
            return given
        base: dict[str, Any] = given["base"]
        cases = given.get("cases")
        return given | {
            "cases": [_over(base, case) for case in cases] if isinstance(cases, list) else cases
        }

    @model_validator(mode="after")
    def _one_case_a_name(self) -> Self:
        names = [case.name for case in self.cases]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two cases are named {name!r}")
        return self


class Outcome(Frozen):
    """What came of one case. ``faults`` says in words what differed; empty where it passed."""

    case: str
    action: Action
    rules: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def load_cases(name_or_path: str | Path, file: Path | None = None) -> tuple[Case, ...]:
    """The cases of the policy of that name or file, or those in ``file``.

    Raises PolicyNotFound when there are none, PolicyInvalid with line and column.
    """
    path = policy_path(name_or_path)
    if file is None:
        file = cases_path(path)
        if not file.exists():
            raise PolicyNotFound(f"{path.name} has no cases; write them in {FOLDER}/{path.name}")
    elif not file.exists():
        raise PolicyNotFound(f"no file of cases {file}")
    return model_of(Cases, read_file(file)).cases


def cases_of(text: str | bytes, name: str) -> tuple[Case, ...]:
    """The cases that a text states; ``name`` is for messages. Raises PolicyInvalid."""
    return model_of(Cases, read_source(text, name)).cases


def cases_path(policy: Path) -> Path:
    """Where the cases of the policy in that file lie, if it has any."""
    return policy.parent / FOLDER / policy.name


def run(policy: Policy, cases: Sequence[Case]) -> tuple[Outcome, ...]:
    """Ask ``policy`` every case, in order."""
    return tuple(_ask(policy, case) for case in cases)


def _ask(policy: Policy, case: Case) -> Outcome:
    decision, expected = policy.decide(case.facts), case.expect
    fired = tuple(reason.rule for reason in decision.reasons)
    faults = []
    if decision.action is not expected.action:
        faults.append(f"the action is {decision.action}, not {expected.action}")
    faults += [f"{rule} fired" for rule in fired if rule not in expected.rules]
    faults += [f"{rule} did not fire" for rule in sorted(expected.rules - set(fired))]
    if expected.obligations is not None and decision.obligations != expected.obligations:
        faults.append(
            f"due are {', '.join(sorted(decision.obligations))},"
            f" not {', '.join(sorted(expected.obligations))}"
        )
    return Outcome(case=case.name, action=decision.action, rules=fired, faults=tuple(faults))


def _over(base: dict[str, Any], case: object) -> object:
    if not isinstance(case, dict) or not isinstance(case.get("facts"), dict):
        return case
    own: dict[str, Any] = case["facts"]
    merged = base | own
    for key in base.keys() & own.keys():
        if isinstance(base[key], dict) and isinstance(own[key], dict):
            merged[key] = base[key] | own[key]
    return case | {"facts": merged}
