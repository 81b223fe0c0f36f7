"""May this certificate sign claims, and does its chain end at an anchor? Pure.

c2pa-rs answers too, but takes a leaf that may only sign time stamps or OCSP answers for a claim
signer, and cannot be asked about another moment than now. A signer counts as trusted only where
both say so (see provenance.credential.read).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provenance.keys.trust import TrustAnchors

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # id-kp-documentSigning, RFC 9336
CLAIM_PURPOSES = frozenset({CLAIM_SIGNING, DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION})
# C2PA 2.2, section 14.5.1.1: a certificate with one of these may not sign anything else.
EXCLUSIVE_PURPOSES = frozenset(
    {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING}
)
MAX_CHAIN = 8  # certificates; real chains have two or three

# The organisation in every certificate of the development CA.
DEVELOPMENT = "Wardmark DEVELOPMENT, not for production"

# What pyca/cryptography raises on certificates that are none, or of a kind it does not know; the
# warning (a serial number below 1, for one) only where warnings are made errors.
MALFORMED = (
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)

# What can be wrong, in the spelling of C2PA's status codes.
WRONG_PURPOSE = "wardmark.signer.purpose"
OUT_OF_TIME = "wardmark.signer.outOfTime"
NO_ANCHOR = "wardmark.signer.noAnchor"
REVOKED = "wardmark.signer.revoked"


@dataclass(frozen=True)
class ChainFinding:
    """``problems``: codes, empty when the signer may be trusted at the moment asked about.

    ``anchor``: the subject of the anchor that the chain ends at. ``development``: that anchor
    belongs to a development CA.
    """

    problems: tuple[str, ...]
    anchor: str | None = None
    development: bool = False


def check_chain(
    chain: Sequence[x509.Certificate], anchors: TrustAnchors, at: datetime
) -> ChainFinding:
    """Judge a claim signer's chain, the leaf first, at the moment ``at`` (aware).

    Only the first MAX_CHAIN certificates count. Certificates that do not parse are problems, never
    errors.
    """
    found = _judged(chain, anchors.certificates, at, _may_sign_claims)
    leaf = chain[0].fingerprint(hashes.SHA256()).hex() if chain else ""
    if any(revoked.fingerprint == leaf and revoked.at <= at for revoked in anchors.revoked):
        return replace(found, problems=(*found.problems, REVOKED))
    return found


def check_time_stamping_chain(
    chain: Sequence[x509.Certificate], anchors: TrustAnchors, at: datetime
) -> ChainFinding:
    """As ``check_chain`` of a time stamping authority: other anchors, another purpose."""
    return _judged(chain, anchors.time_stamping, at, _may_stamp_times)


def _judged(
    chain: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
    may: Callable[[x509.Certificate], bool],
) -> ChainFinding:
    if not chain:
        return ChainFinding((NO_ANCHOR,))
    leaf, others = chain[0], chain[1:MAX_CHAIN]
    try:
        purpose_ok = may(leaf)
        path, anchor = _path_to_anchor(leaf, others, anchors)
        in_time = all(c.not_valid_before_utc <= at <= c.not_valid_after_utc for c in path)
    except MALFORMED:
        return ChainFinding((NO_ANCHOR,))
    checks = ((purpose_ok, WRONG_PURPOSE), (in_time, OUT_OF_TIME), (anchor is not None, NO_ANCHOR))
    return ChainFinding(
        problems=tuple(code for holds, code in checks if not holds),
        anchor=anchor.subject.rfc4514_string() if anchor else None,
        development=anchor is not None and is_development(anchor),
    )


def is_development(certificate: x509.Certificate) -> bool:
    """True for a certificate that names itself a development one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(name.value == DEVELOPMENT for name in names)


def _may_sign_claims(leaf: x509.Certificate) -> bool:
    purposes = _purposes(leaf)
    return bool(purposes & CLAIM_PURPOSES) and not purposes & EXCLUSIVE_PURPOSES


def _may_stamp_times(leaf: x509.Certificate) -> bool:
    return _purposes(leaf) == {ExtendedKeyUsageOID.TIME_STAMPING}  # RFC 3161, section 2.3


def _purposes(leaf: x509.Certificate) -> set[ObjectIdentifier]:
    try:
        return set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set()


def _path_to_anchor(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
) -> tuple[list[x509.Certificate], x509.Certificate | None]:
    """The certificates from the leaf up to but without the anchor, and the anchor if reached."""
    path, unused = [leaf], list(others)
    while True:
        below = path[-1]
        if below in anchors:
            return path, below
        for anchor in anchors:
            if _issued(anchor, below, intermediates=len(path) - 1):
                return path, anchor
        issuer = next((c for c in unused if _issued(c, below, intermediates=len(path) - 1)), None)
        if issuer is None:
            return path, None
        unused.remove(issuer)
        path.append(issuer)


@lru_cache(maxsize=1024)  # a verifier meets the same authorities again and again
def _issued(issuer: x509.Certificate, below: x509.Certificate, intermediates: int) -> bool:
    """True when ``issuer`` is a CA that may stand above ``intermediates`` CAs and signed below."""
    if issuer.subject != below.issuer:
        return False
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        below.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, *MALFORMED):
        return False
    deep_enough = constraints.path_length is None or intermediates <= constraints.path_length
    return constraints.ca and usage.key_cert_sign and deep_enough
