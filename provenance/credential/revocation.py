"""Was the signer's certificate revoked? OCSP answers (RFC 6960), checked without c2pa-rs.

An answer may come with the credential (C2PA 2.2, section 13.2.6). The authority itself is asked
only where the caller wants that: it then learns whose pictures are being looked at.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from provenance.credential.credential import Revocation
from provenance.errors import AddressRefused, FetchFailed
from provenance.fetch import Fetcher
from provenance.keys.chain import MALFORMED
from provenance.keys.trust import TrustAnchors

REQUEST, RESPONSE = "application/ocsp-request", "application/ocsp-response"
MAX_ANSWER_BYTES = 64 * 1024


def revocation_of(
    chain: Sequence[x509.Certificate],
    anchors: TrustAnchors,
    answers: Sequence[bytes],
    at: datetime,
) -> Revocation:
    """What the answers say of the leaf, for a signature made at ``at`` (aware).

    ``not-checked`` where none of them is of this certificate, by its issuer, and of that time.
    Revoked counts from the moment of revocation on, whenever the answer was given.
    """
    issuer = _issuer(chain, anchors)
    if issuer is None:
        return Revocation.NOT_CHECKED
    found = {_status(answer, chain[0], issuer, at) for answer in answers}
    for worst in (Revocation.REVOKED, Revocation.GOOD):
        if worst in found:
            return worst
    return Revocation.NOT_CHECKED


def ask_authority(
    chain: Sequence[x509.Certificate], anchors: TrustAnchors, fetcher: Fetcher
) -> tuple[bytes, ...]:
    """The answer of the authority that the leaf names; empty where there is none."""
    issuer = _issuer(chain, anchors)
    url = _responder(chain[0]) if chain else None
    if issuer is None or url is None:
        return ()
    builder = ocsp.OCSPRequestBuilder().add_certificate(chain[0], issuer, hashes.SHA256())
    request = builder.build().public_bytes(serialization.Encoding.DER)
    try:
        return (fetcher.post(url, request, REQUEST, [RESPONSE]).data,)
    except (AddressRefused, FetchFailed):
        return ()


def _status(
    answer: bytes, leaf: x509.Certificate, issuer: x509.Certificate, at: datetime
) -> Revocation:
    if len(answer) > MAX_ANSWER_BYTES:
        return Revocation.NOT_CHECKED
    try:
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Revocation.NOT_CHECKED
        asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, response.hash_algorithm)
        same = asked.build()
        if (response.serial_number, response.issuer_key_hash, response.issuer_name_hash) != (
            same.serial_number,
            same.issuer_key_hash,
            same.issuer_name_hash,
        ) or not _signed_for(response, issuer):
            return Revocation.NOT_CHECKED
        if response.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            since = response.revocation_time_utc
            return Revocation.REVOKED if since is None or since <= at else Revocation.GOOD
        until = response.next_update_utc
        fresh = response.this_update_utc <= at and (until is None or at <= until)
        good = response.certificate_status is ocsp.OCSPCertStatus.GOOD and fresh
    except MALFORMED:
        return Revocation.NOT_CHECKED
    return Revocation.GOOD if good else Revocation.NOT_CHECKED


def _signed_for(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    """Signed by the issuer, or by one whom it made a responder (RFC 6960, section 4.2.2.2)."""
    if _verifies(response, issuer):
        return True
    return any(
        _is_responder(certificate, issuer) and _verifies(response, certificate)
        for certificate in response.certificates
    )


def _is_responder(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *MALFORMED):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _verifies(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, digest = signer.public_key(), response.signature_hash_algorithm
    signed = response.tbs_response_bytes
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(response.signature, signed, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(response.signature, signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(response.signature, signed)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _issuer(chain: Sequence[x509.Certificate], anchors: TrustAnchors) -> x509.Certificate | None:
    for candidate in (*chain[1:], *anchors.certificates) if chain else ():
        try:
            chain[0].verify_directly_issued_by(candidate)
        except (InvalidSignature, *MALFORMED):
            continue
        return candidate
    return None


def _responder(leaf: x509.Certificate) -> str | None:
    """The address of the responder that the certificate names."""
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *MALFORMED):
        return None
    for description in access:
        location = description.access_location
        wanted = description.access_method == AuthorityInformationAccessOID.OCSP
        if wanted and isinstance(location, x509.UniformResourceIdentifier):
            return str(location.value)
    return None
