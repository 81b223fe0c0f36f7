"""Checklists: exact identifiers, honest statuses, and a next step for every gap."""

import re
from pathlib import Path

import pytest

from datasets_audit.checklist import EVIDENCE, Measured, assess
from datasets_audit.errors import ReferenceInvalid
from datasets_audit.figures import QUESTIONS
from datasets_audit.licence import DeclaredUse
from datasets_audit.reference import load_reference
from datasets_audit.report import BalanceSummary
from policies.errors import PolicyNotFound
from policies.frameworks import Mode, framework_names, load_framework, load_frameworks

IDENTIFIERS = {
    "nist-ai-rmf": r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d+",
    "nist-ai-600-1": r"(GV|MP|MS|MG)-\d\.\d+-\d{3}",
    "iso-42001": r"A\.\d+(\.\d+){1,2}",
    "eu-ai-act": r"Art\. \d+\(\d\)(\([a-h]\))?( section [123])?",
}
NO_BALANCE = BalanceSummary(
    reference=None, statement="No attribute was declared.", suppressed_below=11, thin_below=100,
    intersections=(), attributes=(), not_computed=(),
)  # fmt: skip


def measured(recorded: bool = True, **figures: float) -> Measured:
    values: dict[str, float | int | None] = dict.fromkeys((q.id for q in QUESTIONS), 0)
    values |= {"pictures": 10, "bytes": 1000, "origin.source": 10}
    values |= {name.replace("__", "."): value for name, value in figures.items()}
    return Measured(values, NO_BALANCE, DeclaredUse.COMMERCIAL, recorded)


def statuses(given: Measured) -> dict[str, str]:
    return {item.id: item.status for item in assess(load_frameworks(), given)}


def test_every_framework_is_known_and_its_identifiers_have_their_form() -> None:
    assert set(framework_names()) == set(IDENTIFIERS)
    for framework in load_frameworks():
        for control in framework.controls:
            assert re.fullmatch(IDENTIFIERS[framework.name], control.id), control.id


def test_there_are_enough_items_and_each_names_evidence_that_exists() -> None:
    controls = [control for framework in load_frameworks() for control in framework.controls]
    assert len(controls) >= 45
    assert sum(control.mode is Mode.AUTOMATIC for control in controls) >= 25
    assert {name for control in controls for name in control.evidence} == set(EVIDENCE)


def test_every_gap_says_what_to_do_and_every_status_says_why() -> None:
    for item in assess(load_frameworks(), measured(recorded=False, privacy__gps=1)):
        assert item.because
        assert (item.next_step is not None) == (item.status == "gap")
        assert "complian" not in f"{item.because} {item.next_step}".lower()


def test_what_only_a_person_can_show_stays_open() -> None:
    for framework in load_frameworks():
        for control, item in zip(framework.controls, assess([framework], measured()), strict=True):
            if control.mode is not Mode.AUTOMATIC:
                assert item.status == "gap"
                assert "attested" in item.because


def test_a_ledger_makes_the_difference_between_evidence_and_a_gap() -> None:
    assert statuses(measured(recorded=True))["A.6.2.8"] == "evidenced"
    assert statuses(measured(recorded=False))["A.6.2.8"] == "gap"


@pytest.mark.parametrize(
    ("figure", "control"),
    [
        ("privacy__gps", "MEASURE 2.10"),
        ("licence__unknown", "MAP 4.1"),
        ("duplicates__near", "MS-2.10-003"),
        ("broken", "A.7.4"),
        ("consent__denied", "A.7.3"),
    ],
)
def test_a_fault_turns_evidence_into_a_gap(figure: str, control: str) -> None:
    assert statuses(measured())[control] == "evidenced"
    assert statuses(measured(**{figure: 1}))[control] == "gap"


def test_without_credentials_judging_them_does_not_apply() -> None:
    assert statuses(measured())["MS-1.1-002"] == "not-applicable"
    assert statuses(measured(c2pa=3))["MS-1.1-002"] == "gap"


def test_an_unknown_framework_names_those_there_are() -> None:
    with pytest.raises(PolicyNotFound, match="iso-42001"):
        load_framework("nist")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: x\nversion: '1'\nsource: y\nshares: {age: {a: 0.6, b: 0.6}}", "sum to 1.2"),
        ("name: x\nversion: '1'\nsource: y\nshares: {age: {a: 1.5, b: -0.5}}", "between 0 and 1"),
        ("name: x\nsource: y\nshares: {}", "version"),
        ("[1, 2", "cannot be read"),
        ("", "the document"),
    ],
)
def test_a_reference_that_is_no_distribution_is_refused(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "reference.yaml"
    path.write_text(text)
    with pytest.raises(ReferenceInvalid, match=named):
        load_reference(path)
