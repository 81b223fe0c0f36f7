"""Keys of the development CA, and whom their chain makes us believe."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from provenance.errors import HomeInvalid, OutputFailed, SignerUnavailable
from provenance.keys import (
    TrustAnchors,
    check_chain,
    create_development_signer,
    is_development,
    load_signer,
    load_trust,
)
from provenance.keys.chain import CLAIM_SIGNING, NO_ANCHOR, OUT_OF_TIME, WRONG_PURPOSE
from tests.credential.authority import DAY, Authority

NOW = datetime.now(UTC)


def chain_of(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


def test_a_new_signer_is_trusted_by_its_own_home(tmp_path: Path) -> None:
    create_development_signer(tmp_path)
    found = check_chain(
        chain_of(load_signer(tmp_path).certificate_chain), load_trust(tmp_path), NOW
    )
    assert found.problems == ()
    assert found.development


def test_another_home_does_not_trust_it(tmp_path: Path) -> None:
    signer = create_development_signer(tmp_path / "a")
    create_development_signer(tmp_path / "b")
    found = check_chain(chain_of(signer.certificate_chain), load_trust(tmp_path / "b"), NOW)
    assert found.problems == (NO_ANCHOR,)


def test_private_keys_are_their_owners_alone(tmp_path: Path) -> None:
    create_development_signer(tmp_path)
    private = [file for file in tmp_path.iterdir() if b"PRIVATE" in file.read_bytes()]
    assert {file.name for file in private} == {"signer.pem", "issuing.key"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}


def test_every_certificate_says_that_it_is_for_development(tmp_path: Path) -> None:
    signer = create_development_signer(tmp_path)
    certificates = [*chain_of(signer.certificate_chain), *load_trust(tmp_path).certificates]
    assert len(certificates) == 3
    for certificate in certificates:
        assert is_development(certificate)
        assert "not for production" in certificate.subject.rfc4514_string()


def test_the_leaf_has_the_purposes_and_lifetime_of_the_profile(tmp_path: Path) -> None:
    leaf = chain_of(create_development_signer(tmp_path).certificate_chain)[0]
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert CLAIM_SIGNING in purposes
    assert ExtendedKeyUsageOID.TIME_STAMPING not in purposes
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)


def test_a_new_leaf_keeps_the_anchor(tmp_path: Path) -> None:
    first = create_development_signer(tmp_path)
    trust = load_trust(tmp_path)
    second = create_development_signer(tmp_path)
    assert first.certificate_chain != second.certificate_chain
    for signer in (first, second):
        assert check_chain(chain_of(signer.certificate_chain), trust, NOW).problems == ()


def test_no_signer_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="wardmark keys create"):
        load_signer(tmp_path)


def test_an_expired_signer_is_unavailable(tmp_path: Path) -> None:
    create_development_signer(tmp_path, now=NOW - timedelta(days=400))
    with pytest.raises(SignerUnavailable, match="expired"):
        load_signer(tmp_path)


def test_a_signer_of_tomorrow_is_unavailable(tmp_path: Path) -> None:
    create_development_signer(tmp_path, now=NOW + timedelta(days=2))
    with pytest.raises(SignerUnavailable, match="clock"):
        load_signer(tmp_path)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    create_development_signer(tmp_path / "a")
    create_development_signer(tmp_path / "b")
    mine, theirs = ((tmp_path / name / "signer.pem").read_bytes() for name in "ab")
    mark = b"-----BEGIN CERTIFICATE"
    mixed = theirs[: theirs.index(mark)] + mine[mine.index(mark) :]
    (tmp_path / "a" / "signer.pem").write_bytes(mixed)
    with pytest.raises(SignerUnavailable, match="do not match"):
        load_signer(tmp_path / "a")


@pytest.mark.parametrize("kept", [0, 100, 400])
def test_a_damaged_key_file_is_refused(tmp_path: Path, kept: int) -> None:
    create_development_signer(tmp_path)
    file = tmp_path / "signer.pem"
    file.write_bytes(file.read_bytes()[:kept] + b"-----BEGIN NOTHING-----\n")
    with pytest.raises(SignerUnavailable, match="cannot be read"):
        load_signer(tmp_path)


def test_a_damaged_authority_is_not_replaced_behind_ones_back(tmp_path: Path) -> None:
    create_development_signer(tmp_path)
    (tmp_path / "issuing.key").write_bytes(b"")
    with pytest.raises(SignerUnavailable, match="cannot be read"):
        create_development_signer(tmp_path)


def test_keys_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputFailed):
        create_development_signer(tmp_path / "file" / "keys")


def test_a_trust_list_without_certificates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HomeInvalid, match="PEM"):
        TrustAnchors.from_pem(b"nothing")
    with pytest.raises(HomeInvalid, match="wardmark init"):
        load_trust(tmp_path)


def test_trust_lists_add_up(tmp_path: Path) -> None:
    create_development_signer(tmp_path)
    mine, theirs = load_trust(tmp_path), Authority().trust
    both = mine | theirs | mine
    assert both.certificates == mine.certificates + theirs.certificates
    assert TrustAnchors.from_pem(both.pem.encode()) == both


@pytest.mark.parametrize(
    "purposes",
    [
        [ExtendedKeyUsageOID.TIME_STAMPING],
        [ExtendedKeyUsageOID.OCSP_SIGNING],
        [ExtendedKeyUsageOID.SERVER_AUTH],
        [CLAIM_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING],
        [],
    ],
)
def test_a_leaf_for_another_purpose_may_not_sign_claims(
    purposes: list[x509.ObjectIdentifier],
) -> None:
    authority = Authority()
    chain = chain_of(authority.signer(purposes).certificate_chain)
    assert check_chain(chain, authority.trust, NOW).problems == (WRONG_PURPOSE,)


def test_a_chain_is_judged_at_the_moment_asked_about() -> None:
    authority = Authority()
    chain = chain_of(authority.signer(starts=-20 * DAY, ends=-10 * DAY).certificate_chain)
    assert check_chain(chain, authority.trust, NOW - 15 * DAY).problems == ()
    for moment in (NOW, NOW - 30 * DAY):
        assert check_chain(chain, authority.trust, moment).problems == (OUT_OF_TIME,)


def test_a_leaf_does_not_vouch_for_another() -> None:
    authority = Authority()
    leaf, other = (chain_of(authority.signer().certificate_chain)[0] for _ in range(2))
    assert check_chain([leaf], TrustAnchors((other,)), NOW).problems == (NO_ANCHOR,)


def test_an_authority_of_the_same_name_is_another_one() -> None:
    chain = chain_of(Authority("Twin").signer().certificate_chain)
    assert check_chain(chain, Authority("Twin").trust, NOW).problems == (NO_ANCHOR,)


def test_no_chain_is_no_trust() -> None:
    assert check_chain([], Authority().trust, NOW).problems == (NO_ANCHOR,)
