"""Nothing is delivered because a step was skipped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import ObligationUnmet
from guard.pipeline.release import Released, deliver
from guard.pipeline.trail import DISCHARGES, EDIT_STEPS, OPTIONAL_STEPS, REQUIRED_STEPS, Trail
from policies.decision import Obligation

WHOLE = (*REQUIRED_STEPS, *OPTIONAL_STEPS)


def trail_of(*steps: str) -> Trail:
    trail = Trail()
    for step in steps:
        trail = trail.after(step)
    return trail


def released(trail: Trail, *obligations: Obligation) -> Released:
    return Released(
        b"picture", "image/png", "00" * 8, "00" * 32, frozenset(obligations), trail, None
    )


@pytest.mark.parametrize("obligation", list(Obligation))
def test_a_missing_receipt_of_any_obligation_stops_delivery(obligation: Obligation) -> None:
    steps = [step for step in WHOLE if step != DISCHARGES.get(obligation)]
    with pytest.raises(ObligationUnmet, match=obligation.value):
        deliver(released(trail_of(*steps), obligation))


@pytest.mark.parametrize("skipped", REQUIRED_STEPS)
def test_a_missing_receipt_of_any_required_step_stops_delivery(skipped: str) -> None:
    with pytest.raises(ObligationUnmet, match=skipped):
        deliver(released(trail_of(*(step for step in WHOLE if step != skipped))))


@pytest.mark.parametrize("skipped", EDIT_STEPS)
def test_an_edit_is_not_delivered_where_what_was_sent_in_was_not_looked_at(skipped: str) -> None:
    steps = (*REQUIRED_STEPS, *EDIT_STEPS)
    trail = Trail(required=steps)
    for step in steps:
        trail = trail if step == skipped else trail.after(step)
    assert skipped in trail.not_run
    with pytest.raises(ObligationUnmet, match=skipped):
        deliver(released(trail))
    assert deliver(released(trail.after(skipped))) == b"picture"


def test_a_whole_trail_is_delivered() -> None:
    assert deliver(released(trail_of(*WHOLE), *DISCHARGES)) == b"picture"


@given(
    ran=st.lists(st.sampled_from(WHOLE), unique=True),
    due=st.frozensets(st.sampled_from(list(Obligation))),
)
def test_delivery_needs_every_step_and_every_obligation(
    ran: list[str], due: frozenset[Obligation]
) -> None:
    trail = trail_of(*ran)
    whole = set(REQUIRED_STEPS) <= set(ran) and all(DISCHARGES.get(o) in ran for o in due)
    if whole:
        assert deliver(released(trail, *due)) == b"picture"
    else:
        with pytest.raises(ObligationUnmet):
            deliver(released(trail, *due))


@given(ran=st.lists(st.sampled_from(WHOLE), unique=True))
def test_a_step_that_did_not_run_is_named(ran: list[str]) -> None:
    assert set(trail_of(*ran).not_run) == set(WHOLE) - set(ran)
