"""Each kind of attack gets its verdict and its name; nothing is stated as fact of what fails."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from provenance.credential import Claims, Signed
from provenance.credential.container import find_store
from provenance.errors import PictureInvalid
from provenance.picture import encode
from provenance.verify import Origin, Report, Sources, Verdict, verify
from tests.credential.authority import DAY, Authority
from tests.credential.forge import forge_png
from tests.credential.scenery import picture
from tests.credential.test_read import edited
from tests.verify.attacks import KINDS, Attack, assertions_of, copies, histories, signers, structure
from tests.verify.studio import Delivered, Studio

THEMES = (copies, structure, signers, histories)  # each enters its kinds when it is imported


def test_the_corpus_is_as_wide_as_it_says() -> None:
    kinds = {kind.attack.__name__ for kind in KINDS}
    assert len(kinds) == len(KINDS) >= 60
    assert {kind.attack.__module__ for kind in KINDS} == {theme.__name__ for theme in THEMES}


@pytest.mark.parametrize(
    ("attack", "verdict", "name"), KINDS, ids=lambda v: getattr(v, "__name__", "")
)
def test_attack(
    studio: Studio,
    delivered: Delivered,
    another: Delivered,
    attack: Attack,
    verdict: Verdict,
    name: str | None,
) -> None:
    case = attack(studio, delivered, another)
    report = verify(case.data, sources=studio.trusting(case.trust))
    assert report.verdict is verdict, report.summary
    named = {agreement.name for agreement in report.agreement if not agreement.holds}
    assert name in named if name else not named
    if verdict is Verdict.CONTRADICTED:
        assert name
        assert name in report.summary
    if not verdict.answers:
        assert_nothing_is_stated_as_fact(report)


def assert_nothing_is_stated_as_fact(report: Report) -> None:
    assert report.origin is Origin.UNKNOWN
    assert set(report.disclosures.model_dump().values()) == {None}


def test_an_expired_credential_is_recovered_by_the_time_that_the_ledger_proves(
    studio: Studio,
) -> None:
    """The certificate was valid when the record was made; nobody needs a time stamp then."""
    authority = Authority("Last year's signer")
    expired = authority.signer(starts=-400 * DAY, ends=-100 * DAY)

    def seal(png: bytes, stated: Claims) -> Signed:
        data = forge_png(png, expired, assertions_of(stated))
        found = find_store(data, "image/png")
        assert found is not None
        return Signed(data, found.store)

    studio.clock = lambda: datetime.now(UTC) - 200 * DAY
    own = studio.deliver(picture(seed=60), seal=seal)
    report = verify(own.data, sources=studio.trusting(authority.trust))
    assert report.verdict is Verdict.RECOVERED
    assert "expired-without-time" in {a.name for a in report.agreement}


def test_an_edit_that_names_its_parent_is_established(studio: Studio, delivered: Delivered) -> None:
    report = verify(edited(delivered.data, studio.signer), sources=studio.sources)
    assert report.verdict is Verdict.ESTABLISHED


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 500])
def test_what_is_no_picture_is_an_error_with_words(studio: Studio, data: bytes) -> None:
    with pytest.raises(PictureInvalid):
        verify(data, sources=studio.sources)


def test_without_a_ledger_a_stripped_copy_is_unconfirmed(
    studio: Studio, delivered: Delivered
) -> None:
    copy = encode(delivered.pixels, "png")
    for report in (
        verify(copy, sources=studio.sources, use_ledger=False),
        verify(copy, sources=replace(studio.sources, ledger=None)),
    ):
        assert report.verdict is Verdict.UNCONFIRMED
        assert not report.record.found


def test_who_trusts_nobody_establishes_nothing(studio: Studio, delivered: Delivered) -> None:
    for sources in (Sources(ledger=studio.ledger), None):
        assert verify(delivered.data, sources=sources).verdict is Verdict.UNCONFIRMED
