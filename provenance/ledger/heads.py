"""The signed heads of a stored ledger, and the keys that signed them."""

import orjson
from sqlalchemy import Connection, select

from provenance.errors import LedgerCorrupt, LedgerEntryNotFound, ProofInvalid
from provenance.ledger import tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.note import Verifier, VerifierKey
from provenance.ledger.rotation import FIELD, KIND, KeyHistory

_c = tables.checkpoint.c
# Built once: each append runs it, and building it costs as much as running it.
_LAST = select(_c.note).order_by(_c.size.desc()).limit(1)


def last_note(connection: Connection) -> str | None:
    """The last checkpoint as it is stored, unchecked; None while the ledger is empty."""
    return connection.execute(_LAST).scalar()


def keys(connection: Connection, trusted: VerifierKey) -> KeyHistory:
    """All keys of the ledger that follow from trusting one of them."""
    c = tables.event.c
    statements = []
    for seq, body in connection.execute(select(c.seq, c.body).where(c.kind == KIND)):
        statement = _statement(body)
        if statement is not None and f"\n{seq + 1}\n" in statement:  # only in its own place
            statements.append(statement)
    return KeyHistory.of(trusted, statements)


def _statement(body: str) -> str | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # a row that was changed behind our back, which verification names
    statement = found.get(FIELD) if isinstance(found, dict) else None
    return statement if isinstance(statement, str) else None


def some_head(connection: Connection, verifier: VerifierKey) -> Checkpoint:
    """The last checkpoint. Raises ``LedgerEntryNotFound`` while the ledger is empty."""
    note = last_note(connection)
    if note is None:
        raise LedgerEntryNotFound("The ledger is empty: nothing is signed yet.")
    return believed(note, keys(connection, verifier))


def head_at(connection: Connection, verifier: VerifierKey, size: int) -> Checkpoint:
    """The checkpoint of ``size`` entries. Raises ``LedgerEntryNotFound`` if none was signed."""
    note = connection.execute(select(_c.note).where(_c.size == size)).scalar()
    if note is None:
        raise LedgerEntryNotFound(f"No checkpoint was signed at {size} entries.")
    return believed(note, keys(connection, verifier))


def believed(note: str, verifier: Verifier) -> Checkpoint:
    """A stored checkpoint, once its signature was checked. Raises ``LedgerCorrupt``."""
    try:
        return Checkpoint.verified(note, verifier)
    except ProofInvalid as error:
        raise LedgerCorrupt(f"A checkpoint is not signed by {verifier.name}: {error}") from error
