"""Sealed data ends when its class says so, and not a day sooner."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from forgetful import ADA, Deployment, deployed
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import RetentionInvalid, SubjectForgotten
from provenance.ledger import verify_inclusion
from provenance.ledger.forgetting import Subjects
from provenance.ledger.retention import RetentionClass, RetentionPlan, load_plan

PLAN = """
classes:
  short: {keep_days: 30, because: a month is enough}
  long: {keep_days: null, because: it rests on consent}
kinds: {appeal: short, consent.declared: long}
"""


@pytest.fixture
def plan(tmp_path: Path) -> RetentionPlan:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    return load_plan(file)


@pytest.fixture
def place(tmp_path: Path, plan: RetentionPlan) -> Iterator[Deployment]:
    (tmp_path / "place").mkdir()
    with deployed(tmp_path / "place") as made:
        made.subjects = Subjects(made.ledger, made.keys, bytes(range(32)), plan)
        yield made


def due(place: Deployment) -> dict[str, int]:
    return {found.name: found.due for found in place.subjects.retention().classes}


def test_data_is_readable_for_as_long_as_declared_and_then_due(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, {"said": "hello"})])
    place.clock.pass_days(30)
    assert due(place) == {"short": 0, "long": 0}
    assert place.subjects.erase_due().due == 0
    assert place.ledger.size == 1  # where nothing is due, nothing is recorded
    place.clock.pass_days(1)
    assert due(place) == {"short": 1, "long": 0}
    assert place.subjects.open(entry).plain == {"said": "hello"}  # due is not yet done


def test_erasing_what_is_due_leaves_the_rest_and_every_proof(place: Deployment) -> None:
    old, kept = place.ledger.append(
        [place.subjects.event(kind, ADA, {"n": kind}) for kind in ("appeal", "consent.declared")]
    )
    place.clock.pass_days(20)
    (young,) = place.ledger.append([place.subjects.event("appeal", ADA, {})])
    proof = place.ledger.prove(old.id)
    gone = place.secrets_of(ADA)
    place.clock.pass_days(11)

    assert place.subjects.erase_due().due == 1
    assert due(place) == {"short": 0, "long": 0}
    assert [e.body for e in place.ledger.entries(kind="retention.applied")] == [
        {"class": "short", "through": "2026-03-01"}
    ]
    with pytest.raises(SubjectForgotten):
        place.subjects.open(old)
    for entry in (kept, young):
        assert place.subjects.open(entry)
    left = place.secrets_of(ADA)
    assert len(left) == 2
    assert place.holding(*(secret for secret in gone if secret not in left)) == set()
    assert verify_inclusion(proof, place.key.public)
    assert place.ledger.verify().ok
    # The person is not forgotten: what comes next is sealed as before.
    place.ledger.append([place.subjects.event("appeal", ADA, {})])


def test_what_was_recorded_and_not_done_is_done_by_the_next_to_open(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, {})])
    place.clock.pass_days(31)
    place.subjects.settle = lambda: 0  # type: ignore[method-assign]  # killed before the work
    place.subjects.erase_due()
    assert place.secrets_of(ADA)
    place.reopen()
    assert not place.secrets_of(ADA)
    with pytest.raises(SubjectForgotten):
        place.subjects.open(entry)


def test_a_report_names_keys_of_a_class_that_the_plan_has_lost(place: Deployment) -> None:
    place.subjects.event("appeal", ADA, {})
    report = place.subjects.retention()
    assert [(c.name, c.keep_days, c.keys, c.oldest) for c in report.classes] == [
        ("long", None, 0, None),
        ("short", 30, 1, date(2026, 3, 1)),
    ]
    assert report.undeclared == ()
    place.reopen()  # with the shipped plan, which has other classes
    assert place.subjects.retention().undeclared == ("short",)


@given(keep=st.integers(0, 36_500), made=st.dates(date(1990, 1, 1), date(2050, 1, 1)),
       later=st.integers(0, 40_000))  # fmt: skip
def test_a_key_is_due_on_the_day_after_the_last_whole_day(
    keep: int, made: date, later: int
) -> None:
    through = RetentionClass(keep_days=keep, because="x").last_day_due(made + timedelta(days=later))
    assert through is not None
    assert (made <= through) == (later > keep)


def test_the_shipped_plan_gives_a_reason_for_each_class() -> None:
    plan = load_plan()
    assert set(plan.kinds.values()) == set(plan.classes)
    assert plan.class_of("refusal") == "operation"
    with pytest.raises(RetentionInvalid, match="does not say how long"):
        plan.class_of("gossip")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "classes: [",
        "classes: {}\nkinds: {appeal: none}",
        "classes: {short: {keep_days: -1, because: x}}\nkinds: {}",
        "classes: {short: {keep_days: 36501, because: x}}\nkinds: {}",
        "classes: {short: {because: x}}\nkinds: {}",
        "classes: {short: {keep_days: 1, because: ''}}\nkinds: {}",
        "classes: {short: {keep_days: 1, because: x, keep: 2}}\nkinds: {}",
        "classes: {Short Class: {keep_days: 1, because: x}}\nkinds: {}",
    ],
)
def test_a_plan_that_leaves_something_open_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RetentionInvalid, match="no retention plan"):
        load_plan(file)
    with pytest.raises(RetentionInvalid, match="no retention plan"):
        load_plan(tmp_path / "missing.yaml")
