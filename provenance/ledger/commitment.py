"""Commitments to what must not stand in the ledger: a keyed hash in place of a prompt.

Prompts are short and guessable, so a bare hash of one gives it away. HMAC-SHA-256 under a key
that lies in a file of its own binds the ledger to the text, lets its owner show later which text
was meant, and tells nobody else anything. Destroying the key makes every commitment opaque.
"""

import hmac
import secrets
from pathlib import Path

from provenance.errors import LedgerKeyInvalid
from provenance.ledger.key import read_secret, write_secret

KEY_BYTES = 32
_DOMAIN = b"wardmark-commitment/1\x00"  # so that the key means nothing in another protocol


def commitment(key: bytes, text: str) -> str:
    """64 hex digits that stand for ``text``. ``key`` is the 32 bytes of ``load_commitment_key``.

    The text is taken as it is, so normalise it before when two spellings mean the same.
    """
    if len(key) != KEY_BYTES:
        raise LedgerKeyInvalid(f"A commitment key has {KEY_BYTES} bytes, not {len(key)}.")
    message = _DOMAIN + text.encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256").hex()


def create_commitment_key(path: Path) -> bytes:
    """Make a key and write it (mode 0600, hex). Never overwrites."""
    key = secrets.token_bytes(KEY_BYTES)
    write_secret(path, key.hex().encode() + b"\n")
    return key


def load_commitment_key(path: Path) -> bytes:
    """Read a key that ``create_commitment_key`` wrote. Raises ``LedgerKeyInvalid``."""
    try:
        key = bytes.fromhex(read_secret(path).decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        raise LedgerKeyInvalid(f"{path} is not a commitment key; restore it.") from None
    if len(key) != KEY_BYTES:
        raise LedgerKeyInvalid(f"{path} does not hold {KEY_BYTES} bytes; restore it.")
    return key
