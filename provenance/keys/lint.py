"""What a trust list will refuse of a certificate, before it is asked to take it. Pure.

Two judges: every validator of credentials (C2PA 2.2, section 14.5.1), and the C2PA conformance
programme (certificate profile v0.2, 2026-07-31), which asks for more before it lists a signer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ExtensionOID,
    ObjectIdentifier,
)

from provenance.keys.chain import (
    CLAIM_PURPOSES,
    CLAIM_SIGNING,
    DOCUMENT_SIGNING,
    EXCLUSIVE_PURPOSES,
    MALFORMED,
)

POLICY = ObjectIdentifier("1.3.6.1.4.1.62558.1.1")  # c2pa-certificate-policy
ASSURANCE_LEVEL = ObjectIdentifier("1.3.6.1.4.1.62558.3")
PRODUCT = ObjectIdentifier("1.3.6.1.4.1.62558.4")  # its record in the list of products
LONGEST = timedelta(days=366)  # assurance level 1; 90 days at level 2
KNOWN_CRITICAL = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.NAME_CONSTRAINTS,
}
SIGNATURE_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class Judge(StrEnum):
    """Who refuses: every validator, or the conformance programme only."""

    VALIDATOR = "validator"
    PROGRAMME = "programme"


@dataclass(frozen=True)
class Refusal:
    """One reason, with a code for programs and a sentence for people."""

    judge: Judge
    code: str
    message: str


def lint(chain: Sequence[x509.Certificate], at: datetime) -> tuple[Refusal, ...]:
    """All that would be refused of ``chain``, the leaf first, at the moment ``at`` (aware).

    Whether anybody trusts its root is not asked. Raises nothing: what does not parse is refused.
    """
    if not chain:
        return (Refusal(Judge.VALIDATOR, "empty", "there is no certificate"),)
    try:
        leaf = chain[0]
        found = [*_times(leaf, at), *_validator(leaf, chain[1:]), *_programme(leaf)]
    except MALFORMED as error:
        return (Refusal(Judge.VALIDATOR, "malformed", f"the certificate is malformed ({error})"),)
    return tuple(found)


def refusals(chain: bytes, at: datetime) -> tuple[Refusal, ...]:
    """What every validator refuses of a PEM chain: with any of it, signing makes no sense."""
    certificates = load(chain)
    times = tuple(_times(certificates[0], at)) if certificates else ()
    return times + _lasting_refusals(chain)


@lru_cache(maxsize=16)  # signing asks each time, and the answer stays
def _lasting_refusals(chain: bytes) -> tuple[Refusal, ...]:
    certificates = load(chain)
    at = certificates[0].not_valid_before_utc if certificates else datetime.now(UTC)
    return tuple(r for r in lint(certificates, at) if r.judge is Judge.VALIDATOR)


def load(chain: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM chain; none where it holds none that can be read."""
    try:
        return tuple(x509.load_pem_x509_certificates(chain))
    except ValueError:
        return ()


def _times(leaf: x509.Certificate, at: datetime) -> Iterator[Refusal]:
    if at < leaf.not_valid_before_utc:
        starts = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M}"
        yield Refusal(Judge.VALIDATOR, "not-yet-valid", f"it is valid only from {starts} UTC")
    if at > leaf.not_valid_after_utc:
        ended = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
        yield Refusal(Judge.VALIDATOR, "expired", f"it expired on {ended}")


def _validator(
    leaf: x509.Certificate, issuers: Sequence[x509.Certificate]
) -> Iterator[Refusal]:
    def refuse(code: str, message: str) -> Refusal:
        return Refusal(Judge.VALIDATOR, code, message)

    if leaf.version is not x509.Version.v3:
        yield refuse("version", "it is not an X.509 version 3 certificate")
    key = leaf.public_key()
    if not isinstance(key, ed25519.Ed25519PublicKey) and not (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        yield refuse("key", "its key is neither P-256 nor Ed25519, with which we sign")
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        yield refuse("basic-constraints", "it is the certificate of a CA, not of a signer")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not (usage.digital_signature or usage.content_commitment):
        yield refuse("key-usage", "its key usage does not hold digitalSignature")
    elif usage.key_cert_sign or usage.key_encipherment:
        yield refuse("key-usage", "its key usage holds more than signing")
    purposes = set(_extension(leaf, x509.ExtendedKeyUsage) or ())
    if not purposes & CLAIM_PURPOSES:
        yield refuse(
            "purpose", "its extended key usage holds neither claimSigning nor documentSigning"
        )
    if purposes & EXCLUSIVE_PURPOSES:
        yield refuse("purpose-exclusive", "time stamping or OCSP signing may not be with others")
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in purposes:
        yield refuse("purpose-any", "its extended key usage allows anything")
    if _extension(leaf, x509.AuthorityKeyIdentifier) is None:
        yield refuse("authority-key-identifier", "it does not say which key issued it (AKI)")
    for extension in leaf.extensions:
        if extension.critical and extension.oid not in KNOWN_CRITICAL:
            unknown = extension.oid.dotted_string
            yield refuse("critical", f"it has an unknown critical extension {unknown}")
    algorithm = leaf.signature_hash_algorithm
    if algorithm is not None and not isinstance(algorithm, SIGNATURE_HASHES):
        yield refuse("signature", f"it is signed with {algorithm.name}, which is too weak")
    if leaf.subject == leaf.issuer:
        yield refuse("self-signed", "it is signed by itself: no trust list can vouch for it")
    below = leaf
    for issuer in issuers:
        try:
            below.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield refuse("chain", "the certificates behind it did not issue one another in order")
            return
        below = issuer


def _programme(leaf: x509.Certificate) -> Iterator[Refusal]:
    def refuse(code: str, message: str) -> Refusal:
        return Refusal(Judge.PROGRAMME, code, message)

    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    if lifetime > LONGEST:
        yield refuse("lifetime", f"it is valid for {lifetime.days} days, of {LONGEST.days} allowed")
    purposes = set(_extension(leaf, x509.ExtendedKeyUsage) or ())
    if CLAIM_SIGNING not in purposes:
        yield refuse(
            "claim-signing", f"its purposes lack claimSigning ({CLAIM_SIGNING.dotted_string})"
        )
    if not purposes & {DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION}:
        yield refuse("second-purpose", "its purposes lack documentSigning and emailProtection")
    usage = _extension(leaf, x509.KeyUsage)
    critical = any(e.critical and e.oid == ExtensionOID.KEY_USAGE for e in leaf.extensions)
    if not (usage and critical and usage.digital_signature and usage.content_commitment):
        yield refuse(
            "key-usage-profile",
            "its key usage is not digitalSignature and nonRepudiation, marked critical",
        )
    if _extension(leaf, x509.SubjectKeyIdentifier) is None:
        yield refuse("subject-key-identifier", "it does not identify its key (SKI)")
    policies = [p.policy_identifier for p in _extension(leaf, x509.CertificatePolicies) or ()]
    if POLICY not in policies:
        yield refuse("policy", f"it does not name the programme's policy ({POLICY.dotted_string})")
    access = [a.access_method for a in _extension(leaf, x509.AuthorityInformationAccess) or ()]
    if AuthorityInformationAccessOID.OCSP not in access:
        yield refuse("ocsp", "it names no OCSP responder")
    unrecognised = {extension.oid for extension in leaf.extensions}
    if ASSURANCE_LEVEL not in unrecognised:
        yield refuse(
            "assurance-level", f"it names no assurance level ({ASSURANCE_LEVEL.dotted_string})"
        )
    if PRODUCT not in unrecognised:
        yield refuse(
            "product", f"it names no product of the programme's list ({PRODUCT.dotted_string})"
        )


_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
