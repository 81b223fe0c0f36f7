"""Sealing: a person's data as it stands in a leaf, readable only while its key exists.

A sealed body has this form; the parts of the event that name nobody may stand beside it.

    {"subject": pseudonym, "sealed": {"v": 1, "key": id of the key, "nonce": 24 hex digits,
                                      "ciphertext": base64,
                                      "commitment": 64 hex digits}}

``ciphertext`` is AES-256-GCM of salt and canonical JSON. ``commitment`` is HMAC-SHA-256 of that
JSON under the same salt, 32 random bytes that stand nowhere else: with the salt, one event can be
shown to an auditor without the key of the person (``discloses``), and once the key is destroyed the
salt is gone with it, so that not even a guess of the data can be tested against the leaf. Pure.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, ValidationError

from policies.decision import Frozen
from provenance.errors import EventInvalid, LedgerCorrupt
from provenance.ledger.event import Json, canonical

KEY_BYTES = 32  # AES-256
SALT_BYTES = 32  # as many as the commitment's, so that it hides whatever was committed to
NONCE_BYTES = 12  # NIST SP 800-38D; a key seals for one person on one day, far below 2**32 times
BLOCK_BYTES = 64  # plain text is filled up to a multiple, so that "yes" and "no" look the same
_COMMITMENT = b"wardmark-sealed/1\x00"
_SUBJECT = b"subject\x00"


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A key of one subject. ``id``: 32 hex digits, stands in the leaf; ``secret``: 32 bytes."""

    id: str
    subject: str
    secret: bytes

    @classmethod
    def generate(cls, subject: str) -> "SubjectKey":
        """A new key of the subject with this pseudonym."""
        return cls(secrets.token_hex(16), subject, secrets.token_bytes(KEY_BYTES))

    def __repr__(self) -> str:
        return f"SubjectKey(id={self.id!r})"  # a secret must not come into a log by accident


class SealedText(Frozen):
    """What stands under ``sealed`` in a body."""

    v: Literal[1] = 1
    key: str = Field(pattern="^[0-9a-f]{32}$")
    nonce: str = Field(pattern="^[0-9a-f]{24}$")
    ciphertext: str
    commitment: str = Field(pattern="^[0-9a-f]{64}$")


class Sealed(Frozen):
    """The sealed part of a body. ``subject``: the pseudonym, 64 hex digits."""

    subject: str = Field(pattern="^[0-9a-f]{64}$")
    sealed: SealedText

    def body(self) -> dict[str, Json]:
        """As it goes into an event."""
        return self.model_dump()

    @classmethod
    def of(cls, body: Mapping[str, Json]) -> "Sealed | None":
        """The sealed part of ``body``, or None where nothing is sealed.

        Raises ``LedgerCorrupt`` for something else under that name.
        """
        if "sealed" not in body:
            return None
        try:
            return cls.model_validate({"subject": body.get("subject"), "sealed": body["sealed"]})
        except ValidationError as error:
            raise LedgerCorrupt(
                "What stands as sealed in this body is not of that form."
            ) from error


@dataclass(frozen=True, slots=True)
class Opened:
    """What was sealed. ``salt`` (32 bytes) proves to others that the leaf commits to ``plain``."""

    plain: dict[str, Any]
    salt: bytes


def pseudonym(secret: bytes, subject_id: str) -> str:
    """64 hex digits that stand for a subject: equal for equal ids under one secret, else opaque.

    The id is taken as it is, so normalise it before when two spellings mean the same person.
    Data sets use the same pseudonyms in their rows.
    """
    if not subject_id:
        raise EventInvalid("A subject's id is not empty.")
    message = _SUBJECT + subject_id.encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, "sha256").hex()


def seal(key: SubjectKey, plain: Mapping[str, Json]) -> Sealed:
    """Seal ``plain`` (JSON) under ``key``. Raises ``EventInvalid`` for what JSON cannot hold."""
    text = canonical(dict(plain))
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    commitment = _commit(salt, text)
    filled = text.ljust(-(-len(text) // BLOCK_BYTES) * BLOCK_BYTES)  # blanks, which JSON ignores
    bound = _bound(key.subject, key.id, commitment)
    hidden = AESGCM(key.secret).encrypt(nonce, salt + filled, bound)
    written = base64.b64encode(hidden).decode()
    sealed = SealedText(key=key.id, nonce=nonce.hex(), ciphertext=written, commitment=commitment)
    return Sealed(subject=key.subject, sealed=sealed)


def open_sealed(key: SubjectKey, sealed: Sealed) -> Opened:
    """What was sealed. Raises ``LedgerCorrupt`` where the key does not fit or a byte changed."""
    inner = sealed.sealed
    try:
        shown = AESGCM(key.secret).decrypt(
            bytes.fromhex(inner.nonce),
            base64.b64decode(inner.ciphertext, validate=True),
            _bound(sealed.subject, inner.key, inner.commitment),
        )
    except (InvalidTag, ValueError) as error:
        raise LedgerCorrupt(
            f"What was sealed with the key {inner.key} cannot be opened with it: one of the two "
            "was changed. Run: wardmark ledger verify"
        ) from error
    salt, text = shown[:SALT_BYTES], shown[SALT_BYTES:].rstrip(b" ")
    if not hmac.compare_digest(_commit(salt, text), inner.commitment):
        raise LedgerCorrupt("The sealed text is not the one that its leaf commits to.")
    return Opened(orjson.loads(text), salt)


def seal_bytes(key: SubjectKey, plain: bytes) -> bytes:
    """Seal what stands elsewhere than in a leaf: nonce and AES-256-GCM of ``plain``."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key.secret).encrypt(nonce, plain, f"{key.subject} {key.id}".encode())


def open_bytes(key: SubjectKey, sealed: bytes) -> bytes:
    """What ``seal_bytes`` sealed. Raises ``LedgerCorrupt`` for another key or a changed byte."""
    nonce, hidden = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(key.secret).decrypt(nonce, hidden, f"{key.subject} {key.id}".encode())
    except (InvalidTag, ValueError) as error:
        raise LedgerCorrupt(
            f"What was sealed with the key {key.id} cannot be opened with it: one of the two was "
            "changed."
        ) from error


def discloses(sealed: Sealed, plain: Mapping[str, Json], salt: bytes) -> bool:
    """Whether the leaf commits to exactly ``plain``: what an auditor asks who was given both."""
    return hmac.compare_digest(_commit(salt, canonical(dict(plain))), sealed.sealed.commitment)


def _commit(salt: bytes, text: bytes) -> str:
    return hmac.digest(salt, _COMMITMENT + text, "sha256").hex()


def _bound(subject: str, key_id: str, commitment: str) -> bytes:
    """What GCM authenticates beside the text, so that no part moves to another leaf alone."""
    return f"{subject} {key_id} {commitment}".encode()
