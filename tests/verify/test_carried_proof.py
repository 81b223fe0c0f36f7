"""The ledger's proof inside a credential is checked, with or without the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.pipeline import ImageRequest, Released, deliver
from provenance.credential import Contents, Credential, read
from provenance.home import Home
from provenance.ledger import LedgerKey, VerifierKey
from provenance.verify import Agreement, Sources, Verdict, verify
from provenance.verify.carried import carried_proof
from provenance.verify.report import Inclusion
from tests.support.deployment import PROVIDER, pipeline_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home.create(tmp_path_factory.mktemp("home") / "home", provider=PROVIDER, version="0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def pictures(home: Home) -> tuple[Released, Released]:
    first, second = (
        pipeline_of(home).run(ImageRequest(prompt="a boat on the sea", seed=seed)).released[0]
        for seed in (1, 2)
    )
    return first, second


def said_of_proof(data: bytes, sources: Sources, *, use_ledger: bool = True) -> list[Agreement]:
    report = verify(data, sources=sources, use_ledger=use_ledger)
    assert report.verdict is Verdict.ESTABLISHED
    return [one for one in report.agreement if one.between == ("credential", "ledger")]


def test_with_the_ledger_the_proof_is_held_against_the_decision(
    home: Home, pictures: tuple[Released, Released]
) -> None:
    (said,) = said_of_proof(deliver(pictures[0]), home.sources())
    assert said.holds


def test_without_the_ledger_its_public_key_is_enough(
    home: Home, pictures: tuple[Released, Released]
) -> None:
    alone = Sources(trust=home.sources().trust, ledger_keys=(home.ledger.verifier,))
    (said,) = said_of_proof(deliver(pictures[0]), alone)
    assert said.holds


def test_without_its_key_nothing_is_said(home: Home, pictures: tuple[Released, Released]) -> None:
    assert said_of_proof(deliver(pictures[0]), Sources(trust=home.sources().trust)) == []


def test_a_ledger_of_the_same_name_does_not_vouch(
    home: Home, pictures: tuple[Released, Released], tmp_path: Path
) -> None:
    impostor = VerifierKey.parse(LedgerKey.create(tmp_path / "other.key").verifier)
    named_alike = VerifierKey(home.ledger.verifier.name, impostor.public)
    (said,) = said_of_proof(
        deliver(pictures[0]), Sources(trust=home.sources().trust, ledger_keys=(named_alike,))
    )
    assert (said.holds, said.name) == (False, "ledger-proof-broken")


def test_a_proof_of_another_decision_is_told_from_the_own_one(
    home: Home, pictures: tuple[Released, Released]
) -> None:
    own, other = (_contents(home, picture) for picture in pictures)
    record = home.ledger.record_by_content_id(pictures[0].content_id)
    credential = read(deliver(pictures[0]), home.sources().trust)
    for ledger, of_this in ((own.ledger, True), (other.ledger, False)):
        swapped = _with(credential, own.model_copy(update={"ledger": ledger}))
        carried = carried_proof(swapped, record, home.sources(), home.ledger)
        assert carried is not None
        assert (carried.inclusion, carried.of_this) == (Inclusion.PROVED, of_this)


def _contents(home: Home, picture: Released) -> Contents:
    contents = read(deliver(picture), home.sources().trust).contents
    assert contents is not None
    return contents


def _with(credential: Credential, contents: Contents) -> Credential:
    return credential.model_copy(update={"contents": contents})
