"""The key file, its public half, and commitments."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import LedgerKeyInvalid
from provenance.ledger import LedgerKey, load_verifier
from provenance.ledger.commitment import (
    commitment,
    create_commitment_key,
    load_commitment_key,
)


def test_a_key_survives_its_file(tmp_path: Path) -> None:
    made = LedgerKey.create(tmp_path / "ledger.key", "example.com/log")
    read = LedgerKey.load(tmp_path / "ledger.key")
    assert read.verifier == made.verifier
    assert read.verifier.startswith("example.com/log+")
    assert load_verifier(tmp_path / "ledger.pub") == made.public
    assert read.sign_checkpoint(3, bytes(32)) == made.sign_checkpoint(3, bytes(32))


def test_only_the_owner_can_read_a_key(tmp_path: Path) -> None:
    LedgerKey.create(tmp_path / "ledger.key")
    create_commitment_key(tmp_path / "commitment.key")
    for name in ("ledger.key", "commitment.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_two_ledgers_never_share_a_name() -> None:
    assert LedgerKey.generate().public.name != LedgerKey.generate().public.name


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    LedgerKey.create(path)
    path.chmod(0o640)
    with pytest.raises(LedgerKeyInvalid, match="chmod 600"):
        LedgerKey.load(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    made = LedgerKey.create(path)
    with pytest.raises(LedgerKeyInvalid, match="never overwritten"):
        LedgerKey.create(path)
    with pytest.raises(LedgerKeyInvalid, match="never overwritten"):
        create_commitment_key(path)
    assert LedgerKey.load(path).verifier == made.verifier


@pytest.mark.parametrize("broken", ["key", "pub", "no key", "no pub", "other", "rsa", "bytes"])
def test_a_broken_key_says_what_is_wrong(tmp_path: Path, broken: str) -> None:
    path, public = tmp_path / "ledger.key", tmp_path / "ledger.pub"
    LedgerKey.create(path, "a.test")
    if broken == "key":
        path.write_text("-----BEGIN nothing")
    elif broken == "pub":
        public.write_text("a.test+12345678+AAAA")
    elif broken == "no key":
        path.unlink()
    elif broken == "no pub":
        public.unlink()
    elif broken == "bytes":
        public.write_bytes(b"\xff\xfe")
    elif broken == "rsa":
        path.write_bytes(_rsa())
    else:
        public.write_text(LedgerKey.generate("a.test").verifier)
    with pytest.raises(LedgerKeyInvalid, match=r"ledger\.(key|pub)"):
        LedgerKey.load(path)


def _rsa() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize("name", ["", "with space", "plus+plus", "tab\t"])
def test_a_ledger_needs_a_name_that_fits_a_note(name: str) -> None:
    if name:
        with pytest.raises(LedgerKeyInvalid, match="cannot name a ledger"):
            LedgerKey.generate(name)
    else:
        assert LedgerKey.generate(name).public.name


def test_a_key_cannot_be_made_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(LedgerKeyInvalid, match="cannot be written"):
        LedgerKey.create(tmp_path / "missing" / "ledger.key")


@given(st.text(), st.text())
def test_a_commitment_binds_and_tells_nothing_without_the_key(one: str, two: str) -> None:
    key, other = bytes(32), bytes([1]) * 32
    assert commitment(key, one) == commitment(key, one)
    assert (commitment(key, one) == commitment(key, two)) == (one == two)
    assert commitment(key, one) != commitment(other, one)


def test_a_commitment_key_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "commitment.key"
    assert create_commitment_key(path) == load_commitment_key(path)
    for broken in ("zz", "abcd", "é"):
        path.write_text(broken)
        with pytest.raises(LedgerKeyInvalid, match="restore it"):
            load_commitment_key(path)
    with pytest.raises(LedgerKeyInvalid, match="32 bytes"):
        commitment(b"short", "x")
