"""Who signs: a key somewhere, and the certificates that say whose it is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provenance.errors import SignerUnavailable

HOW = "make one with: wardmark keys create, or ask a CA for one: wardmark keys csr"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


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

    key: PrivateKey
    certificate_chain: bytes

    @property
    def alg(self) -> Algorithm:
        is_ec = isinstance(self.key, ec.EllipticCurvePrivateKey)
        return Algorithm.ES256 if is_ec else Algorithm.ED25519

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self.key.sign(data)


def parse_signer(
    key: bytes,
    chain: bytes,
    where: str,
    *,
    password: bytes | None = None,
    now: datetime | None = None,
) -> KeySigner:
    """A signer of a private key (PEM, PKCS#8 or traditional, perhaps encrypted) and a chain (PEM).

    ``where`` names them for people; ``now`` (aware, default the present) is when the certificate
    must be valid. Raises SignerUnavailable when they cannot be read, do not belong together, are of
    a kind with which we do not sign, or the certificate is out of its time.
    """
    try:
        private = serialization.load_pem_private_key(key, password)
        certificates = x509.load_pem_x509_certificates(chain)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignerUnavailable(
            f"the signing key or certificate in {where} cannot be read ({error}); {HOW}"
        ) from error
    pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)
    return checked(private, pem, where, now=now)


def checked(key: object, chain: bytes, where: str, *, now: datetime | None = None) -> KeySigner:
    """A signer, if key and chain (PEM) fit. Raises SignerUnavailable as ``parse_signer``."""
    if not (
        isinstance(key, ed25519.Ed25519PrivateKey)
        or (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1))
    ):
        raise SignerUnavailable(f"the key in {where} must be P-256 or Ed25519; {HOW}")
    leaf = x509.load_pem_x509_certificates(chain)[0]
    if key.public_key() != leaf.public_key():
        raise SignerUnavailable(f"key and certificate in {where} do not match; {HOW}")
    check_time(leaf, where, now or datetime.now(UTC))
    return KeySigner(key=key, certificate_chain=chain)


def check_time(leaf: x509.Certificate, where: str, now: datetime) -> None:
    """Raise SignerUnavailable where a signer's certificate is out of its time."""
    if now < leaf.not_valid_before_utc:
        raise SignerUnavailable(
            f"the certificate in {where} is valid only from {leaf.not_valid_before_utc}; "
            "check this machine's clock"
        )
    if now > leaf.not_valid_after_utc:
        raise SignerUnavailable(
            f"the certificate in {where} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; {HOW}"
        )


def algorithm_of(leaf: x509.Certificate) -> Algorithm:
    """The algorithm that a certificate's key signs with. Raises SignerUnavailable."""
    key = leaf.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return Algorithm.ES256
    raise SignerUnavailable(f"the certificate's key must be P-256 or Ed25519; {HOW}")
