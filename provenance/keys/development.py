"""A certificate authority for development: root, issuing CA and a leaf that signs claims.

Only the home that made it trusts it, and every name in it says so. The root's key is thrown away
as soon as the issuing CA has its certificate; the issuing CA's key stays, so that an expired leaf
can be replaced without a new root and pictures signed before keep their anchor.

The leaf follows the C2PA certificate profile (2.2, section 14.5.1, and the conformance programme):
key usage digitalSignature and nonRepudiation, purposes claimSigning and documentSigning, at most
366 days. It claims neither the programme's certificate policy nor an assurance level: it has none.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID, ObjectIdentifier

from provenance.errors import OutputFailed, SignerUnavailable
from provenance.keys.chain import CLAIM_SIGNING, DEVELOPMENT, DOCUMENT_SIGNING
from provenance.keys.ring import activate, key_pem, write
from provenance.keys.signer import Algorithm, KeySigner, PrivateKey
from provenance.keys.trust import ROOT_FILE

ISSUING_KEY_FILE = "issuing.key"
ISSUING_CERTIFICATE_FILE = "issuing.pem"

ROOT_LIFETIME = timedelta(days=3650)
ISSUING_LIFETIME = timedelta(days=1825)
LEAF_LIFETIME = timedelta(days=365)  # the profile allows 366
CLOCK_SKEW = timedelta(hours=1)  # a verifier's clock may be behind ours


def create_development_signer(
    directory: Path, *, alg: Algorithm = Algorithm.ES256, now: datetime | None = None
) -> KeySigner:
    """Make a signer in ``directory``, or a new one where the CA already stands there.

    ``now`` (aware, default the present) starts the validity. Files: ``root.pem``, ``issuing.pem``,
    and ``issuing.key`` and ``signer.pem`` (key, leaf, issuing CA) that only their owner may read.
    Raises OutputFailed when they cannot be written, SignerUnavailable when the CA that stands there
    cannot be read.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (directory / ISSUING_KEY_FILE).exists():
            _create_authority(directory, now)
        return _issue_leaf(directory, alg, now)
    except OSError as error:
        raise OutputFailed(f"cannot write keys to {directory}: {error.strerror}") from error


def _create_authority(directory: Path, now: datetime) -> None:
    root_key, issuing_key = _new_key(), _new_key()
    root_name, issuing_name = _name("root"), _name("issuing CA")
    root = _authority(root_name, root_key, root_name, root_key, 1, now, ROOT_LIFETIME)
    issuing = _authority(issuing_name, issuing_key, root_name, root_key, 0, now, ISSUING_LIFETIME)
    write(directory / ROOT_FILE, _pem(root), 0o644)
    write(directory / ISSUING_CERTIFICATE_FILE, _pem(issuing), 0o644)
    # Last, since its presence is what says that the authority is whole.
    write(directory / ISSUING_KEY_FILE, key_pem(issuing_key), 0o600)


def _issue_leaf(directory: Path, alg: Algorithm, now: datetime) -> KeySigner:
    try:
        issuing_key = serialization.load_pem_private_key(
            (directory / ISSUING_KEY_FILE).read_bytes(), None
        )
        issuing = x509.load_pem_x509_certificate(
            (directory / ISSUING_CERTIFICATE_FILE).read_bytes()
        )
    except (ValueError, TypeError) as error:
        raise SignerUnavailable(
            f"the development CA in {directory} cannot be read; move the folder away and "
            "make a new one with: wardmark init --renew-certificate"
        ) from error
    if not isinstance(issuing_key, ec.EllipticCurvePrivateKey):
        raise SignerUnavailable(f"{directory / ISSUING_KEY_FILE} is not an elliptic-curve key")
    key = new_key(alg)
    leaf = (
        _builder(_name("claim signer"), key, issuing.subject, issuing_key, now, LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, content_commitment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([CLAIM_SIGNING, DOCUMENT_SIGNING]), critical=False)
        .sign(issuing_key, hashes.SHA256())
    )
    return activate(directory, key, _pem(leaf) + _pem(issuing))


def _authority(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    path_length: int,
    now: datetime,
    lifetime: timedelta,
) -> x509.Certificate:
    return (
        _builder(subject, key, issuer, issuer_key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(role: str) -> x509.Name:
    def attribute(oid: ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
        return x509.NameAttribute(oid, value)

    return x509.Name(
        [
            attribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            attribute(NameOID.COMMON_NAME, f"Wardmark DEVELOPMENT {role}"),
        ]
    )


def new_key(alg: Algorithm) -> PrivateKey:
    """A fresh private key for this algorithm."""
    return _new_key() if alg is Algorithm.ES256 else ed25519.Ed25519PrivateKey.generate()


def _new_key() -> ec.EllipticCurvePrivateKey:
    # P-256 throughout: a P-384 chain makes reading a small picture five times slower.
    return ec.generate_private_key(ec.SECP256R1())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
