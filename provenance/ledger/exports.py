"""Exports: entries as lines, all or a range of them, which anybody can check without the database.

The first line is a header with the signed checkpoint; each further line is one leaf, byte for byte
what its hash covers, in order. Hashing the lines up must lead to the signed root; for a range, the
header brings the hashes of what lies before and behind it. Where the header says ``credentials``,
the leaf of each delivery is followed by a line ``{"credential": base64}``, whose SHA-256 stands in
the leaf.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import orjson
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection

from policies.decision import Frozen
from provenance.errors import LedgerEntryNotFound, ProofInvalid
from provenance.ledger import journal, records
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.merkle import leaf_hash, range_path, root_from_range
from provenance.ledger.note import Verifier
from provenance.ledger.proof import MAX_PATH, decode_path, encode_path
from provenance.ledger.records import DELIVERY
from provenance.ledger.tiles import StoredTiles

FORMAT: Final = "wardmark-export/1"
RANGE_FORMAT: Final = "wardmark-range/1"


class ExportHeader(Frozen):
    """First line of an export of everything. The checkpoint says how many lines follow."""

    format: Literal["wardmark-export/1"] = FORMAT
    checkpoint: str
    credentials: bool = False


class RangeHeader(Frozen):
    """First line of an export of the entries ``first`` to ``end - 1``; ``path``: ``range_path``."""

    format: Literal["wardmark-range/1"] = RANGE_FORMAT
    checkpoint: str
    first: int = Field(ge=0)
    end: int = Field(ge=1)
    path: tuple[str, ...] = Field(max_length=2 * MAX_PATH)
    credentials: bool = False


class Line(NamedTuple):
    """One entry of an export: its leaf and, of a delivery, the credential if it travels."""

    leaf: bytes
    credential: bytes | None


class Exported(NamedTuple):
    """What an export holds: the entries of ``span``, as of ``checkpoint``."""

    checkpoint: Checkpoint
    span: range


MAX_LINE_BYTES = 64 << 20  # a credential with its pictures, in base64
Header = ExportHeader | RangeHeader
_HEADER: TypeAdapter[Header] = TypeAdapter(Annotated[Header, Field(discriminator="format")])
_DELIVERY = f'"kind":"{DELIVERY}"'.encode()
_NONE = (-1, b"")


def write_export(
    connection: Connection,
    head: Checkpoint,
    first: int = 0,
    end: int | None = None,
    *,
    credentials: bool = False,
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
    header: Header = ExportHeader(checkpoint=head.note, credentials=credentials)
    if len(span) < head.size:
        tiles = StoredTiles(connection, head.size)
        path = encode_path(range_path(tiles, span.start, span.stop, head.size))
        header = RangeHeader(
            checkpoint=head.note,
            first=span.start,
            end=span.stop,
            path=path,
            credentials=credentials,
        )
    yield header.model_dump_json(exclude=None if credentials else {"credentials"}).encode() + b"\n"
    kept = records.credentials(connection, span) if credentials else iter(())
    seq, credential = next(kept, _NONE)
    for index, leaf in enumerate(journal.leaves(connection, span), span.start):
        yield leaf + b"\n"
        if index == seq:
            yield orjson.dumps({"credential": b64encode(credential).decode()}) + b"\n"
            seq, credential = next(kept, _NONE)


def export_lines(path: Path) -> Iterator[bytes]:
    """The lines of the file, cut where one is longer than any that we write."""
    with path.open("rb") as file:
        yield from iter(lambda: file.readline(MAX_LINE_BYTES), b"")


def verify_export(lines: Iterable[bytes], verifier: Verifier) -> Exported:
    """Check that ``lines`` are entries of the ledger as ``verifier`` signed it, none left out.

    Raises ``ProofInvalid`` naming what does not fit.
    """
    header, entries = read_export(lines)
    head = Checkpoint.verified(header.checkpoint, verifier)
    span, path = range(head.size), []
    if isinstance(header, RangeHeader):
        span, path = range(header.first, header.end), decode_path(header.path)
    hashes = (leaf_hash(entry.leaf) for entry in entries)
    root = root_from_range(hashes, span.start, span.stop, head.size, path)
    if root.hex() != head.root:
        raise ProofInvalid("The entries of the export are not those that were signed.")
    return Exported(head, span)


def read_export(lines: Iterable[bytes]) -> tuple[Header, Iterator[Line]]:
    """Take an export apart; of what it says, only that credentials fit their leaves is checked.

    Raises ``ProofInvalid``, also while the lines are read.
    """
    rest = iter(lines)
    try:
        header = _HEADER.validate_json(next(rest, b""))
    except ValidationError:
        raise ProofInvalid("The first line is not the header of an export.") from None
    plain = (Line(line.removesuffix(b"\n"), None) for line in rest)
    return header, _with_credentials(rest) if header.credentials else plain


def _with_credentials(lines: Iterator[bytes]) -> Iterator[Line]:
    for line in lines:
        leaf = line.removesuffix(b"\n")
        # Only what may be a delivery is parsed; a body may hold these words too.
        expected = _credential_digest(leaf) if _DELIVERY in leaf else None
        credential = None if expected is None else _credential(next(lines, b""))
        if credential is not None and sha256(credential).hexdigest() != expected:
            raise ProofInvalid("A credential in the export is not the one that its entry names.")
        yield Line(leaf, credential)


def _credential_digest(leaf: bytes) -> str | None:
    """The SHA-256 that the leaf of a delivery names; None for another kind of event."""
    try:
        said = orjson.loads(leaf)
        if said["kind"] != DELIVERY:
            return None
        return str(said["body"]["record"]["credential_sha256"])
    except (ValueError, TypeError, KeyError):
        raise ProofInvalid("A delivery in the export names no credential.") from None


def _credential(line: bytes) -> bytes:
    try:
        return b64decode(orjson.loads(line)["credential"], validate=True)
    except (ValueError, TypeError, KeyError):
        raise ProofInvalid("A delivery in the export comes without its credential.") from None
