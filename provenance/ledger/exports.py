"""Exports: the whole ledger as lines, which anybody can check without the database.

The first line is a header with the signed checkpoint; each further line is one leaf, byte for byte
what its hash covers, in order. Hashing the lines up must lead to the signed root.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Literal

from pydantic import ValidationError
from sqlalchemy import Connection

from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import journal
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.merkle import Frontier, leaf_hash
from provenance.ledger.note import Verifier

FORMAT: Final = "wardmark-export/1"
BATCH = 1_024  # lines that are hashed at once


class ExportHeader(Frozen):
    """First line of an export. The checkpoint says how many lines follow."""

    format: Literal["wardmark-export/1"] = FORMAT
    checkpoint: str


def write_export(connection: Connection, head: Checkpoint) -> Iterator[bytes]:
    """The lines of an export as of ``head``, each with its newline."""
    yield ExportHeader(checkpoint=head.note).model_dump_json().encode() + b"\n"
    for leaf in journal.leaves(connection, head.size):
        yield leaf + b"\n"


def verify_export(lines: Iterable[bytes], verifier: Verifier) -> Checkpoint:
    """Check that ``lines`` are all entries of the ledger as ``verifier`` signed it.

    Returns the checkpoint. Raises ``ProofInvalid`` naming what does not fit.
    """
    rest = iter(lines)
    try:
        header = ExportHeader.model_validate_json(next(rest, b""))
    except ValidationError:
        raise ProofInvalid("The first line is not the header of an export.") from None
    head = Checkpoint.verified(header.checkpoint, verifier)
    tree = Frontier()
    while batch := list(islice(rest, BATCH)):
        tree.extend([leaf_hash(line.removesuffix(b"\n")) for line in batch])
    if tree.size != head.size:
        raise ProofInvalid(f"The export holds {tree.size} entries, its checkpoint {head.size}.")
    if tree.root().hex() != head.root:
        raise ProofInvalid("The entries of the export are not those that were signed.")
    return head
