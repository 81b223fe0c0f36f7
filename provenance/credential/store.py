"""A manifest store without c2pa-rs: is it sound, and who signed it? Pure.

c2pa-python gives no access to the certificates, and they are needed to judge the signer a second
time. This reads JUMBF boxes (ISO/IEC 19566-5) and the COSE_Sign1 in a claim signature box (RFC
9052, C2PA 2.2 section 13.2).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import cbor2
from cryptography import x509

from provenance.credential.cbor import is_well_formed
from provenance.keys.chain import MALFORMED

X5CHAIN = (33, "x5chain")  # COSE header parameter, RFC 9360, and its name before that
COSE_SIGN1_HEADS = (0xD2, 0x84)  # first byte: tag 18, or the bare array of four
UUID_BYTES = 16
LABEL_PRESENT = 0x03  # toggles of a JUMBF description box: requestable, with a label
MAX_CERTIFICATES = 8
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_SIGNATURE_BYTES = 1024 * 1024  # our own take 12 KB, time stamps and OCSP answers included
MAX_STORE_BYTES = 32 * 1024 * 1024  # with ingredients and their thumbnails a few MB are usual
MAX_BOXES = 20_000  # a manifest has about 30
MAX_NESTING = 8  # store, manifest, assertion store, assertion, content
COMPRESSED = b"brob"  # a box of Brotli data: what it grows to cannot be told beforehand


class _Box(NamedTuple):
    kind: bytes
    start: int  # of the content
    end: int


def unsound(store: bytes) -> str | None:
    """Why a store is not to be given to any decoder, in words; None when it is sound.

    Sound is a store of at most MAX_STORE_BYTES whose boxes fill one another exactly, in which
    nothing is compressed, and whose CBOR announces no more than is there.
    """
    if len(store) > MAX_STORE_BYTES:
        return f"it is larger than {MAX_STORE_BYTES} bytes"
    budget = MAX_BOXES
    waiting = [(0, len(store), 0)]
    while waiting:
        start, end, depth = waiting.pop()
        filled = start
        for box in _boxes(store, start, end):
            filled = box.end
            budget -= 1
            if budget < 0 or depth > MAX_NESTING:
                return "it holds too many boxes"
            if box.kind == COMPRESSED:
                return "it is compressed, which is not read"
            if box.kind == b"jumb":
                waiting.append((box.start, box.end, depth + 1))
            elif box.kind == b"cbor" and not _sound_cbor(store[box.start : box.end]):
                return "its CBOR is malformed"
        if filled != end or start == end:
            return "its boxes do not fit into one another"
    return None


def _sound_cbor(content: bytes) -> bool:
    if not is_well_formed(content):
        return False
    if content[0] not in COSE_SIGN1_HEADS:
        return True
    protected = _sign1(content).protected
    return protected is None or not protected or is_well_formed(protected)


class _Sign1(NamedTuple):
    """The headers of a COSE_Sign1; None and empty where it is none."""

    protected: bytes | None
    unprotected: Mapping[object, object]


def _sign1(cose: bytes) -> _Sign1:
    try:
        decoded = cbor2.loads(cose)
    except cbor2.CBORDecodeError:
        return _Sign1(None, {})
    fields = decoded.value if isinstance(decoded, cbor2.CBORTag) else decoded
    if not isinstance(fields, list | tuple) or len(fields) != 4 or not isinstance(fields[0], bytes):
        return _Sign1(None, {})
    return _Sign1(fields[0], fields[1] if isinstance(fields[1], Mapping) else {})


def claim_chain(store: bytes, manifest_label: str) -> tuple[x509.Certificate, ...]:
    """The certificates that signed the claim of one manifest, the leaf first.

    Empty when the store is malformed, the manifest is not there, is there twice (readers could
    disagree on which is meant), or is compressed.
    """
    manifests = [
        manifest
        for outer in _boxes(store, 0, len(store))
        for manifest in _children(store, outer)
        if _label(store, manifest) == manifest_label
    ]
    if len(manifests) != 1:
        return ()
    signatures = [
        box for box in _children(store, manifests[0]) if _label(store, box) == "c2pa.signature"
    ]
    if len(signatures) != 1:
        return ()
    content = [box for box in _boxes_within(store, signatures[0]) if box.kind == b"cbor"]
    if len(content) != 1 or content[0].end - content[0].start > MAX_SIGNATURE_BYTES:
        return ()
    return _chain_of(store[content[0].start : content[0].end])


def _chain_of(cose: bytes) -> tuple[x509.Certificate, ...]:
    headers = _sign1(cose)
    try:
        protected = cbor2.loads(headers.protected) if headers.protected else {}
    except cbor2.CBORDecodeError:
        return ()
    if not isinstance(protected, Mapping):
        return ()
    # Claims before C2PA 2 may have it unprotected or by name. With two, readers could disagree.
    chains = [
        header[label]
        for header in (protected, headers.unprotected)
        for label in X5CHAIN
        if label in header
    ]
    if len(chains) != 1:
        return ()
    certificates = chains[0] if isinstance(chains[0], list | tuple) else chains
    if len(certificates) > MAX_CERTIFICATES:
        return ()
    try:
        return tuple(_certificate(der) for der in certificates)
    except MALFORMED:
        return ()


def _certificate(der: object) -> x509.Certificate:
    """A certificate that parses to its last field: pyca/cryptography puts most of that off."""
    if not isinstance(der, bytes) or len(der) > MAX_CERTIFICATE_BYTES:
        raise ValueError("not a certificate")
    certificate = x509.load_der_x509_certificate(der)
    _ = certificate.serial_number, certificate.subject, certificate.issuer, certificate.extensions
    return certificate


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    """Boxes between two offsets, as far as they are well formed."""
    while start + 8 <= end:
        length, header = int.from_bytes(data[start : start + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif length == 0:
            length = end - start
        if length < header or start + length > end:
            return
        yield _Box(data[start + 4 : start + 8], start + header, start + length)
        start += length


def _boxes_within(data: bytes, box: _Box) -> Iterator[_Box]:
    return _boxes(data, box.start, box.end)


def _children(data: bytes, superbox: _Box) -> Iterator[_Box]:
    """The superboxes inside a superbox."""
    return (box for box in _boxes_within(data, superbox) if box.kind == b"jumb")


def _label(data: bytes, superbox: _Box) -> str | None:
    """The label in a superbox's description box."""
    description = next(_boxes_within(data, superbox), None)
    if description is None or description.kind != b"jumd":
        return None
    toggles_at = description.start + UUID_BYTES
    if toggles_at >= description.end or data[toggles_at] & LABEL_PRESENT != LABEL_PRESENT:
        return None
    end = data.find(b"\0", toggles_at + 1, description.end)
    return data[toggles_at + 1 : end].decode("utf-8", "replace") if end >= 0 else None
