"""Signed notes (C2SP signed-note): text that carries Ed25519 signatures of named keys.

text, ending in a newline
(empty line)
— key name base64(key id, 4 bytes || signature)      one line for each signature
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from provenance.errors import ProofInvalid

ED25519 = b"\x01"  # signature type identifier of the specification
COSIGNATURE_V1 = b"\x04"  # the same, of timestamped Ed25519 (C2SP tlog-cosignature)
_KINDS = {ED25519: "notes", COSIGNATURE_V1: "cosignatures"}
KEY_ID_BYTES = 4
PUBLIC_KEY_BYTES = 32
MAX_NOTE_BYTES = 1 << 20  # far above what 16 witnesses need, far below what hurts
MAX_SIGNATURES = 100  # as in Go's sumdb/note; the specification asks for at least 16
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all but the newline
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIGNATURE_LINE = "— "  # em dash (U+2014) and a space


class Signature(NamedTuple):
    """One signature line. ``signature`` comes without the key id."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A note taken apart. Nothing in it is to be believed before ``VerifierKey.check``."""

    text: str
    signatures: tuple[Signature, ...]


class Verifier(Protocol):
    """Whoever can tell that a checkpoint was signed: a key, or all keys of a ledger."""

    @property
    def name(self) -> str:
        """The name of the ledger."""
        ...

    def check(self, note: Note) -> None:
        """Raises ``ProofInvalid`` unless the note is signed as it must be."""
        ...


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """First 4 bytes of SHA-256(name, newline, signature type, public key)."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:KEY_ID_BYTES]


def is_key_name(name: str) -> bool:
    """Whether ``name`` may name a key: not empty, no Unicode space, no control, no plus."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name, written ``name+hash+base64`` (C2SP signed-note, Go sumdb)."""

    name: str
    public: bytes

    def __str__(self) -> str:
        return write_key(self.name, self.public, ED25519)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key."""
        return key_id(self.name, self.public)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Reads ``name+hash+base64``. Raises ``ProofInvalid`` when it is not such a key."""
        return cls(*read_key(text, ED25519))

    def check(self, note: Note) -> None:
        """Check this key's signatures on ``note``; lines of other keys are passed over.

        Raises ``ProofInvalid`` when there is none, or when any does not fit the text.
        """
        own_id = self.key_id
        own = [s for s in note.signatures if s.name == self.name and s.key_id == own_id]
        if not own:
            raise ProofInvalid(
                f"The note carries no signature of {self.name} with key {own_id.hex()}."
            )
        for line in own:
            try:
                _verify(self.public, line.signature, note.text)
            except InvalidSignature:
                raise ProofInvalid(
                    f"The signature of {self.name} does not fit the note's text."
                ) from None


@lru_cache(maxsize=64)  # many proofs rest on one checkpoint; only what verified is remembered
def _verify(public: bytes, signature: bytes, text: str) -> None:
    """Check an Ed25519 signature. Raises ``InvalidSignature``."""
    Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())


def write_key(name: str, public: bytes, kind: bytes) -> str:
    """A public key as text, ``name+hash+base64``. ``kind``: its signature type, a byte."""
    material = base64.b64encode(kind + public).decode()
    return f"{name}+{key_id(name, public, kind).hex()}+{material}"


def read_key(text: str, kind: bytes) -> tuple[str, bytes]:
    """Name and public key of ``name+hash+base64``. Raises ``ProofInvalid``."""
    name, _, rest = text.strip().partition("+")
    stated_id, _, encoded = rest.partition("+")
    material = decode_base64(encoded, "The verifier key")
    public = material[1:]
    if material[:1] != kind or len(public) != PUBLIC_KEY_BYTES:
        raise ProofInvalid(
            f"The verifier key is not an Ed25519 key for {_KINDS[kind]}; expected name+hash+base64."
        )
    if not is_key_name(name) or stated_id != key_id(name, public, kind).hex():
        raise ProofInvalid(
            "The verifier key's name and hash do not belong to its key; copy it whole."
        )
    return name, public


def render(text: str, signatures: tuple[Signature, ...]) -> str:
    """The note as it is stored and sent. ``text`` ends in a newline."""
    return f"{text}\n{render_signatures(signatures)}"


def render_signatures(signatures: Iterable[Signature]) -> str:
    """Signature lines alone, each with its newline."""
    return "".join(
        f"{_SIGNATURE_LINE}{s.name} {base64.b64encode(s.key_id + s.signature).decode()}\n"
        for s in signatures
    )


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines alone, as a witness answers. Raises ``ProofInvalid``."""
    if not lines.endswith("\n") or lines.count("\n") > MAX_SIGNATURES:
        raise ProofInvalid("These are no signature lines of a note.")
    return tuple(_signature(line) for line in lines[:-1].split("\n"))


def parse(note: str) -> Note:
    """Take a note apart. Raises ``ProofInvalid`` when it does not follow the specification."""
    if len(note.encode(errors="replace")) > MAX_NOTE_BYTES:
        raise ProofInvalid(f"The note is larger than {MAX_NOTE_BYTES} bytes.")
    if _CONTROL.search(note):
        raise ProofInvalid("The note holds control characters.")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise ProofInvalid("The note has no signature lines after an empty line.")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ProofInvalid(f"The note carries more than {MAX_SIGNATURES} signatures.")
    return Note(head + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_SIGNATURE_LINE).partition(" ")
    if not line.startswith(_SIGNATURE_LINE) or not space or not is_key_name(name):
        raise ProofInvalid("A signature line of the note is malformed.")
    blob = decode_base64(encoded, "A signature of the note")
    if len(blob) <= KEY_ID_BYTES:
        raise ProofInvalid("A signature of the note is too short.")
    return Signature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])


def decode_base64(encoded: str, what: str) -> bytes:
    """The bytes. Raises ``ProofInvalid`` that names ``what`` was to be read."""
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise ProofInvalid(f"{what} is not base64.") from None
