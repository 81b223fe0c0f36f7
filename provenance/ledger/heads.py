"""The signed heads of a stored ledger."""

from sqlalchemy import Connection, select

from provenance.errors import LedgerCorrupt, LedgerEntryNotFound, ProofInvalid
from provenance.ledger import tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.note import VerifierKey

_c = tables.checkpoint.c


def last_head(connection: Connection, verifier: VerifierKey) -> Checkpoint | None:
    """The last checkpoint; None while the ledger is empty. Raises ``LedgerCorrupt``."""
    note = connection.execute(select(_c.note).order_by(_c.size.desc()).limit(1)).scalar()
    return None if note is None else _believed(note, verifier)


def some_head(connection: Connection, verifier: VerifierKey) -> Checkpoint:
    """The last checkpoint. Raises ``LedgerEntryNotFound`` while the ledger is empty."""
    found = last_head(connection, verifier)
    if found is None:
        raise LedgerEntryNotFound("The ledger is empty: nothing is signed yet.")
    return found


def head_at(connection: Connection, verifier: VerifierKey, size: int) -> Checkpoint:
    """The checkpoint of ``size`` entries. Raises ``LedgerEntryNotFound`` if none was signed."""
    note = connection.execute(select(_c.note).where(_c.size == size)).scalar()
    if note is None:
        raise LedgerEntryNotFound(f"No checkpoint was signed at {size} entries.")
    return _believed(note, verifier)


def _believed(note: str, verifier: VerifierKey) -> Checkpoint:
    try:
        return Checkpoint.verified(note, verifier)
    except ProofInvalid as error:
        raise LedgerCorrupt(f"A checkpoint is not signed by {verifier}: {error}") from error
