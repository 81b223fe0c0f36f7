"""Checkpoints (C2SP tlog-checkpoint): the signed head of the tree.

The text of the note is three lines: origin, number of entries, root in base64. The origin is the
name of the ledger's key, so a checkpoint of another ledger never passes for ours.
"""

import base64
import re

from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import note as notes
from provenance.ledger.merkle import HASH_BYTES
from provenance.ledger.note import Note, Verifier

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")  # no leading zero; below 2**63


class Checkpoint(Frozen):
    """Head of the tree at ``size`` entries. ``root`` is 64 hex digits; ``note`` the signed text."""

    origin: str
    size: int
    root: str
    note: str

    @classmethod
    def parse(cls, note: str) -> "Checkpoint":
        """Read a note without believing it: signatures are not checked here."""
        return cls._of(notes.parse(note), note)

    @classmethod
    def verified(cls, note: str, verifier: Verifier) -> "Checkpoint":
        """Read a note and check that ``verifier`` signed it. Raises ``ProofInvalid``."""
        parsed = notes.parse(note)
        checkpoint = cls._of(parsed, note)
        verifier.check(parsed)
        if checkpoint.origin != verifier.name:
            raise ProofInvalid(
                f"The checkpoint is of the ledger {checkpoint.origin}, not of {verifier.name}."
            )
        return checkpoint

    @classmethod
    def _of(cls, parsed: Note, note: str) -> "Checkpoint":
        origin, size, root = _first_lines(parsed)
        digest = notes.decode_base64(root, "The root in the checkpoint")
        if len(digest) != HASH_BYTES:
            raise ProofInvalid("The root in the checkpoint is not a SHA-256 hash.")
        return cls(origin=origin, size=size, root=digest.hex(), note=note)

    @staticmethod
    def size_in(note: Note) -> int:
        """The size that a checkpoint states. Raises ``ProofInvalid`` for another note."""
        return _first_lines(note)[1]


def _first_lines(note: Note) -> tuple[str, int, str]:
    lines = note.text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):  # three lines and the end of the last
        raise ProofInvalid("A checkpoint has three lines: origin, size, root.")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise ProofInvalid("The size in the checkpoint is not a decimal number.")
    return origin, int(size), root


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text that a ledger signs."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
