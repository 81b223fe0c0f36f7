"""The certificates in a manifest store, read without c2pa-rs. Pure.

c2pa-python gives no access to them, and they are needed to judge the signer a second time. This is
a reader of JUMBF boxes (ISO/IEC 19566-5) and of the COSE_Sign1 in a claim signature box (RFC 9052,
C2PA 2.2 section 13.2); it descends only where it has to.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cbor2
from cryptography import x509

X5CHAIN = 33  # COSE header parameter, RFC 9360
COSE_SIGN1 = 18  # CBOR tag
UUID_BYTES = 16
LABEL_PRESENT = 0x03  # toggles of a JUMBF description box: requestable, with a label
MAX_CERTIFICATES = 8
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_SIGNATURE_BYTES = 1024 * 1024  # our own take 12 KB, time stamps and OCSP answers included


class _Box(NamedTuple):
    kind: bytes
    start: int  # of the content
    end: int


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
    try:
        sign1 = cbor2.loads(cose)
        protected_bytes, unprotected = sign1.value[0], sign1.value[1]
        protected = cbor2.loads(protected_bytes)
        # The header is unprotected in the oldest claims only; then c2pa-rs reads it there as well.
        chain = protected.get(X5CHAIN, unprotected.get(X5CHAIN))
    except (cbor2.CBORDecodeError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return ()  # not a COSE_Sign1
    certificates = chain if isinstance(chain, list | tuple) else [chain]
    if len(certificates) > MAX_CERTIFICATES:
        return ()
    try:
        return tuple(
            x509.load_der_x509_certificate(der)
            for der in certificates
            if len(der) <= MAX_CERTIFICATE_BYTES
        )
    except (TypeError, ValueError):
        return ()


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
