"""Consent: silence denies, withdrawal holds against everything, and order does not matter."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_audit.consent import (
    ConsentClaim,
    ConsentState,
    Move,
    Standing,
    advance,
    resolve,
    state_of,
)

TODAY = date(2026, 6, 30)
states = st.sampled_from(ConsentState)
moves = st.sampled_from(Move)
claims = st.builds(
    ConsentClaim,
    state=states,
    evidence=st.none() | st.sampled_from(["form-1", "form-2"]),
    expires=st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1)),
)


def test_nothing_said_is_unknown_and_denied() -> None:
    assert resolve([], TODAY).state is ConsentState.UNKNOWN
    assert ConsentState.UNKNOWN.standing is Standing.DENIED


def test_only_an_agreement_or_a_licence_permits() -> None:
    permitted = {state for state in ConsentState if state.standing is Standing.PERMITTED}
    assert permitted == {ConsentState.DECLARED, ConsentState.LICENSED}
    assert ConsentState.CLAIMED.standing is Standing.CONTESTED


@given(st.lists(moves))
def test_nothing_leads_out_of_withdrawn(path: list[Move]) -> None:
    state = ConsentState.WITHDRAWN
    for move in path:
        state = advance(state, move)
    assert state is ConsentState.WITHDRAWN


@given(states)
def test_withdrawal_is_possible_from_every_state(state: ConsentState) -> None:
    assert advance(state, Move.WITHDRAW) is ConsentState.WITHDRAWN


def test_an_unknown_consent_cannot_expire_into_having_existed() -> None:
    assert advance(ConsentState.UNKNOWN, Move.EXPIRE) is ConsentState.UNKNOWN


def test_an_expired_consent_can_be_renewed() -> None:
    assert advance(ConsentState.EXPIRED, Move.DECLARE) is ConsentState.DECLARED


def test_consent_holds_through_its_last_day_and_not_beyond() -> None:
    claim = ConsentClaim(ConsentState.DECLARED, "form-1", TODAY)
    assert resolve([claim], TODAY).state is ConsentState.DECLARED
    assert resolve([claim], TODAY + timedelta(days=1)).state is ConsentState.EXPIRED


@given(st.lists(claims, max_size=5), st.permutations(range(5)))
def test_the_order_of_rows_does_not_matter(said: list[ConsentClaim], order: list[int]) -> None:
    shuffled = [said[at] for at in order if at < len(said)]
    assert resolve(shuffled, TODAY) == resolve(said, TODAY)


@given(st.lists(claims, max_size=4))
def test_a_withdrawal_anywhere_is_a_withdrawal(said: list[ConsentClaim]) -> None:
    withdrawn = resolve([*said, ConsentClaim(ConsentState.WITHDRAWN)], TODAY)
    assert withdrawn.state is ConsentState.WITHDRAWN


@given(st.lists(claims, min_size=1, max_size=4), claims)
def test_a_further_row_never_permits_what_was_denied(
    said: list[ConsentClaim], further: ConsentClaim
) -> None:
    before, after = resolve(said, TODAY), resolve([*said, further], TODAY)
    if before.state.standing is Standing.DENIED:
        assert after.state.standing is Standing.DENIED


@given(st.lists(claims, max_size=4), st.dates(TODAY, date(2028, 1, 1)))
def test_time_alone_never_permits(said: list[ConsentClaim], later: date) -> None:
    if resolve(said, TODAY).state.standing is not Standing.PERMITTED:
        assert resolve(said, later).state.standing is not Standing.PERMITTED


@pytest.mark.parametrize("second", [ConsentState.CLAIMED, ConsentState.UNKNOWN])
def test_rows_that_disagree_are_a_contradiction_and_the_stricter_holds(
    second: ConsentState,
) -> None:
    consent = resolve([ConsentClaim(ConsentState.DECLARED, "f"), ConsentClaim(second)], TODAY)
    assert consent.contradicted
    assert consent.state is second


def test_rows_that_agree_are_no_contradiction_and_the_evidence_is_kept() -> None:
    consent = resolve(
        [ConsentClaim(ConsentState.DECLARED), ConsentClaim(ConsentState.DECLARED, "form-1")], TODAY
    )
    assert not consent.contradicted
    assert consent.evidence == "form-1"


def test_consent_that_is_yet_to_be_given_is_unknown_and_a_withdrawal_never_waits() -> None:
    given = ConsentClaim(ConsentState.DECLARED, "form", since=date(2026, 5, 1))
    assert state_of(given, date(2026, 4, 30)) is ConsentState.UNKNOWN
    assert state_of(given, date(2026, 5, 1)) is ConsentState.DECLARED
    back = ConsentClaim(ConsentState.WITHDRAWN, since=date(2026, 5, 1))
    assert state_of(back, date(2026, 4, 30)) is ConsentState.WITHDRAWN


def test_evidence_keeps_its_day_and_its_hash() -> None:
    claim = ConsentClaim(
        ConsentState.LICENSED, "contract", since=date(2026, 1, 1), evidence_sha256="a" * 64
    )
    held = resolve([claim], date(2026, 6, 30))
    assert (held.since, held.evidence_sha256) == (date(2026, 1, 1), "a" * 64)
