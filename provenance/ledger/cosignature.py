"""Cosignatures (C2SP tlog-cosignature, Ed25519): a witness's word for a checkpoint.

A cosignature says: at this time, the longest history of this ledger that I have seen had this many
entries and this root. It covers the checkpoint's text, not the ledger's own signature.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provenance.errors import LedgerKeyInvalid, ProofInvalid
from provenance.ledger import note as notes
from provenance.ledger.key import load_private, write_pair
from provenance.ledger.note import COSIGNATURE_V1, Note, Signature

TIMESTAMP_BYTES = 8
SIGNATURE_BYTES = 64
_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())  # what a datetime can hold


class Cosignature(NamedTuple):
    """``time``: POSIX seconds at which ``witness`` signed."""

    witness: "WitnessVerifier"
    time: int
    signature: bytes

    @property
    def at(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def line(self) -> Signature:
        """As it stands in a note."""
        blob = self.time.to_bytes(TIMESTAMP_BYTES, "big") + self.signature
        return Signature(self.witness.name, self.witness.key_id, blob)


@dataclass(frozen=True, slots=True)
class WitnessVerifier:
    """The public key of a witness with its name, written ``name+hash+base64`` (type 0x04)."""

    name: str
    public: bytes

    def __str__(self) -> str:
        return notes.write_key(self.name, self.public, COSIGNATURE_V1)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key."""
        return notes.key_id(self.name, self.public, COSIGNATURE_V1)

    @classmethod
    def parse(cls, text: str) -> "WitnessVerifier":
        """Reads ``name+hash+base64``. Raises ``ProofInvalid`` when it is no key of a witness."""
        return cls(*notes.read_key(text, COSIGNATURE_V1))

    @classmethod
    def load(cls, path: Path) -> "WitnessVerifier":
        """Reads a file that holds the key. Raises ``LedgerKeyInvalid``."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerKeyInvalid(f"The witness's key {path} cannot be read: {error}.") from error
        except ProofInvalid as error:
            raise LedgerKeyInvalid(f"{path}: {error}") from error

    def find(self, note: Note) -> Cosignature | None:
        """This witness's latest cosignature on ``note``; None when it has none.

        Raises ``ProofInvalid`` when a line that names this key does not fit the note's text.
        """
        own_id = self.key_id
        found = [
            self._read(line, note.text)
            for line in note.signatures
            if line.name == self.name and line.key_id == own_id
        ]
        return max(found, key=lambda cosignature: cosignature.time, default=None)

    def _read(self, line: Signature, text: str) -> Cosignature:
        if len(line.signature) != TIMESTAMP_BYTES + SIGNATURE_BYTES:
            raise ProofInvalid(f"The cosignature of {self.name} has a wrong length.")
        time = int.from_bytes(line.signature[:TIMESTAMP_BYTES], "big")
        return self.check(text, time, line.signature[TIMESTAMP_BYTES:])

    def check(self, text: str, time: int, signature: bytes) -> Cosignature:
        """The cosignature of a checkpoint's ``text`` at ``time``. Raises ``ProofInvalid``."""
        if not 0 <= time < _LATEST:
            raise ProofInvalid(f"The cosignature of {self.name} has a time that cannot be.")
        try:
            public = Ed25519PublicKey.from_public_bytes(self.public)
            public.verify(signature, _message(time, text))
        except InvalidSignature:
            raise ProofInvalid(f"The cosignature of {self.name} does not fit the note.") from None
        return Cosignature(self, time, signature)


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The private key of a witness. It signs nothing but cosignatures."""

    private: Ed25519PrivateKey
    public: WitnessVerifier

    @classmethod
    def generate(cls, name: str) -> "WitnessKey":
        """A new key. ``name``: a URL without scheme, no spaces, no plus."""
        if not notes.is_key_name(name):
            raise LedgerKeyInvalid(
                f"{name!r} cannot name a witness; use a URL without scheme: example.com/witness"
            )
        private = Ed25519PrivateKey.generate()
        return cls(private, WitnessVerifier(name, private.public_key().public_bytes_raw()))

    @classmethod
    def create(cls, path: Path, name: str) -> "WitnessKey":
        """Make a key and write both halves. Never overwrites. Raises ``LedgerKeyInvalid``."""
        key = cls.generate(name)
        write_pair(path, key.private, str(key.public))
        return key

    @classmethod
    def load(cls, path: Path) -> "WitnessKey":
        """Read a key that ``create`` wrote. Raises ``LedgerKeyInvalid``."""
        public = WitnessVerifier.load(path.with_suffix(".pub"))
        return cls(load_private(path, public.public), public)

    def cosign(self, text: str, time: int) -> Cosignature:
        """Sign a checkpoint's ``text`` as seen at ``time`` (POSIX seconds)."""
        return Cosignature(self.public, time, self.private.sign(_message(time, text)))


def _message(time: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
