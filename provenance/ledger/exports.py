"""Exports: entries as lines, all or a range of them, which anybody can check without the database.

The first line is a header with the signed checkpoint; each further line is one leaf, byte for byte
what its hash covers, in order. Hashing the lines up must lead to the signed root; for a range, the
header brings the hashes of what lies before and behind it.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection

from policies.decision import Frozen
from provenance.errors import LedgerEntryNotFound, ProofInvalid
from provenance.ledger import journal
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.merkle import leaf_hash, range_path, root_from_range
from provenance.ledger.note import Verifier
from provenance.ledger.proof import MAX_PATH, decode_path, encode_path
from provenance.ledger.tiles import StoredTiles

FORMAT: Final = "wardmark-export/1"
RANGE_FORMAT: Final = "wardmark-range/1"


class ExportHeader(Frozen):
    """First line of an export of everything. The checkpoint says how many lines follow."""

    format: Literal["wardmark-export/1"] = FORMAT
    checkpoint: str


class RangeHeader(Frozen):
    """First line of an export of the entries ``first`` to ``end - 1``; ``path``: ``range_path``."""

    format: Literal["wardmark-range/1"] = RANGE_FORMAT
    checkpoint: str
    first: int = Field(ge=0)
    end: int = Field(ge=1)
    path: tuple[str, ...] = Field(max_length=2 * MAX_PATH)


class Exported(NamedTuple):
    """What an export holds: the entries of ``span``, as of ``checkpoint``."""

    checkpoint: Checkpoint
    span: range


_HEADER: TypeAdapter[ExportHeader | RangeHeader] = TypeAdapter(
    Annotated[ExportHeader | RangeHeader, Field(discriminator="format")]
)


def write_export(
    connection: Connection, head: Checkpoint, first: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """The lines of an export as of ``head``, each with its newline.

    Of the entries ``first`` to ``end - 1``, by default all. Raises ``LedgerEntryNotFound`` for a
    range that is empty or not there.
    """
    span = range(first, head.size if end is None else end)
    if not 0 <= span.start < span.stop <= head.size:
        raise LedgerEntryNotFound(
            f"There are no entries from {span.start} to {span.stop} in a ledger of {head.size}."
        )
    header: ExportHeader | RangeHeader = ExportHeader(checkpoint=head.note)
    if len(span) < head.size:
        tiles = StoredTiles(connection, head.size)
        path = encode_path(range_path(tiles, span.start, span.stop, head.size))
        header = RangeHeader(checkpoint=head.note, first=span.start, end=span.stop, path=path)
    yield header.model_dump_json().encode() + b"\n"
    for leaf in journal.leaves(connection, span):
        yield leaf + b"\n"


def verify_export(lines: Iterable[bytes], verifier: Verifier) -> Exported:
    """Check that ``lines`` are entries of the ledger as ``verifier`` signed it, none left out.

    Raises ``ProofInvalid`` naming what does not fit.
    """
    rest = iter(lines)
    try:
        header = _HEADER.validate_json(next(rest, b""))
    except ValidationError:
        raise ProofInvalid("The first line is not the header of an export.") from None
    head = Checkpoint.verified(header.checkpoint, verifier)
    span, path = range(head.size), []
    if isinstance(header, RangeHeader):
        span, path = range(header.first, header.end), decode_path(header.path)
    hashes = (leaf_hash(line.removesuffix(b"\n")) for line in rest)
    root = root_from_range(hashes, span.start, span.stop, head.size, path)
    if root.hex() != head.root:
        raise ProofInvalid("The entries of the export are not those that were signed.")
    return Exported(head, span)
