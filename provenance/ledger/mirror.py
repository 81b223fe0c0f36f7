"""Mirrors: a ledger that somebody else keeps a copy of, and carries on from exports.

A mirror holds the public key alone: it signs nothing, and answers with what the origin signed. What
is taken in has to lead, together with what stands, to a root that the origin's key signed; so a
mirror is a witness of its own, and an origin that rewrites its history is refused by name.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select

from provenance.errors import (
    EventInvalid,
    HistoryContradicted,
    ImportRefused,
    LedgerUnavailable,
    ProofInvalid,
)
from provenance.ledger import heads, records, tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.database import Database
from provenance.ledger.event import FORMAT, canonical, leaf
from provenance.ledger.exports import (
    ExportHeader,
    Line,
    export_lines,
    read_export,
    verify_export,
)
from provenance.ledger.merkle import Frontier, leaf_hash, subtree_root
from provenance.ledger.note import VerifierKey
from provenance.ledger.records import DELIVERY
from provenance.ledger.rotation import FIELD, KIND
from provenance.ledger.tiles import StoredTiles, tile_row

PORTION = 5_000  # entries that are held in memory at once
_ROTATION = f'"kind":"{KIND}"'.encode()


class Imported(NamedTuple):
    """What came of an import: the mirror's ``head``, and how many entries are new in it."""

    head: Checkpoint
    added: int


def take_in(
    database: Database,
    trusted: VerifierKey,
    paths: Sequence[Path],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """Carry on the mirror in ``database`` with exports of its origin, in one transaction.

    Each file is verified by itself before anything is written. Entries that stand are passed over,
    so the same import again changes nothing. Raises ``ProofInvalid``; ``HistoryContradicted`` when
    mirror and file hold two histories; ``ImportRefused`` when entries between them are missing,
    when a file's signed head is not reached, or when deliveries come without credentials;
    ``LedgerUnavailable``, ``LedgerCorrupt``.
    """
    try:
        with database.reading() as connection:
            history = heads.keys(connection, trusted, _statements(paths))
        signed = [verify_export(export_lines(path), history).checkpoint for path in paths]
        with database.appending() as connection:
            note = heads.last_note(connection)
            mine = heads.believed(note, history) if note else None
            tree = heads.frontier(connection, mine)
            before = tree.size
            for path in paths:
                for rows in _fresh(path, tree):
                    _insert(database, connection, tree, rows)
                    progress(tree.size, max(head.size for head in signed))
            for head, path in zip(signed, paths, strict=True):
                _check_root(connection, tree.size, head, path)
            _keep(database, connection, signed)
            return Imported(heads.some_head(connection, trusted), tree.size - before)
    except OSError as error:
        raise LedgerUnavailable(f"An export cannot be read: {error}.") from error


def _statements(paths: Sequence[Path]) -> Iterator[str]:
    """Rotations in the exports, unproved: both keys signed each, and only a trusted one counts."""
    for path in paths:
        for line in export_lines(path):
            if _ROTATION in line:
                try:
                    yield str(orjson.loads(line)["body"][FIELD])
                except (ValueError, TypeError, KeyError):
                    continue  # a body that holds these words


class _Row(NamedTuple):
    """A row of ``event`` and, of a delivery, that of ``record``."""

    event: tuple[Any, ...]
    record: tuple[Any, ...] | None


def _fresh(path: Path, tree: Frontier) -> Iterator[list[_Row]]:
    """What the file has beyond ``tree``, which grows meanwhile, in portions."""
    header, lines = read_export(export_lines(path))
    first = 0 if isinstance(header, ExportHeader) else header.first
    if first > tree.size:
        raise ImportRefused(
            f"{path} begins at entry {first}, and this mirror ends at {tree.size}. Export what it "
            f"needs with: wardmark ledger export --credentials --first {tree.size}"
        )
    fresh = islice(enumerate(lines, first), tree.size - first, None)
    while portion := list(islice(fresh, PORTION)):
        yield [_row(path, seq, line) for seq, line in portion]


def _row(path: Path, seq: int, line: Line) -> _Row:
    try:
        said = orjson.loads(line.leaf)
        parts = (said["at"], canonical(said["body"]).decode(), said["id"], said["kind"], said["v"])
        if leaf(*parts) != line.leaf or said["v"] != FORMAT:
            raise ProofInvalid(f"Entry {seq} in {path} has another form than this version knows.")
        record = None
        if said["kind"] == DELIVERY:
            if line.credential is None:
                raise ImportRefused(
                    f"{path} holds deliveries without their credentials, which a mirror needs; "
                    "export it with: --credentials"
                )
            record = records.row_of(records.restored(said["body"], line.credential), seq)
    except (ValueError, TypeError, KeyError, AttributeError, EventInvalid) as error:
        raise ProofInvalid(f"Entry {seq} in {path} is no leaf: {error}") from error
    at, body, event_id, kind, version = parts
    row = (seq, event_id, kind, at, version, body, leaf_hash(line.leaf))
    return _Row(row, record)


def _insert(
    database: Database, connection: Connection, tree: Frontier, rows: Sequence[_Row]
) -> None:
    events = [row.event for row in rows]
    tiles = tree.extend([event[-1] for event in events])
    database.insert(connection, tables.event, events)
    for table, found in (
        (tables.tile, [tile_row(tile) for tile in tiles]),
        (tables.record, [row.record for row in rows if row.record is not None]),
    ):
        if found:
            database.insert(connection, table, found)


def _check_root(connection: Connection, size: int, head: Checkpoint, path: Path) -> None:
    """Hold what stands now, ``size`` entries, against what the file was signed with."""
    if head.size > size:
        raise ImportRefused(
            f"{path} ends before its signed head: there are {size} entries then, and "
            f"{head.size} are signed. Import with it what follows, or export it to the end."
        )
    if subtree_root(StoredTiles(connection, size), 0, head.size).hex() != head.root:
        raise HistoryContradicted(
            f"{path} and this mirror hold two histories of {head.origin}; its key signed both, so "
            "one was rewritten. Keep both, and ask who runs the ledger."
        )


def _keep(database: Database, connection: Connection, signed: Iterable[Checkpoint]) -> None:
    heads_by_size = {head.size: head for head in signed}
    size = tables.checkpoint.c.size
    there = set(connection.execute(select(size).where(size.in_(heads_by_size))).scalars())
    rows = [
        (head.size, bytes.fromhex(head.root), head.note)
        for head in heads_by_size.values()
        if head.size not in there
    ]
    if rows:
        database.insert(connection, tables.checkpoint, rows)
