"""COSE_Sign1 over a claim: whose key signed, and does the signature hold? Pure.

Sources: RFC 9052 section 4.4 (what is signed), RFC 9053 (algorithms), RFC 9360 (x5chain), C2PA 2.2
section 13.2 (which algorithms, and where time stamps and OCSP answers stand).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from provenance.credential.cbor import Malformed, Tagged, decode
from provenance.keys.chain import MALFORMED

SIGN1_TAG = 18
ALG, X5CHAIN = 1, (33, "x5chain")  # header parameters; claims before C2PA 2 name the second
TIME_STAMPS = ("sigTst2", "sigTst")
OCSP_ANSWERS = "rVals"
MAX_CERTIFICATES = 8
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_SIGNATURE_BYTES = 1024 * 1024  # our own take 12 KB, time stamps and OCSP answers included
MAX_TOKENS = 4  # time stamps or OCSP answers that are looked at
MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class Algorithm(NamedTuple):
    """``name``: as c2pa-rs spells it. ``digest``: None where the algorithm brings its own."""

    name: str
    digest: hashes.HashAlgorithm | None


# C2PA 2.2, section 13.2.1, by the numbers of the COSE registry.
ALGORITHMS: dict[object, Algorithm] = {
    -7: Algorithm("es256", hashes.SHA256()),
    -35: Algorithm("es384", hashes.SHA384()),
    -36: Algorithm("es512", hashes.SHA512()),
    -37: Algorithm("ps256", hashes.SHA256()),
    -38: Algorithm("ps384", hashes.SHA384()),
    -39: Algorithm("ps512", hashes.SHA512()),
    -8: Algorithm("ed25519", None),
}


class TimeStampToken(NamedTuple):
    """A time stamp as it stands in the header. ``over_signature``: it is made over the signature
    (``sigTst2``) and not over the claim (``sigTst``, before C2PA 2.1)."""

    token: bytes
    over_signature: bool


@dataclass(frozen=True)
class ClaimSignature:
    """``chain``: the leaf first; empty where it is not told apart or does not parse.
    ``algorithm``: None where C2PA does not allow it."""

    protected: bytes
    signature: bytes
    algorithm: Algorithm | None
    chain: tuple[x509.Certificate, ...]
    time_stamps: tuple[TimeStampToken, ...] = ()
    ocsp_answers: tuple[bytes, ...] = ()


def claim_signature(decoded: object) -> ClaimSignature:
    """Out of the CBOR of a signature box. Raises Malformed where that is no COSE_Sign1."""
    fields = decoded.value if isinstance(decoded, Tagged) else decoded
    if isinstance(decoded, Tagged) and decoded.tag != SIGN1_TAG:
        raise Malformed("a signature is of another kind than COSE_Sign1")
    if not isinstance(fields, list) or len(fields) != 4:
        raise Malformed("a signature is not a COSE_Sign1")
    protected, unprotected, payload, signature = fields
    if not isinstance(protected, bytes) or not isinstance(signature, bytes):
        raise Malformed("a signature is not a COSE_Sign1")
    if payload is not None or not isinstance(unprotected, dict):
        raise Malformed("a signature holds a payload of its own, or no headers")
    signed_headers = decode(protected) if protected else {}
    if not isinstance(signed_headers, dict):
        raise Malformed("the signed headers are not a map")
    return ClaimSignature(
        protected=protected,
        signature=signature,
        algorithm=_algorithm(signed_headers.get(ALG)),
        chain=_chain(signed_headers, unprotected),
        time_stamps=tuple(_time_stamps(unprotected))[:MAX_TOKENS],
        ocsp_answers=_ocsp_answers(signed_headers) or _ocsp_answers(unprotected),
    )


def signature_holds(signature: ClaimSignature, claim: bytes) -> bool:
    """Whether the leaf's key signed the bytes of ``claim`` with an algorithm that C2PA allows."""
    if not signature.chain or signature.algorithm is None:
        return False
    name, digest = signature.algorithm
    signed = sig_structure("Signature1", signature.protected, claim)
    try:
        key = signature.chain[0].public_key()
        if name.startswith("es") and isinstance(key, ec.EllipticCurvePublicKey) and digest:
            key.verify(_der_signature(key, signature.signature), signed, ec.ECDSA(digest))
        elif name.startswith("ps") and isinstance(key, rsa.RSAPublicKey) and digest:
            if key.key_size < MIN_RSA_BITS:
                return False
            salted = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
            key.verify(signature.signature, signed, salted, digest)
        elif name == "ed25519" and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature.signature, signed)
        else:
            return False
    except (InvalidSignature, *MALFORMED):
        return False
    return True


def _der_signature(key: ec.EllipticCurvePublicKey, signature: bytes) -> bytes:
    """Two numbers of the curve's width, as pyca/cryptography takes them. Raises InvalidSignature
    for other lengths and for curves that C2PA does not allow."""
    width = (key.curve.key_size + 7) // 8
    if not isinstance(key.curve, CURVES) or len(signature) != 2 * width:
        raise InvalidSignature
    r, s = (int.from_bytes(part, "big") for part in (signature[:width], signature[width:]))
    return encode_dss_signature(r, s)


def sig_structure(context: str, protected: bytes, payload: bytes) -> bytes:
    """What is signed: CBOR of [context, protected headers, no further data, payload]."""
    return (
        b"\x84"
        + cbor_string(3, context.encode())
        + b"".join(cbor_string(2, part) for part in (protected, b"", payload))
    )


def cbor_string(major: int, content: bytes) -> bytes:
    """A CBOR byte (2) or text (3) string with the shortest head."""
    length = len(content)
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if length < 24:
            return bytes([major << 5 | length]) + content
        if length < 1 << (8 * width):
            return bytes([major << 5 | info]) + length.to_bytes(width, "big") + content
    raise Malformed("a string is longer than CBOR can say")


def _algorithm(number: object) -> Algorithm | None:
    return ALGORITHMS.get(number) if isinstance(number, int) else None


def _chain(*headers: Mapping[object, object]) -> tuple[x509.Certificate, ...]:
    # Claims before C2PA 2 may have it unprotected or by name. With two, readers could disagree.
    chains = [header[label] for header in headers for label in X5CHAIN if label in header]
    if len(chains) != 1:
        return ()
    certificates = chains[0] if isinstance(chains[0], list) else chains
    if len(certificates) > MAX_CERTIFICATES:
        return ()
    try:
        return tuple(certificate(der) for der in certificates)
    except MALFORMED:
        return ()


def certificate(der: object) -> x509.Certificate:
    """A certificate that parses to its last field: pyca/cryptography puts most of that off.
    Raises one of MALFORMED where it does not."""
    if not isinstance(der, bytes) or len(der) > MAX_CERTIFICATE_BYTES:
        raise ValueError("not a certificate")
    return _parsed(der)


@lru_cache(maxsize=256)  # most credentials that are read are of a few signers
def _parsed(der: bytes) -> x509.Certificate:
    parsed = x509.load_der_x509_certificate(der)
    _ = parsed.serial_number, parsed.subject, parsed.issuer, parsed.extensions
    return parsed


def _time_stamps(headers: Mapping[object, object]) -> Sequence[TimeStampToken]:
    """{"tstTokens": [{"val": bytes}]} under one of two names."""
    found: list[TimeStampToken] = []
    for name in TIME_STAMPS:
        container = headers.get(name)
        tokens = container.get("tstTokens") if isinstance(container, dict) else None
        for item in tokens if isinstance(tokens, list) else []:
            value = item.get("val") if isinstance(item, dict) else None
            if isinstance(value, bytes):
                found.append(TimeStampToken(value, over_signature=name == "sigTst2"))
    return found


def _ocsp_answers(headers: Mapping[object, object]) -> tuple[bytes, ...]:
    """{"ocspVals": [bytes]}"""
    container = headers.get(OCSP_ANSWERS)
    values = container.get("ocspVals") if isinstance(container, dict) else None
    answers = values if isinstance(values, list) else []
    return tuple(answer for answer in answers if isinstance(answer, bytes))[:MAX_TOKENS]
