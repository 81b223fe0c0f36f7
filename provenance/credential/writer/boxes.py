"""The boxes of a manifest store, built from the inside out. Pure.

Sources: JUMBF (ISO/IEC 19566-5, clauses 4 and 5, annex B), C2PA 2.2, chapters 8 (URIs), 10 (claims)
and 11 (manifests).
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import cbor2

_SUFFIX = bytes.fromhex("00110010800000AA00389B71")  # of every type that begins with four letters
_EMBEDDED_FILE = bytes.fromhex("40CB0C32BB8A489DA70B2AD6F47F4369")
_REQUESTABLE_WITH_LABEL = b"\x03"
_NOT_EXTERNAL = b"\x00"

ASSERTIONS = "c2pa.assertions"
SIGNATURE = "c2pa.signature"
CLAIM = "c2pa.claim.v2"


class HashedUri(NamedTuple):
    """A reference to a box, by its place and SHA-256."""

    url: str
    hash: bytes


def box(kind: bytes, content: bytes) -> bytes:
    """A plain box. ``kind``: four bytes."""
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def _superbox(uuid: bytes, label: str, *children: bytes) -> bytes:
    description = uuid + _REQUESTABLE_WITH_LABEL + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", description) + b"".join(children))


def _typed(kind: bytes, label: str, *children: bytes) -> bytes:
    return _superbox(kind + _SUFFIX, label, *children)


class Assertion(NamedTuple):
    """A labelled assertion as a box."""

    label: str
    data: bytes

    @classmethod
    def cbor(cls, label: str, value: object) -> "Assertion":
        """An assertion that is a CBOR map."""
        return cls(label, _typed(b"cbor", label, box(b"cbor", cbor2.dumps(value))))

    @classmethod
    def file(cls, label: str, media_type: str, content: bytes) -> "Assertion":
        """An assertion that is a file, such as a thumbnail."""
        described = box(b"bfdb", _NOT_EXTERNAL + media_type.encode() + b"\0")
        return cls(label, _superbox(_EMBEDDED_FILE, label, described, box(b"bidb", content)))

    @property
    def uri(self) -> HashedUri:
        """How the claim of the same manifest names it."""
        return HashedUri(f"self#jumbf={ASSERTIONS}/{self.label}", content_hash(self.data))


def content_hash(superbox: bytes) -> bytes:
    """SHA-256 of what is inside a superbox, which is how C2PA hashes one (section 8.4.2.3)."""
    return hashlib.sha256(memoryview(superbox)[8:]).digest()


def manifest(label: str, assertions: Sequence[Assertion], claim: bytes, signature: bytes) -> bytes:
    """A manifest of ``claim`` (CBOR) and ``signature`` (COSE)."""
    return _typed(
        b"c2ma",
        label,
        _typed(b"c2as", ASSERTIONS, *(assertion.data for assertion in assertions)),
        _typed(b"c2cl", CLAIM, box(b"cbor", claim)),
        _typed(b"c2cs", SIGNATURE, box(b"cbor", signature)),
    )


def store(manifests: Sequence[bytes]) -> bytes:
    """A manifest store; the last manifest is the active one."""
    return _typed(b"c2pa", "c2pa", *manifests)
