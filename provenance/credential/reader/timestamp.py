"""When was a claim signed? RFC 3161 time stamp tokens, checked without c2pa-rs. Pure.

A token is a CMS SignedData (RFC 5652) over a TSTInfo. It proves that the signature existed at its
time, if the time stamping authority's chain ends at an anchor for time stamps, the certificate was
valid then, and the imprint is of this very signature (C2PA 2.2, section 14.2).
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from provenance.credential.cbor import Malformed
from provenance.credential.reader.cose import (
    MAX_CERTIFICATES,
    ClaimSignature,
    TimeStampToken,
    cbor_string,
    certificate,
    sig_structure,
)
from provenance.credential.reader.der import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    NotDer,
    Value,
    children,
    content,
    first,
    oid,
    values,
)
from provenance.keys.chain import MALFORMED, check_time_stamping_chain
from provenance.keys.trust import TrustAnchors

SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
RSA_PSS = "1.2.840.113549.1.1.10"
DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
CONTEXT_0 = 0xA0  # [0], constructed
SUBJECT_KEY = 0x80  # [0] implicit: a signer named by its key's identifier
MAX_TOKEN_BYTES = 64 * 1024


@dataclass(frozen=True)
class TimeStamp:
    """``problem``: None where the token holds and its authority is trusted, else why not."""

    moment: datetime
    authority: str | None
    problem: str | None = None


@dataclass(frozen=True)
class _Signer:
    """One SignerInfo, taken apart. ``signed``: what its signature is over."""

    certificate: x509.Certificate
    attributes: dict[str, Value]
    signed: bytes
    digest: hashes.HashAlgorithm
    signature_algorithm: str
    signature: bytes


def best_time_stamp(
    signature: ClaimSignature, claim: bytes, anchors: TrustAnchors
) -> TimeStamp | None:
    """The first time stamp that holds, else the first that can be read, else None."""
    found = [
        stamp
        for token in signature.time_stamps
        if (stamp := _time_stamp(token, signature, claim, anchors)) is not None
    ]
    return next((stamp for stamp in found if stamp.problem is None), found[0] if found else None)


def _time_stamp(
    token: TimeStampToken, signature: ClaimSignature, claim: bytes, anchors: TrustAnchors
) -> TimeStamp | None:
    # What is stamped: the claim before C2PA 2.1, its signature since.
    over = cbor_string(2, signature.signature) if token.over_signature else claim
    stamped = sig_structure("CounterSignature", signature.protected, over)
    try:
        return read_token(token.token, stamped, anchors)
    except (Malformed, LookupError, *MALFORMED):  # NotDer is a ValueError
        return None


def read_token(token: bytes, stamped: bytes, anchors: TrustAnchors) -> TimeStamp:
    """A token that is to be of the bytes ``stamped``. Raises NotDer where it cannot be read."""
    if len(token) > MAX_TOKEN_BYTES:
        raise NotDer("a token is too long")
    kind, wrapped = children(first(token), SEQUENCE)
    if oid(kind) != SIGNED_DATA:
        raise NotDer("not a signed message")
    fields = children(children(wrapped, CONTEXT_0)[0], SEQUENCE)
    content_type, held = children(fields[2], SEQUENCE)
    if oid(content_type) != TST_INFO:
        raise NotDer("not a time stamp")
    info = content(children(held, CONTEXT_0)[0], OCTET_STRING)
    (held_certificates,) = [field for field in fields if field.tag == CONTEXT_0]
    certificates = _certificates(held_certificates)
    (signer_info,) = children(fields[-1], SET)
    signer = _signer(signer_info, certificates)
    moment, imprint_fits = _moment(info, stamped)
    return TimeStamp(
        moment=moment,
        authority=signer.certificate.subject.rfc4514_string(),
        problem=_problem(signer, certificates, info, imprint_fits, moment, anchors),
    )


def _problem(
    signer: _Signer,
    certificates: list[x509.Certificate],
    info: bytes,
    imprint_fits: bool,
    moment: datetime,
    anchors: TrustAnchors,
) -> str | None:
    if not imprint_fits:
        return "it is of another signature"
    if not _signature_holds(signer, info):
        return "its own signature does not hold"
    others = [c for c in certificates if c != signer.certificate]
    chain = check_time_stamping_chain([signer.certificate, *others], anchors, moment)
    return f"its authority is not trusted ({', '.join(chain.problems)})" if chain.problems else None


def _certificates(field: Value) -> list[x509.Certificate]:
    held = list(values(field.content))
    if len(held) > MAX_CERTIFICATES:
        raise NotDer("too many certificates")
    return [certificate(value.whole) for value in held if value.tag == SEQUENCE]


def _moment(info: bytes, stamped: bytes) -> tuple[datetime, bool]:
    """The time in a TSTInfo, and whether its imprint is of ``stamped``."""
    _version, _policy, imprint, _serial, time, *_rest = children(first(info), SEQUENCE)
    algorithm, digest = children(imprint, SEQUENCE)
    known = DIGESTS.get(oid(children(algorithm, SEQUENCE)[0]))
    made = hashlib.new(known.name, stamped).digest() if known else b""
    fits = bool(made) and hmac.compare_digest(made, content(digest, OCTET_STRING))
    text = content(time, GENERALIZED_TIME).decode("ascii").removesuffix("Z")
    form = "%Y%m%d%H%M%S.%f" if "." in text else "%Y%m%d%H%M%S"
    return datetime.strptime(text, form).replace(tzinfo=UTC), fits


def _signer(info: Value, certificates: list[x509.Certificate]) -> _Signer:
    _version, name, digest, *rest = children(info, SEQUENCE)
    attributes, algorithm, signature = rest[:3]
    held = {}
    for attribute in children(attributes, CONTEXT_0):
        kind, among = children(attribute, SEQUENCE)
        held[oid(kind)] = children(among, SET)[0]
    return _Signer(
        certificate=_named(name, certificates),
        attributes=held,
        signed=bytes([SET]) + attributes.whole[1:],  # RFC 5652, section 5.4
        digest=DIGESTS[oid(children(digest, SEQUENCE)[0])],
        signature_algorithm=oid(children(algorithm, SEQUENCE)[0]),
        signature=content(signature, OCTET_STRING),
    )


def _named(name: Value, certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that a SignerInfo names, by issuer and number or by its key."""
    for held in certificates:
        if name.tag == SEQUENCE:
            issuer, number = children(name, SEQUENCE)
            same_number = int.from_bytes(content(number, INTEGER), "big") == held.serial_number
            if same_number and issuer.whole == held.issuer.public_bytes():
                return held
        elif name.tag == SUBJECT_KEY:
            key = x509.SubjectKeyIdentifier.from_public_key(held.public_key()).digest
            if key == name.content:
                return held
    raise NotDer("the authority's certificate is not in the token")


def _signature_holds(signer: _Signer, info: bytes) -> bool:
    """The attributes are of this TSTInfo, and the authority's key signed them."""
    kind, digest = (signer.attributes.get(name) for name in (CONTENT_TYPE, MESSAGE_DIGEST))
    if kind is None or digest is None or oid(kind) != TST_INFO:
        return False
    if content(digest, OCTET_STRING) != hashlib.new(signer.digest.name, info).digest():
        return False
    key = signer.certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            salted = padding.PSS(padding.MGF1(signer.digest), padding.PSS.AUTO)
            pss = signer.signature_algorithm == RSA_PSS
            form = salted if pss else padding.PKCS1v15()
            key.verify(signer.signature, signer.signed, form, signer.digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signer.signature, signer.signed, ec.ECDSA(signer.digest))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signer.signature, signer.signed)
        else:
            return False
    except (InvalidSignature, *MALFORMED):
        return False
    return True
