"""Checklists: exact identifiers, honest statuses, and a next step for every gap."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from delivered import delivered

import migrations
from datasets_audit.checklist import (
    EVIDENCE,
    Attestation,
    Audited,
    Facts,
    Records,
    assess,
    of_audit,
    recorded,
)
from datasets_audit.checklist.attestation import Attested
from datasets_audit.checklist.records import EVENTS, MIN_REQUESTS
from datasets_audit.checklist.rows import ROWS
from datasets_audit.errors import ReferenceInvalid
from datasets_audit.figures import QUESTIONS
from datasets_audit.licence import DeclaredUse
from datasets_audit.reference import load_reference
from datasets_audit.report import Balance, BalanceCell, BalanceSummary
from policies.errors import PolicyNotFound
from policies.frameworks import (
    Control,
    Framework,
    Mode,
    framework_names,
    load_framework,
    load_frameworks,
)
from provenance.home import CoreDataSet
from provenance.ledger import Event, Ledger, LedgerKey
from provenance.ledger.witness import FileWitness

DAY = date(2026, 6, 30)
IDENTIFIERS = {
    "california-sb-942": r"22757\.[23]\([a-c]\)(\([1-6]\))?",
    "eu-ai-act": r"Art\. \d+\(\d\)(\([a-h]\))?( section [123])?",
    "iso-42001": r"A\.\d+(\.\d+){1,2}",
    "nist-ai-600-1": r"(GV|MP|MS|MG)-\d\.\d+-\d{3}",
    "nist-ai-rmf": r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d+",
    "nist-privacy-framework": r"(ID|GV|CT|CM|PR)\.[A-Z]{2}-P\d+",
    "nist-sp-800-218a": r"(PO|PS|PW)\.\d\.\d",
}
WHOLE = {
    "iso-42001": 38,
    "nist-ai-600-1": 212,
    "nist-ai-rmf": 72,
    "nist-privacy-framework": 100,
}
NEVER_SHOWN_WHERE_ALL_IS_WELL = {"key-changes"}  # a key that was never replaced is no fault
CONTROLS = [(f, c) for f in load_frameworks() for c in f.controls]
AUTOMATIC = [(f, c) for f, c in CONTROLS if c.mode is Mode.AUTOMATIC]


def attribute_id(one: Framework | Control) -> str:
    return one.name if isinstance(one, Framework) else one.id


CELL = BalanceCell(values=("60+",), hidden=False, count=40, share=1.0, low=0.9, high=1.0)
BALANCE = Balance(
    attributes=("age",), stated=40, not_stated=0, origins={"self-declared": 40}, cells_total=1,
    empty=0, thin=1, hidden=0, entropy=1.0, evenness=1.0, imbalance=1.0, imbalance_above=None,
    smallest=CELL, cells=(CELL,), reference="Census (2021)", divergence=0.0,
)  # fmt: skip
MEASURED = BalanceSummary(
    reference="Census (2021)", statement="age is compared.", suppressed_below=11, thin_below=100,
    intersections=(), attributes=(BALANCE,), not_computed=(),
)  # fmt: skip
NOTHING_DECLARED = MEASURED.model_copy(update={"attributes": (), "reference": None})


def audited(**figures: float) -> Audited:
    """An audit in which all is well, but for ``figures``."""
    values: dict[str, float | int | None] = dict.fromkeys((q.id for q in QUESTIONS), 0)
    values |= {"pictures": 40, "bytes": 1000, "origin.source": 40, "origin.hosts": 9, "c2pa": 2}
    values |= {"consent.evidence": 40, "origin.largest": 0.2, "rights.asked": 40}
    values |= {name.replace("__", "."): value for name, value in figures.items()}
    return Audited("drawings", DAY, values, {}, 0, MEASURED, DeclaredUse.COMMERCIAL, recorded=True)


def ask(given: Audited) -> dict[str, str]:
    return {item.id: item.status for item in assess(load_frameworks(), of_audit(given))}


STAGE = {"prompt_stage": {"reasons": [], "action": "allow"}}
STEPS = {"steps": {"ran": ["watermark", "credential"], "not_run": []}}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Everything that a gateway and audits leave, and a witness who saw it."""
    folder = tmp_path_factory.mktemp("ledger")
    url = f"sqlite:///{folder / 'ledger.db'}"
    migrations.upgrade(url)
    key = LedgerKey.generate("ledger.test/checklist")
    at = datetime.combine(DAY, datetime.min.time(), UTC)
    witness = FileWitness.create(folder / "witness", "witness.test/w")
    witness.trust(key.public)
    with Ledger(url, key, clock=lambda: at) as opened:
        for number in range(MIN_REQUESTS):
            opened.record(delivered(number), STAGE | STEPS)
            opened.append([Event("refusal", STAGE | {"number": number})])
        opened.append([*_events()])
        opened.cosign(witness)
        yield opened


def _events() -> Iterator[Event]:
    for root in ("11" * 32, "22" * 32):
        data_set = {"dataset": {"name": "drawings", "root": root}, "report": root}
        yield Event("dataset.version", data_set)
        yield Event("dataset.statement", data_set)
    for kind in (
        "decision", "appeal", "appeal.answer", "consent.declared", "consent.withdrawn",
        "evaluation", "feedback.verification", "incident", "policy.changed", "retention.applied",
        "stopped",
    ):  # fmt: skip
        yield Event(kind, {"v": 1})


@pytest.fixture(scope="module")
def records(ledger: Ledger) -> Records:
    return recorded(ledger, (CoreDataSet(core="scenes", name="drawings", digest="22" * 32),))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    url = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, LedgerKey.generate("ledger.test/empty")) as opened:
        yield recorded(opened)


def status(framework: Framework, control: Control, facts: Facts) -> str:
    alone = framework.model_copy(update={"controls": (control,)})
    (found,) = assess([alone], facts)
    assert found.because
    assert (found.next_step is not None) == (found.status in ("gap", "stale"))
    assert "complian" not in f"{found.because} {found.next_step}".lower()
    return found.status


@pytest.mark.parametrize(("framework", "control"), AUTOMATIC, ids=attribute_id)
def test_an_automatic_item_is_evidenced_stale_or_a_gap_by_what_is_there(
    framework: Framework, control: Control, records: Records, empty: Records
) -> None:
    there = Facts([audited()], records, DAY)
    assert status(framework, control, there) == "evidenced"
    assert status(framework, control, Facts([], empty, DAY)) == "gap"
    assert status(framework, control, Facts([], None, DAY)) == "gap"
    later = replace(there, today=DAY + timedelta(days=91))
    assert status(framework, control, later) == "stale"
    assert status(framework, control, replace(later, max_age=timedelta(days=91))) == "evidenced"


@pytest.mark.parametrize(
    ("framework", "control"),
    [(f, c) for f, c in CONTROLS if c.attest is not None],
    ids=attribute_id,
)
def test_what_a_person_must_show_is_open_attested_or_over(
    framework: Framework, control: Control, records: Records
) -> None:
    name = f"{framework.name}/{control.id}"
    said = Attestation(
        item=name, subject="0" * 64, document="1" * 64, made=DAY, expires=DAY + timedelta(days=30)
    )
    nobody = Facts([audited()], records, DAY)
    if set(control.evidence) <= NEVER_SHOWN_WHERE_ALL_IS_WELL and control.evidence:
        return
    somebody = replace(nobody, attested={name: Attested(entry="e", attestation=said)})
    assert status(framework, control, nobody) == "gap"
    assert status(framework, control, somebody) == "attested"
    assert status(framework, control, replace(somebody, today=DAY + timedelta(days=31))) == "stale"
    forged = Attested(entry="e", attestation=said, fault="no signature")
    assert status(framework, control, replace(nobody, attested={name: forged})) == "gap"
    if control.evidence:
        assert status(framework, control, replace(somebody, audits=[], records=None)) == "gap"
    apart = said.model_copy(update={"applies": False, "reason": "nothing of the kind is done"})
    given = {name: Attested(entry="e", attestation=apart)}
    assert status(framework, control, replace(nobody, attested=given)) == "not-applicable"


def test_every_framework_is_known_and_its_identifiers_have_their_form() -> None:
    assert set(framework_names()) == set(IDENTIFIERS)
    for framework in load_frameworks():
        for control in framework.controls:
            assert re.fullmatch(IDENTIFIERS[framework.name], control.id), control.id
        assert len(framework.controls) == WHOLE.get(framework.name, len(framework.controls))
        assert framework.edition
        assert "own words" in framework.source


def test_the_actions_of_the_generative_profile_are_numbered_without_a_gap() -> None:
    """As NIST AI 600-1 prints them: 58, 39, 72 and 43 actions, from 001 on in each subcategory."""
    numbers: dict[str, list[int]] = {}
    functions: Counter[str] = Counter()
    for control in load_framework("nist-ai-600-1").controls:
        subcategory, _, number = control.id.rpartition("-")
        numbers.setdefault(subcategory, []).append(int(number))
        functions[control.id[:2]] += 1
    assert all(held == [*range(1, len(held) + 1)] for held in numbers.values())
    assert functions == {"GV": 58, "MP": 39, "MS": 72, "MG": 43}
    assert len(numbers) == 49


def test_there_are_enough_items_and_each_names_evidence_that_exists() -> None:
    assert len(CONTROLS) >= 450
    assert len(AUTOMATIC) >= 150
    assert {name for _, control in CONTROLS for name in control.evidence} == set(EVIDENCE)
    assert not ROWS.keys() & EVENTS.keys()


@pytest.mark.parametrize(
    ("figure", "control"),
    [
        ("privacy__gps", "MEASURE 2.10"),
        ("privacy__caption", "MEASURE 2.10"),
        ("licence__unknown", "MAP 4.1"),
        ("rights__reserved", "MAP 4.1"),
        ("duplicates__near", "MS-2.10-003"),
        ("broken", "A.7.4"),
        ("consent__denied", "A.7.3"),
        ("poison", "MG-3.1-002"),
        ("c2pa__broken", "MS-1.1-002"),
        ("origin__largest", "GV-6.2-001"),
        ("consent__withdrawn", "CT.DM-P4"),
    ],
)
def test_a_fault_turns_evidence_into_a_gap(figure: str, control: str, records: Records) -> None:
    def stands(given: Audited) -> str:
        found = assess(load_frameworks(), Facts([given], records, DAY))
        return next(item.status for item in found if item.id == control)

    assert stands(audited()) == "evidenced"
    assert stands(audited(**{figure: 1})) == "gap"


def test_one_bad_data_set_of_several_is_a_gap_that_names_it(records: Records) -> None:
    other = replace(audited(privacy__gps=1), name="portraits")
    found = assess(load_frameworks(), Facts([audited(), other], records, DAY))
    item = next(one for one in found if one.id == "MEASURE 2.10")
    assert item.status == "gap"
    assert "portraits: EXIF" in item.because
    lost = assess(load_frameworks(), Facts([audited()], records, DAY, lost=["portraits"]))
    assert "portraits" in next(one.because for one in lost if one.id == "MEASURE 2.10")


def test_a_picture_that_left_without_a_mark_is_a_gap(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, LedgerKey.generate("ledger.test/bare")) as ledger:
        ledger.record(delivered(1), {"steps": {"ran": ["credential"], "not_run": []}})
        found = EVENTS["marked"](recorded(ledger))
        assert found.weight == "wanting"
        assert "1 left without" in found.because


def test_refusals_that_become_more_frequent_are_drift(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, LedgerKey.generate("ledger.test/drift")) as ledger:
        for number in range(45):
            ledger.record(delivered(number))
        ledger.append([Event("refusal", {"number": number}) for number in range(30)])
        for number in range(45, 70):
            ledger.record(delivered(number))
        found = EVENTS["drift"](recorded(ledger))
        assert found.weight == "wanting"
        assert "10% were refused at first, 50% later" in found.because


def test_without_credentials_judging_them_does_not_apply() -> None:
    assert ask(audited(c2pa=0))["MS-1.1-002"] == "not-applicable"


def test_without_attributes_balance_is_a_gap() -> None:
    assert ask(replace(audited(), balance=NOTHING_DECLARED))["MEASURE 2.11"] == "gap"


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
