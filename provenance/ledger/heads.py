"""The signed heads of a stored ledger."""

from sqlalchemy import Connection, select

from provenance.errors import LedgerCorrupt, LedgerEntryNotFound, ProofInvalid
from provenance.ledger import tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.note import VerifierKey

_c = tables.checkpoint.c


def last_note(connection: Connection) -> str | None:
    """The last checkpoint as it is stored, unchecked; None while the ledger is empty."""
    return connection.execute(select(_c.note).order_by(_c.size.desc()).limit(1)).scalar()


def some_head(connection: Connection, verifier: VerifierKey) -> Checkpoint:
    """The last checkpoint. Raises ``LedgerEntryNotFound`` while the ledger is empty."""
    note = last_note(connection)
    if note is None:
        raise LedgerEntryNotFound("The ledger is empty: nothing is signed yet.")
    return believed(note, verifier)


def head_at(connection: Connection, verifier: VerifierKey, size: int) -> Checkpoint:
    """The checkpoint of ``size`` entries. Raises ``LedgerEntryNotFound`` if none was signed."""
    note = connection.execute(select(_c.note).where(_c.size == size)).scalar()
    if note is None:
        raise LedgerEntryNotFound(f"No checkpoint was signed at {size} entries.")
    return believed(note, verifier)


def believed(note: str, verifier: VerifierKey) -> Checkpoint:
    """A stored checkpoint, once its signature was checked. Raises ``LedgerCorrupt``."""
    try:
        return Checkpoint.verified(note, verifier)
    except ProofInvalid as error:
        raise LedgerCorrupt(f"A checkpoint is not signed by {verifier}: {error}") from error
