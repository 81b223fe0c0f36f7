"""Signers of a home from the shell."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from guard.cli import run
from tests.cli.conftest import Wardmark
from tests.credential.authority import Authority
from tests.credential.formats import file_of

WRONG_USE, REFUSED, UNAVAILABLE = 2, 1, 4


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of its own for each test: signers are what changes here."""
    path = tmp_path / "home"
    assert run(["init", "--home", str(path), "--provider", "Test provider"]) == 0
    return path


def test_signers_are_created_listed_and_revoked(wardmark: Wardmark, tmp_path: Path) -> None:
    picture = tmp_path / "in.png"
    picture.write_bytes(file_of("image/png"))
    assert wardmark("sign", picture, "-o", tmp_path / "first.png").code == 0
    made = wardmark("keys", "create", "--alg", "ed25519", "--json").document
    listed = wardmark("keys", "list", "--json").document
    assert [entry["state"] for entry in listed] == ["active", "retired"]
    assert listed[0] == made
    assert wardmark("verify", tmp_path / "first.png").code == 0
    gone = wardmark("keys", "revoke", listed[1]["fingerprint"][:16], "--reason", "lost", "--json")
    assert (gone.document["state"], gone.document["reason"]) == ("revoked", "lost")
    assert wardmark("verify", tmp_path / "first.png").code == 1
    assert "revoked" in wardmark("keys", "list").out


def test_without_an_active_signer_nothing_is_signed(wardmark: Wardmark, tmp_path: Path) -> None:
    picture, out = tmp_path / "in.png", tmp_path / "out.png"
    picture.write_bytes(file_of("image/png"))
    (active,) = wardmark("keys", "list", "--json").document
    assert "wardmark keys create" in wardmark("keys", "revoke", active["serial"]).err
    ran = wardmark("sign", picture, "-o", out)
    assert (ran.code, out.exists()) == (UNAVAILABLE, False)
    assert "was revoked" in ran.err


def test_a_certificate_is_asked_for_and_installed(wardmark: Wardmark, tmp_path: Path) -> None:
    request, chain, root = (tmp_path / name for name in ("a.csr", "chain.pem", "root.pem"))
    assert wardmark("keys", "csr", "-o", request, "--name", "A generator").code == 0
    asked = x509.load_pem_x509_csr(request.read_bytes())
    assert asked.subject.rfc4514_string() == "CN=A generator,O=Test provider"
    authority = Authority("A certificate authority")
    issued = authority.leaf(asked.public_key())  # type: ignore[arg-type]
    chain.write_bytes(issued.public_bytes(Encoding.PEM))
    root.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    assert wardmark("keys", "install", chain, "--anchor", root).code == 0
    assert wardmark("keys", "list", "--json").document[0]["development"] is False
    picture, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    picture.write_bytes(file_of("image/jpeg"))
    assert wardmark("sign", picture, "-o", out).code == 0
    report = wardmark("verify", out, "--json").document
    assert (report["verdict"], report["credential"]["signer"]["development"]) == (
        "established",
        False,
    )


def test_a_chain_of_another_key_is_not_installed(wardmark: Wardmark, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(Authority().signer().certificate_chain)
    ran = wardmark("keys", "install", chain)
    assert ran.code == UNAVAILABLE
    assert "no key" in ran.err


def test_lint_says_what_is_refused_and_by_whom(wardmark: Wardmark, tmp_path: Path) -> None:
    root = tmp_path / "root.pem"
    root.write_bytes(Authority().certificate.public_bytes(Encoding.PEM))
    ran = wardmark("keys", "lint", root, "--json")
    codes = {(found["judge"], found["code"]) for found in ran.document["refused"]}
    assert ran.code == REFUSED
    assert {("validator", "basic-constraints"), ("validator", "purpose")} <= codes
    assert "every validator refuses it" in wardmark("keys", "lint", root).out
    (tmp_path / "none.pem").write_text("nothing")
    assert wardmark("keys", "lint", tmp_path / "none.pem").code == UNAVAILABLE


def test_a_key_elsewhere_is_not_replaced_by_one_here(wardmark: Wardmark, home: Path) -> None:
    settings = home / "wardmark.toml"
    table = '\n[signer]\nkind = "aws-kms"\nkey_id = "k"\nchain = "chain.pem"\n'
    settings.write_text(settings.read_text() + table)
    ran = wardmark("keys", "create")
    assert ran.code == WRONG_USE
    assert "[signer]" in ran.err


def test_no_key_of_a_home_is_readable_by_others(wardmark: Wardmark, home: Path) -> None:
    assert wardmark("keys", "csr", "-o", home / "a.csr").code == 0
    for file in (home / "keys").rglob("*"):
        if file.is_file() and b"PRIVATE" in file.read_bytes():
            assert file.stat().st_mode & 0o077 == 0
