"""Properties that hold of every combination of findings."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from provenance.credential import (
    Contents,
    Credential,
    IngredientState,
    Integrity,
    Revocation,
    State,
)
from provenance.fingerprint import Fingerprint
from provenance.verify import Agreement, Inclusion, Origin, Verdict
from provenance.verify.findings import Candidate, Findings, Mark
from provenance.verify.legal import lines
from provenance.verify.report import LineStatus
from provenance.verify.rules import agreements, origin, verdict
from provenance.verify.summary import NONE_FOUND, summarise
from tests.verify.findings import (
    candidates,
    contents,
    credentials,
    findings,
    marks,
    without_records,
)


def judged(found: Findings) -> Verdict:
    return verdict(found, agreements(found))


@given(findings, st.integers(0, 20))
def test_a_further_contradiction_never_establishes(found: Findings, place: int) -> None:
    contradiction = Agreement(
        between=("a", "b"), holds=False, name="any", detail="any", contradicts=True
    )
    said = list(agreements(found))
    said.insert(min(place, len(said)), contradiction)
    assert verdict(found, tuple(said)) is Verdict.CONTRADICTED


@given(findings)
def test_established_rests_on_an_intact_credential_of_a_trusted_signer(found: Findings) -> None:
    if judged(found) is Verdict.ESTABLISHED:
        assert found.credential.state is State.TRUSTED
        assert found.credential.integrity is Integrity.INTACT
        assert found.credential.worst_ingredient is not IngredientState.INVALID
        assert found.credential.revocation not in (Revocation.REVOKED, Revocation.UNAVAILABLE)


@given(findings)
def test_recovered_rests_on_a_near_fingerprint_and_a_trusted_stored_credential(
    found: Findings,
) -> None:
    if judged(found) is Verdict.RECOVERED:
        assert found.candidate is not None
        assert found.candidate.agrees
        assert found.candidate.stored.state is State.TRUSTED
        assert found.candidate.inclusion is not Inclusion.FAILED


@given(findings)
def test_without_a_ledger_nothing_is_recovered(found: Findings) -> None:
    assert judged(without_records(found)) is not Verdict.RECOVERED


@given(marks)
def test_a_mark_alone_never_establishes(mark: Mark) -> None:
    found = Findings(Credential(state=State.ABSENT), mark, fingerprint=fingerprint_of())
    assert judged(found) is Verdict.UNCONFIRMED


@given(marks, candidates)
def test_a_mark_whose_record_looks_otherwise_is_a_contradiction(
    mark: Mark, candidate: Candidate
) -> None:
    unrelated = replace(candidate, distance=128, comparable=True)
    found = Findings(
        Credential(state=State.ABSENT), mark, fingerprint_of(), ledger_asked=True, by_mark=unrelated
    )
    assert judged(found) is Verdict.CONTRADICTED
    assert "transplanted-mark" in {a.name for a in agreements(found)}


@given(marks, candidates)
def test_a_flat_picture_is_never_called_a_transplant_nor_recovered_from_afar(
    mark: Mark, candidate: Candidate
) -> None:
    flat = replace(candidate, distance=128, comparable=False, inclusion=Inclusion.PROVED)
    found = Findings(
        Credential(state=State.ABSENT), mark, fingerprint_of(), ledger_asked=True, by_mark=flat
    )
    assert judged(found) is Verdict.UNCONFIRMED
    assert "fingerprint-inconclusive" in {a.name for a in agreements(found)}


@given(candidates)
def test_a_flat_picture_is_not_recovered_by_its_fingerprint_alone(candidate: Candidate) -> None:
    near = replace(candidate, distance=0, comparable=False)
    found = Findings(
        Credential(state=State.ABSENT),
        None,
        fingerprint_of(),
        ledger_asked=True,
        by_fingerprint=near,
    )
    assert judged(found) is not Verdict.RECOVERED


@given(candidates, credentials)
def test_a_look_alike_among_many_records_neither_recovers_nor_contradicts(
    candidate: Candidate, credential: Credential
) -> None:
    # Were it the very credential of the record, that would lead there too.
    alike = replace(
        candidate, distance=20, chance=0.5, inclusion=Inclusion.PROVED, same_store=False
    )
    absent = Credential(state=State.ABSENT)
    for seen in (absent, credential):
        alone = Findings(seen, None, fingerprint_of(), ledger_asked=True)
        found = replace(alone, by_fingerprint=alike)
        assert (judged(found) is Verdict.CONTRADICTED) == (judged(alone) is Verdict.CONTRADICTED)
        assert judged(found) is not Verdict.RECOVERED
    assert "look-alike" in {a.name for a in agreements(found)}


@given(marks, candidates, candidates)
def test_a_mark_of_one_record_on_the_picture_of_another_is_a_transplant(
    mark: Mark, marked: Candidate, pictured: Candidate
) -> None:
    found = Findings(
        Credential(state=State.ABSENT),
        mark,
        fingerprint_of(),
        ledger_asked=True,
        by_mark=replace(marked, distance=128),
        by_fingerprint=replace(pictured, distance=0, chance=1e-4),
    )
    assert judged(found) is Verdict.CONTRADICTED
    assert "transplanted-mark" in {a.name for a in agreements(found)}


def test_no_signal_is_none_and_says_nothing_of_ai() -> None:
    found = Findings(Credential(state=State.ABSENT), None, fingerprint_of())
    assert judged(found) is Verdict.NONE
    assert summarise(found, (), Verdict.NONE, Origin.UNKNOWN) == NONE_FOUND
    assert "says nothing on whether" in NONE_FOUND


@given(findings)
def test_every_disagreement_has_a_name_and_every_contradiction_is_in_the_summary(
    found: Findings,
) -> None:
    said = agreements(found)
    assert all((a.name is None) == a.holds for a in said)
    assert not any(a.holds and a.contradicts for a in said)
    judgement = verdict(found, said)
    words = summarise(found, said, judgement, Origin.UNKNOWN)
    for agreement in said:
        if agreement.contradicts:
            assert agreement.name is not None
            assert agreement.name in words


@given(credentials)
def test_a_development_signer_is_said_to_be_one(credential: Credential) -> None:
    proving = credential.model_copy(update={"state": State.TRUSTED, "integrity": Integrity.INTACT})
    found = Findings(proving, None, fingerprint_of())
    words = summarise(found, agreements(found), Verdict.ESTABLISHED, Origin.UNKNOWN)
    signer = proving.signer
    assert ("development certificate" in words) == (signer is not None and signer.development)


@given(credentials, candidates)
def test_a_trusted_intact_credential_that_nothing_contradicts_establishes(
    credential: Credential, candidate: Candidate
) -> None:
    """And so do the verdicts that the properties above speak of really occur."""
    proving = credential.model_copy(
        update={
            "state": State.TRUSTED,
            "integrity": Integrity.INTACT,
            "revocation": Revocation.NOT_CHECKED,
            "worst_ingredient": IngredientState.NONE,
        }
    )
    assert judged(Findings(proving, None, fingerprint_of())) is Verdict.ESTABLISHED
    near = replace(
        candidate,
        distance=0,
        comparable=True,
        chance=1e-4,
        stored=proving,
        inclusion=Inclusion.PROVED,
    )
    absent = Credential(state=State.ABSENT)
    found = Findings(absent, None, fingerprint_of(), ledger_asked=True, by_fingerprint=near)
    assert judged(found) is Verdict.RECOVERED


@given(findings, st.sampled_from(Origin))
def test_a_picture_that_is_not_known_to_be_ai_fails_no_line_of_law(
    found: Findings, made: Origin
) -> None:
    law = lines(found, made, b"")
    assert len({line.line for line in law}) == len(law)
    if made not in (Origin.AI_GENERATED, Origin.AI_EDITED):
        assert {line.status for line in law} == {LineStatus.NOT_ASSESSED}


@given(contents)
def test_ai_in_a_history_is_never_called_a_photograph(stated: Contents) -> None:
    source_types = (*stated.source_types, "x/trainedAlgorithmicMedia")
    with_ai = stated.model_copy(update={"source_types": source_types})
    assert origin(with_ai) in (Origin.AI_GENERATED, Origin.AI_EDITED)


def fingerprint_of() -> Fingerprint:
    return Fingerprint(pdq="0" * 64, quality=80)
