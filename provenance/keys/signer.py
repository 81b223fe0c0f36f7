"""Who signs: a key somewhere, and the certificates that say whose it is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provenance.errors import SignerUnavailable

KEY_FILE = "signer.key"
CHAIN_FILE = "signer.pem"
RENEW = "make a new one with: wardmark init --renew-certificate"


class Algorithm(StrEnum):
    """Signature algorithms of C2PA claims that we write (C2PA 2.2, section 13.2.1)."""

    ES256 = "es256"
    ED25519 = "ed25519"


class Signer(Protocol):
    """Signs claims. The key may lie in a file, a token or a service; only this is asked of it."""

    @property
    def alg(self) -> Algorithm: ...

    @property
    def certificate_chain(self) -> bytes:
        """PEM, the leaf first, then each issuer up to but without the root."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Signature over ``data`` (not over a digest): DER for ES256, 64 raw bytes for Ed25519.

        Raises SignerUnavailable when the key cannot be used.
        """
        ...


@dataclass(frozen=True, repr=False)
class KeySigner:
    """A signer whose private key is in memory. It has no repr, so that no log holds the key."""

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    certificate_chain: bytes

    @property
    def alg(self) -> Algorithm:
        is_ec = isinstance(self.key, ec.EllipticCurvePrivateKey)
        return Algorithm.ES256 if is_ec else Algorithm.ED25519

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self.key.sign(data)


def load_signer(directory: Path, *, now: datetime | None = None) -> KeySigner:
    """The signer kept in ``directory``: ``signer.key`` (PKCS#8 PEM) and ``signer.pem`` (chain).

    ``now`` (aware, default the present) is when its certificate must be valid. Raises
    SignerUnavailable when a file is missing or unreadable, key and certificate do not belong
    together, the kind of key is not one that we write, or the certificate is out of its time.
    """
    try:
        key = serialization.load_pem_private_key((directory / KEY_FILE).read_bytes(), None)
        chain = (directory / CHAIN_FILE).read_bytes()
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except OSError as error:
        raise SignerUnavailable(
            f"no signing key at {directory} ({error.strerror}); {RENEW}"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignerUnavailable(
            f"the signing key or certificate in {directory} cannot be read; {RENEW}"
        ) from error
    if not (
        isinstance(key, ed25519.Ed25519PrivateKey)
        or (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1))
    ):
        raise SignerUnavailable(f"the key in {directory} must be P-256 or Ed25519; {RENEW}")
    if key.public_key() != leaf.public_key():
        raise SignerUnavailable(f"key and certificate in {directory} do not match; {RENEW}")
    now = now or datetime.now(UTC)
    if now < leaf.not_valid_before_utc:
        raise SignerUnavailable(
            f"the certificate in {directory} is valid only from {leaf.not_valid_before_utc}; "
            "check this machine's clock"
        )
    if now > leaf.not_valid_after_utc:
        raise SignerUnavailable(
            f"the certificate in {directory} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; "
            f"{RENEW}"
        )
    return KeySigner(key=key, certificate_chain=chain)
