"""Cosignatures of a stored ledger: asked for, kept, and shown with their checkpoint."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.types import NullType

from provenance.errors import (
    HistoryContradicted,
    LedgerCorrupt,
    ProofInvalid,
    WitnessElsewhere,
    WitnessRefused,
)
from provenance.ledger import note as notes
from provenance.ledger import tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.cosignature import Cosignature, WitnessVerifier
from provenance.ledger.database import Database
from provenance.ledger.heads import some_head
from provenance.ledger.merkle import consistency_path
from provenance.ledger.note import VerifierKey
from provenance.ledger.submission import Submission
from provenance.ledger.tiles import StoredTiles
from provenance.ledger.witness import Witness

ATTEMPTS = 50  # others may have the same witness cosign at the same time
_c = tables.cosignature.c


def cosign(database: Database, verifier: VerifierKey, witness: Witness) -> Cosignature:
    """Have ``witness`` cosign the last checkpoint, and keep what it says.

    Raises ``HistoryContradicted`` when the witness has seen another or a longer history,
    ``WitnessRefused``, ``WitnessUnavailable``, ``LedgerEntryNotFound`` while the ledger is empty.
    """
    with database.reading() as connection:
        old = _last_size(connection, witness.verifier)
    for _ in range(ATTEMPTS):
        with database.reading() as connection:
            head = some_head(connection, verifier)
            if old > head.size:
                raise HistoryContradicted(
                    f"{witness.verifier.name} has seen {old} entries of {head.origin}, which has "
                    f"{head.size}: what came after was taken back. Restore the ledger."
                )
            path = consistency_path(StoredTiles(connection, head.size), old, head.size)
        try:
            cosignature = witness.add_checkpoint(Submission(old, tuple(path), head.note))
        except WitnessElsewhere as elsewhere:
            if elsewhere.size == old:  # so it is the root that differs
                raise _forked(witness, head, old) from elsewhere
            old = elsewhere.size
            continue
        except WitnessRefused as refused:
            if refused.http_status == WitnessRefused.http_status:
                raise _forked(witness, head, old) from refused
            raise
        _keep(database, head, cosignature)
        return cosignature
    raise WitnessRefused(
        f"{witness.verifier.name} moves on faster than it can be asked; try again."
    )


def cosignatures(connection: Connection, size: int) -> list[Cosignature]:
    """What witnesses said of the checkpoint of ``size`` entries, the last word of each.

    Raises ``LedgerCorrupt`` when a row cannot be read; whether it is true, ``verify`` checks.
    """
    query = select(_c.witness, _c.time, _c.signature).where(_c.size == size).order_by(_c.time)
    latest = {}
    for witness, time, signature in connection.execute(query):
        try:
            key = WitnessVerifier.parse(witness)
        except ProofInvalid as error:
            raise LedgerCorrupt(
                f"A cosignature at {size} entries names no witness. Run: wardmark ledger verify"
            ) from error
        latest[key] = Cosignature(key, time, signature)
    return list(latest.values())


def with_cosignatures(connection: Connection, head: Checkpoint) -> Checkpoint:
    """``head`` with the lines of its witnesses in the note."""
    found = cosignatures(connection, head.size)
    lines = notes.render_signatures(cosignature.line for cosignature in found)
    return head.model_copy(update={"note": head.note + lines})


def last_cosigned(connection: Connection) -> int | None:
    """Size of the longest checkpoint that a witness cosigned; None while there is none."""
    return connection.execute(select(func.max(_c.size))).scalar()


def disagreements(connection: Connection) -> Iterator[str]:
    """What is wrong with cosignatures, beside the checkpoints that they are to be of."""
    heads = tables.checkpoint.c
    signature = type_coerce(_c.signature, NullType())  # SQLite keeps a text there, if told to
    query = select(_c.size, _c.witness, _c.time, signature, heads.note)
    joined = tables.cosignature.join(tables.checkpoint, _c.size == heads.size)
    for size, witness, time, signed, note in connection.execute(query.select_from(joined)):
        if not isinstance(time, int) or not isinstance(signed, bytes):
            yield f"The cosignature at {size} entries is no cosignature."
            continue
        try:
            WitnessVerifier.parse(witness).check(notes.parse(note).text, time, signed)
        except ProofInvalid as error:
            yield f"The cosignature at {size} entries: {error}"


def _last_size(connection: Connection, witness: WitnessVerifier) -> int:
    query = select(func.max(_c.size)).where(_c.witness == str(witness))
    return connection.execute(query).scalar() or 0


def _keep(database: Database, head: Checkpoint, cosignature: Cosignature) -> None:
    witness = str(cosignature.witness)
    with database.appending() as connection:
        there = select(_c.size).where(
            _c.size == head.size, _c.witness == witness, _c.time == cosignature.time
        )
        if connection.execute(there).first() is None:
            row = (head.size, witness, cosignature.time, cosignature.signature)
            database.insert(connection, tables.cosignature, [row])


def _forked(witness: Witness, head: Checkpoint, old: int) -> HistoryContradicted:
    return HistoryContradicted(
        f"{witness.verifier.name} holds another history of {head.origin}: what it cosigned at "
        f"{old} entries is not what stands here. Compare with: wardmark ledger verify --witness"
    )
