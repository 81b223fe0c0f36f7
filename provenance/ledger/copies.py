"""Copies: a whole ledger into another database, row for row, with its head unchanged.

So a ledger moves from SQLite to PostgreSQL or back, is backed up, and is restored. Everything that
was signed goes along: events, tiles, every checkpoint and cosignature, and the searchable records.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from provenance.errors import LedgerCorrupt, LedgerOccupied
from provenance.ledger import heads, tables
from provenance.ledger.database import Database
from provenance.ledger.note import VerifierKey
from provenance.ledger.report import LedgerReport
from provenance.ledger.verification import verify

ROWS = 5_000  # that are held in memory at once
COPIED = (tables.event, tables.tile, tables.checkpoint, tables.cosignature, tables.record)

Stages = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def copy(source: Database, target: Database, verifier: VerifierKey, stages: Stages) -> LedgerReport:
    """Copy all of ``source`` into ``target``, which was migrated and is empty, and verify it there.

    The copy is kept only if it verifies and ends in the same head; otherwise ``target`` stays
    empty. Raises ``LedgerOccupied``, ``LedgerUnavailable``, ``LedgerEntryNotFound`` for an empty
    source, ``LedgerCorrupt`` naming what is wrong in it.
    """
    with source.reading() as old, target.appending() as new:
        if any(new.execute(select(table).limit(1)).first() for table in COPIED):
            raise LedgerOccupied(
                f"{target.name} has entries of its own; a copy needs a new, empty ledger. "
                "Make one with: python -m migrations URL"
            )
        head = heads.some_head(old, verifier)
        done = 0
        for table in COPIED:
            query = select(table).order_by(*table.primary_key.columns)
            for rows in _portions(old, query):
                target.insert(new, table, rows)
                if table is tables.event:
                    done += len(rows)
                    stages("copying", done, head.size)
        report = verify(
            new,
            heads.keys(new, verifier),
            [head.note],
            lambda done, total: stages("verifying", done, total),
        )
        if not report.ok:
            first = report.findings[0]
            raise LedgerCorrupt(
                f"{source.name} does not verify, so it was not copied: {first.what}: "
                f"{first.detail} Run: wardmark ledger verify"
            )
    return report


def _portions(connection: Connection, query: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    result = connection.execution_options(yield_per=ROWS).execute(query)
    for portion in result.partitions():
        yield [tuple(row) for row in portion]
