"""What a job holds is sealed at rest: prompts and pictures stand in no database in clear."""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from provenance.errors import LedgerCorrupt

NONCE_BYTES = 12  # NIST SP 800-38D; two seals for each job, far below 2**32 of one key
_SEAL = b"wardmark-job/1\x00seal"
_NAME = b"wardmark-job/1\x00name"


class Seal:
    """Seals and names under keys that follow from the home's ``commitment.key``.

    Hosts that share a database share that key, so that each can take over the jobs of another.
    """

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, _SEAL, "sha256"))
        self._naming = hmac.digest(secret, _NAME, "sha256")

    def seal(self, plain: bytes, place: str) -> bytes:
        """``place``: what it is of; it opens nowhere else."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Raises LedgerCorrupt for what was changed, or sealed under another key."""
        nonce, hidden = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, hidden, place.encode())
        except InvalidTag as error:
            raise LedgerCorrupt(
                f"what is kept of {place} does not open with this home's commitment.key: it was"
                " changed, or sealed by a host with another key; give all hosts of a database one"
            ) from error

    def name(self, *parts: bytes) -> str:
        """64 hexadecimal digits that stand for ``parts`` and tell nothing of them."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._naming, framed, "sha256").hex()
