"""How far a ledger was verified, kept in a file, so that the next verification goes on from there.

The file holds one checkpoint that the ledger's key signed. What stood before it is not read again:
the tiles have to lead to its root, but a row that was changed since then, without its hash, is
found only by a whole verification. So it is for watching a large ledger grow, and for going on
after an interruption; whoever can write the file can spare a ledger its verification.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from policies.decision import Frozen
from provenance.errors import LedgerUnavailable, ProofInvalid
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.note import Verifier
from provenance.picture import write_atomically

FORMAT: Final = "wardmark-verified/1"
MAX_BYTES = 1 << 20


class _State(Frozen):
    format: Literal["wardmark-verified/1"] = FORMAT
    checkpoint: str


def load(path: Path, verifier: Verifier) -> Checkpoint | None:
    """The checkpoint up to which the ledger was verified; None where nothing was noted yet.

    Raises ``ProofInvalid`` for a file that is not ours or of another ledger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return Checkpoint.verified(_State.model_validate_json(content).checkpoint, verifier)
    except (ValidationError, ProofInvalid) as error:
        raise ProofInvalid(
            f"{path} does not say how far this ledger was verified; remove it to begin anew."
        ) from error


def save(path: Path, note: str) -> None:
    """Keep the checkpoint up to which everything fits. Raises ``OutputFailed``."""
    write_atomically(path, _State(checkpoint=note).model_dump_json().encode())
