"""The signed heads of a stored ledger, and the keys that signed them."""

from collections.abc import Iterable

import orjson
from sqlalchemy import Connection, select

from provenance.errors import LedgerCorrupt, LedgerEntryNotFound, ProofInvalid
from provenance.ledger import tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.merkle import Frontier
from provenance.ledger.note import Verifier, VerifierKey
from provenance.ledger.rotation import FIELD, KIND, KeyHistory
from provenance.ledger.tiles import StoredTiles

_c = tables.checkpoint.c
# Built once: each append runs it, and building it costs as much as running it.
_LAST = select(_c.note).order_by(_c.size.desc()).limit(1)


def last_note(connection: Connection) -> str | None:
    """The last checkpoint as it is stored, unchecked; None while the ledger is empty."""
    return connection.execute(_LAST).scalar()


def keys(
    connection: Connection, trusted: VerifierKey, further: Iterable[str] = ()
) -> KeyHistory:
    """All keys of the ledger that follow from trusting one of them.

    ``further``: statements of rotation that do not stand in it yet.
    """
    c = tables.event.c
    statements = [*further]
    for seq, body in connection.execute(select(c.seq, c.body).where(c.kind == KIND)):
        statement = _statement(body)
        if statement is not None and f"\n{seq + 1}\n" in statement:  # only in its own place
            statements.append(statement)
    return KeyHistory.of(trusted, statements)


def frontier(connection: Connection, head: Checkpoint | None) -> Frontier:
    """The right edge of the stored tree that ``head`` signed; None of an empty ledger.

    Raises ``LedgerCorrupt`` when what is stored there does not lead to the signed root.
    """
    size = head.size if head else 0
    found = Frontier.load(StoredTiles(connection, size), size)
    if head and found.root().hex() != head.root:
        raise LedgerCorrupt(
            f"The entries of {head.origin} are not those that were signed at size {size}; nothing "
            "is appended to it. Run: wardmark ledger verify"
        )
    return found


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
