"""What a ledger sends to a witness (C2SP tlog-witness, add-checkpoint), and how it is judged.

old 20852014                size of the checkpoint that the witness cosigned last
PlRNCrwHpqhGrup...          consistency proof from there, one hash a line
(empty line)
checkpoint                  the new one, signed by the ledger

Pure: the state of the witness comes as an argument and goes back as a result.
"""

import base64
import re
from collections.abc import Sequence
from typing import NamedTuple

from provenance.errors import (
    LogUntrusted,
    ProofInvalid,
    SubmissionInvalid,
    WitnessElsewhere,
    WitnessRefused,
)
from provenance.ledger import note as notes
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.merkle import EMPTY_ROOT, check_consistency
from provenance.ledger.note import VerifierKey
from provenance.ledger.proof import decode_path

MAX_PATH = 63  # hashes, by the specification
MAX_SUBMISSION_BYTES = 64 << 10  # 63 hashes and a note with a hundred signatures fit well
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Submission(NamedTuple):
    """A checkpoint (a signed note) with the proof that it extends the one of ``old`` entries."""

    old: int
    path: tuple[bytes, ...]
    note: str

    def render(self) -> bytes:
        """As it is sent."""
        lines = [f"old {self.old}", *(base64.b64encode(h).decode() for h in self.path), ""]
        return ("\n".join(lines) + "\n" + self.note).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Submission":
        """Reads what ``render`` wrote. Raises ``SubmissionInvalid``."""
        try:
            head, blank, note = body.decode().partition("\n\n")
            first, *path = head.split("\n")
            old = _OLD.fullmatch(first)
            if not old or not blank or len(path) > MAX_PATH or len(body) > MAX_SUBMISSION_BYTES:
                raise SubmissionInvalid(
                    f"Send a line 'old SIZE', up to {MAX_PATH} hashes, an empty line and a note."
                )
            return cls(int(old[1]), tuple(decode_path(path)), note)
        except (UnicodeDecodeError, ProofInvalid) as error:
            raise SubmissionInvalid(f"This is no checkpoint with its proof: {error}") from error


def judge(submission: Submission, known: str | None, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint that the witness may cosign now, after it cosigned ``known`` (a note).

    ``keys``: those of this ledger, oldest first. Raises ``SubmissionInvalid``, ``LogUntrusted``,
    ``WitnessElsewhere``, ``WitnessRefused``.
    """
    try:
        head = Checkpoint.parse(submission.note)
    except ProofInvalid as error:
        raise SubmissionInvalid(f"This is no checkpoint: {error}") from error
    last = Checkpoint.parse(known) if known else None
    signer = _newest_signer(submission.note, keys)
    if last and signer < _newest_signer(last.note, keys):
        raise LogUntrusted(
            f"{head.origin} has a newer key, and signed with it before; "
            f"a checkpoint by the old key {keys[signer].key_id.hex()} is not cosigned."
        )
    if submission.old > head.size:
        raise SubmissionInvalid(
            f"A checkpoint of {head.size} entries cannot follow one of {submission.old}."
        )
    size, root = (last.size, bytes.fromhex(last.root)) if last else (0, EMPTY_ROOT)
    if submission.old != size:
        raise WitnessElsewhere(
            f"The checkpoint of {head.origin} that was cosigned last has {size} entries.", size
        )
    if head.size == size and bytes.fromhex(head.root) != root:
        raise WitnessElsewhere(
            f"{head.origin} has signed another root at {size} entries: its history forks.", size
        )
    try:
        check_consistency(size, root, head.size, bytes.fromhex(head.root), submission.path)
    except ProofInvalid as error:
        raise WitnessRefused(f"{head.origin} is not what it was: {error}") from error
    return head


def _newest_signer(note: str, keys: Sequence[VerifierKey]) -> int:
    """Index of the newest key that signed. Raises ``LogUntrusted``."""
    parsed, why = notes.parse(note), ProofInvalid("no key is trusted")
    for i in reversed(range(len(keys))):
        try:
            keys[i].check(parsed)
            return i
        except ProofInvalid as error:
            why = error
    raise LogUntrusted(f"No key that is trusted for this ledger signed the checkpoint: {why}")
