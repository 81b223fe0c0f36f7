"""The key that signs checkpoints: an Ed25519 private key in a file, its public half beside it.

``ledger.key`` holds the private key (PEM, PKCS #8, mode 0600); ``ledger.pub`` beside it holds the
verifier key, one line ``name+hash+base64``, which is what an auditor needs and may have. The name
is the ledger's origin and is fixed when the key is made.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.errors import LedgerKeyInvalid, ProofInvalid
from provenance.ledger import note as notes
from provenance.ledger.checkpoint import Checkpoint, checkpoint_text
from provenance.ledger.note import Signature, VerifierKey

_PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """An Ed25519 key and the name under which it signs, which is the origin of the ledger."""

    private: Ed25519PrivateKey
    public: VerifierKey

    @property
    def verifier(self) -> str:
        """The public half as text, ``name+hash+base64``: for auditors, witnesses and reports."""
        return str(self.public)

    @classmethod
    def generate(cls, origin: str | None = None) -> "LedgerKey":
        """A new key. ``origin`` names the ledger: a URL without scheme, no spaces, no plus.

        Without one, a name is drawn that no other ledger has.
        """
        name = origin or f"wardmark.local/{secrets.token_hex(4)}"
        if not notes.is_key_name(name):
            raise LedgerKeyInvalid(
                f"{name!r} cannot name a ledger; use a URL without scheme, such as example.com/log."
            )
        private = Ed25519PrivateKey.generate()
        return cls(private, VerifierKey(name, private.public_key().public_bytes_raw()))

    @classmethod
    def create(cls, path: Path, origin: str | None = None) -> "LedgerKey":
        """Make a key and write both halves. Never overwrites.

        Raises ``LedgerKeyInvalid`` when a file is there already or cannot be written.
        """
        key = cls.generate(origin)
        write_pair(path, key.private, key.verifier)
        return key

    @classmethod
    def load(cls, path: Path) -> "LedgerKey":
        """Read a key that ``create`` wrote. Raises ``LedgerKeyInvalid`` saying what is wrong."""
        public = load_verifier(verifier_path(path))
        return cls(load_private(path, public.public), public)

    def sign(self, text: str) -> Signature:
        """The line under a note of ``text``."""
        return Signature(self.public.name, self.public.key_id, self.private.sign(text.encode()))

    def sign_checkpoint(
        self, size: int, root: bytes, successor: "LedgerKey | None" = None
    ) -> Checkpoint:
        """The signed head of a tree of ``size`` entries with ``root`` (32 bytes).

        ``successor``: the key that signs from then on, and signs this one too.
        """
        name = self.public.name
        text = checkpoint_text(name, size, root)
        signatures = [key.sign(text) for key in (self, successor) if key is not None]
        note = notes.render(text, tuple(signatures))
        return Checkpoint(origin=name, size=size, root=root.hex(), note=note)


def verifier_path(path: Path) -> Path:
    """Where the public half of the key at ``path`` lies."""
    return path.with_suffix(".pub")


def load_verifier(path: Path) -> VerifierKey:
    """Read a verifier key file. Raises ``LedgerKeyInvalid``."""
    try:
        return VerifierKey.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerKeyInvalid(f"The verifier key {path} cannot be read: {error}.") from error
    except ProofInvalid as error:
        raise LedgerKeyInvalid(f"{path}: {error}") from error


def write_pair(path: Path, private: Ed25519PrivateKey, verifier: str) -> None:
    """Write a private key and, beside it, ``verifier``, its public half. Never overwrites."""
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_secret(path, pem)
    try:
        verifier_path(path).write_text(f"{verifier}\n", encoding="utf-8")
    except OSError as error:
        path.unlink()  # a key without its public half could not be loaded
        raise LedgerKeyInvalid(f"{verifier_path(path)} cannot be written: {error}.") from error


def load_private(path: Path, public: bytes) -> Ed25519PrivateKey:
    """Read a private key whose public half is ``public``. Raises ``LedgerKeyInvalid``."""
    try:
        private = serialization.load_pem_private_key(read_secret(path), password=None)
    except ValueError as error:
        raise LedgerKeyInvalid(f"{path} is not a PEM private key; restore it.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise LedgerKeyInvalid(f"{path} is not an Ed25519 key; restore the one that belongs here.")
    if private.public_key().public_bytes_raw() != public:
        raise LedgerKeyInvalid(f"{path} and {verifier_path(path)} are not halves of one key.")
    return private


def write_secret(path: Path, content: bytes) -> None:
    """Write ``content`` to a new file that only its owner can read. Never overwrites."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise LedgerKeyInvalid(f"{path} is there already; a key is never overwritten.") from None
    except OSError as error:
        raise LedgerKeyInvalid(f"The key {path} cannot be written: {error}.") from error


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner may read. Raises ``LedgerKeyInvalid``."""
    try:
        if path.stat().st_mode & 0o077:
            raise LedgerKeyInvalid(f"Others can read {path}; run: chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise LedgerKeyInvalid(f"The key {path} cannot be read: {error}.") from error
