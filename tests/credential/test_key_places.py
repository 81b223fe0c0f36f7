"""A key signs wherever it lies: in a file, a token or a service."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import ValidationError

from provenance.credential import read, sign
from provenance.errors import SignerUnavailable
from provenance.keys import (
    Algorithm,
    CallbackSigner,
    KeySigner,
    Signer,
    SignerSettings,
    TokenSigner,
    aws_kms,
    open_signer,
)
from provenance.keys.development import new_key
from provenance.keys.ring import key_pem
from provenance.keys.service import der_signature
from tests.credential.authority import DAY, Authority
from tests.credential.scenery import claims, encoded

AUTHORITY = Authority()
PASSWORD = "a password of the tests"
PIN = "648219"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
MODULE = next((module for module in MODULES if Path(module).exists()), None)
needs_softhsm = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None,
    reason="SoftHSM is not installed; on Debian: apt-get install softhsm2",
)


def signs(signer: Signer) -> bool:
    """Whether a credential by ``signer`` is trusted by who trusts its authority."""
    return read(sign(encoded(), "image/png", claims(), signer).data, AUTHORITY.trust).proves


def chain_for(public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return AUTHORITY.leaf(public).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP256R1()), None])
def test_an_encrypted_pem_file_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], object] | None
) -> None:
    key = ed25519.Ed25519PrivateKey.generate() if make is None else make()
    signer = AUTHORITY.signer(key=key)  # type: ignore[arg-type]
    locked = key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "chain.pem").write_bytes(signer.certificate_chain)
    settings = SignerSettings(
        kind="pem", key="locked.key", chain="chain.pem", password_env="WARDMARK_TEST_PASSWORD"
    )
    with pytest.raises(SignerUnavailable, match="does not set WARDMARK_TEST_PASSWORD"):
        open_signer(settings, tmp_path, tmp_path)
    monkeypatch.setenv("WARDMARK_TEST_PASSWORD", "wrong")
    with pytest.raises(SignerUnavailable, match="cannot be read"):
        open_signer(settings, tmp_path, tmp_path)
    monkeypatch.setenv("WARDMARK_TEST_PASSWORD", PASSWORD)
    assert signs(open_signer(settings, tmp_path, tmp_path))


def test_an_encrypted_pkcs12_file_signs(tmp_path: Path) -> None:
    signer = AUTHORITY.signer()
    leaf = x509.load_pem_x509_certificates(signer.certificate_chain)[0]
    locked = pkcs12.serialize_key_and_certificates(
        b"signer",
        signer.key,
        leaf,
        [AUTHORITY.certificate],
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    )
    (tmp_path / "signer.p12").write_bytes(locked)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    settings = SignerSettings(kind="pkcs12", key="signer.p12", password_file="password")
    opened = open_signer(settings, tmp_path, tmp_path)
    assert opened.certificate_chain == signer.certificate_chain  # the root does not travel
    assert signs(opened)
    (tmp_path / "password").write_text("wrong")
    with pytest.raises(SignerUnavailable, match="its password"):
        open_signer(settings, tmp_path, tmp_path)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SoftHSM token of its own; its label."""
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    label = f"wardmark-{os.getpid()}-{tmp_path.name}"[:32]
    pins = ["--pin", PIN, "--so-pin", PIN]
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, *pins],
        check=True,
        capture_output=True,
    )
    return label


def imported(
    tmp_path: Path, token: str, label: str = "signer", alg: Algorithm = Algorithm.ES256
) -> bytes:
    """Puts a key into the token, which it then never leaves; returns its chain."""
    key = new_key(alg)
    (tmp_path / "import.pem").write_bytes(key_pem(key))
    which = ["--token", token, "--label", label, "--id", label.encode().hex(), "--pin", PIN]
    subprocess.run(
        ["softhsm2-util", "--import", tmp_path / "import.pem", *which],
        check=True,
        capture_output=True,
    )
    (tmp_path / "import.pem").unlink()
    return chain_for(key.public_key())


# SoftHSM reads its configuration once for a process, so these tests are one each in its own.
@needs_softhsm
def test_a_token_signs_and_says_what_is_wrong(tmp_path: Path, token: str) -> None:
    chain = imported(tmp_path, token)
    assert MODULE is not None
    signer = TokenSigner(Path(MODULE), token, "signer", PIN, chain)
    assert PIN not in repr(signer)
    assert signs(signer)
    assert signs(signer)  # the session is kept
    edwards = imported(tmp_path, token, "edwards", Algorithm.ED25519)
    assert signs(TokenSigner(Path(MODULE), token, "edwards", PIN, edwards))
    signer._opened[0].session.close()
    assert signs(signer)
    for wrong in (
        TokenSigner(Path(MODULE), "another token", "signer", PIN, chain),
        TokenSigner(Path(MODULE), token, "another key", PIN, chain),
        TokenSigner(tmp_path / "missing.so", token, "signer", PIN, chain),
        TokenSigner(Path(MODULE), token, "signer", PIN, AUTHORITY.signer().certificate_chain),
    ):
        with pytest.raises(SignerUnavailable):
            sign(encoded(), "image/png", claims(), wrong)
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "pin").write_text(PIN)
    settings = SignerSettings(
        kind="pkcs11",
        module=MODULE,
        token=token,
        label="signer",
        chain="chain.pem",
        password_file="pin",
    )
    assert signs(open_signer(settings, tmp_path, tmp_path))


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("kms")


def test_aws_kms_signs(kms: object, tmp_path: Path) -> None:
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")  # type: ignore[attr-defined]
    key_id = made["KeyMetadata"]["KeyId"]
    der = kms.get_public_key(KeyId=key_id)["PublicKey"]  # type: ignore[attr-defined]
    public = serialization.load_der_public_key(der)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    chain = chain_for(public)
    assert signs(aws_kms(key_id, chain, client=kms))  # type: ignore[arg-type]
    (tmp_path / "chain.pem").write_bytes(chain)
    settings = SignerSettings(kind="aws-kms", key_id=key_id, chain="chain.pem")
    assert signs(open_signer(settings, tmp_path, tmp_path))
    kms.disable_key(KeyId=key_id)  # type: ignore[attr-defined]
    with pytest.raises(SignerUnavailable, match="AWS KMS did not sign"):
        signs(aws_kms("no-such-key", chain, client=kms))  # type: ignore[arg-type]


def test_a_service_without_a_region_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SignerUnavailable, match="region"):
        aws_kms("key", AUTHORITY.signer().certificate_chain)


def test_a_callback_signs_as_google_and_azure_do() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    inner = KeySigner(key, chain_for(key.public_key()))

    def raw(data: bytes) -> bytes:
        r, s = decode_dss_signature(inner.sign(data))
        return der_signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    assert signs(CallbackSigner(inner.certificate_chain, inner.sign, "Google Cloud KMS"))
    assert signs(CallbackSigner(inner.certificate_chain, raw, "Azure Key Vault"))


def test_an_outage_of_a_service_is_named() -> None:
    def down(_: bytes) -> bytes:
        raise TimeoutError("no answer within 5 s")

    signer = CallbackSigner(AUTHORITY.signer().certificate_chain, down, "the vault")
    with pytest.raises(SignerUnavailable, match=r"the vault did not sign .*no answer"):
        signs(signer)


@pytest.mark.parametrize("kind", ["pem", "pkcs12", "pkcs11", "aws-kms"])
def test_settings_that_lack_something_say_what(kind: str) -> None:
    with pytest.raises(ValidationError, match="needs"):
        SignerSettings(kind=kind)


def test_an_expired_certificate_is_noticed_when_the_signer_is_opened(tmp_path: Path) -> None:
    signer = AUTHORITY.signer(starts=-20 * DAY, ends=-10 * DAY)
    (tmp_path / "chain.pem").write_bytes(signer.certificate_chain)
    settings = SignerSettings(kind="aws-kms", key_id="k", chain="chain.pem")
    with pytest.raises(SignerUnavailable, match="expired"):
        open_signer(settings, tmp_path, tmp_path)
    then = datetime.now(UTC) - timedelta(days=15)
    (tmp_path / "key.pem").write_bytes(key_pem(signer.key))
    files = SignerSettings(kind="pem", key="key.pem", chain="chain.pem")
    assert open_signer(files, tmp_path, tmp_path, now=then)
