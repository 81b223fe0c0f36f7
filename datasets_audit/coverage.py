"""Balance of a data set from its sample rows: counts by DuckDB, arithmetic by ``balance``."""

# ruff: noqa: S608 - built of our own names and of checked attribute names

import re
from collections.abc import Sequence
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Final

from datasets_audit.balance import (
    imbalance_ratio,
    js_divergence,
    kl_divergence,
    normalised_entropy,
    representation_ratios,
    simpson_evenness,
    wilson,
)
from datasets_audit.class_balance import measure_classes
from datasets_audit.figures import SAMPLES
from datasets_audit.findings import Finding
from datasets_audit.reference import ReferencePopulation
from datasets_audit.report import Balance, BalanceCell, BalanceSummary
from datasets_audit.sample import ATTRIBUTE_PREFIX, ORIGIN_PREFIX
from datasets_audit.suppression import MIN_PUBLISHED, Attributes, Cell, hidden_cells

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THIN_CELL: Final = 100  # pictures; below it a rate within the cell is known to no better than ±10 %
LARGEST_INTERSECTION: Final = 3  # attributes
MAX_CELLS: Final = 5_000  # of one intersection; beyond, nearly all cells are empty by arithmetic
MAX_CELLS_LISTED: Final = 300  # of one table in the report, the smallest ones

# "3-9" becomes 9-Mar when a spreadsheet saves a table; FairFace's published labels show it.
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_LIKE_DATE: Final = re.compile(rf"\d{{1,2}}-{_MONTH}|{_MONTH}-\d{{1,2}}", re.IGNORECASE)

Counts = dict[Cell, int]


def measure_balance(
    connection: "DuckDBPyConnection",
    attributes: Sequence[str],
    reference: ReferencePopulation | None,
) -> BalanceSummary:
    """Balance of every attribute and of every intersection of two or three of them."""
    tables: dict[Attributes, Counts] = {}
    skipped: list[str] = []
    for name in attributes:
        tables[(name,)] = _counts(connection, (name,))
    for size in range(2, LARGEST_INTERSECTION + 1):
        for names in combinations(attributes, size):
            cells = prod(max(1, len(tables[(name,)])) for name in names)
            if cells > MAX_CELLS:
                skipped.append(f"{' x '.join(names)}: {cells:,} cells, more than {MAX_CELLS:,}")
            else:
                tables[names] = _counts(connection, names)
    tables = {names: counts for names, counts in tables.items() if counts}
    hidden = hidden_cells(tables)
    pictures = _one(connection, f"SELECT count(*) FROM {SAMPLES}")
    measured = {
        names: _balance(connection, names, counts, hidden[names], pictures, reference)
        for names, counts in tables.items()
    }
    several = [balance for names, balance in measured.items() if len(names) > 1]
    return BalanceSummary(
        reference=reference.label if reference else None,
        statement=_statement(attributes, reference),
        suppressed_below=MIN_PUBLISHED,
        thin_below=THIN_CELL,
        # The widest intersections first: they show what the others hide.
        intersections=tuple(sorted(several, key=lambda b: (-len(b.attributes), b.entropy))),
        attributes=tuple(b for names, b in measured.items() if len(names) == 1),
        not_computed=tuple(skipped),
        classes=measure_classes(connection, attributes),
    )


def balance_findings(summary: BalanceSummary) -> list[Finding]:
    """Groups that are missing, values that a spreadsheet changed, and thin intersections."""
    findings = [
        Finding("group_missing", detail=f"{balance.attributes[0]}: {cell.values[0]}")
        for balance in summary.attributes
        for cell in balance.cells
        if cell.reference and cell.count == 0
    ]
    findings += [
        Finding("attribute_like_date", detail=f"{b.attributes[0]}: {', '.join(found)}")
        for b in summary.attributes
        if (found := [cell.values[0] for cell in b.cells if _LIKE_DATE.fullmatch(cell.values[0])])
    ]
    findings += [
        Finding(
            "cells_thin",
            detail=f"{' x '.join(b.attributes)}: of {b.cells_total} cells {b.empty} empty, "
            f"{b.thin} below {THIN_CELL} pictures",
        )
        for b in summary.intersections
        if b.thin
    ]
    return findings


def _statement(attributes: Sequence[str], reference: ReferencePopulation | None) -> str:
    if not attributes:
        return "No attribute was declared, so nothing can be said about balance."
    if reference is None:
        return (
            "No reference population was given. The figures say how even the data set is, not "
            "whether it represents anybody."
        )
    compared = [name for name in attributes if name in reference.shares]
    missing = [name for name in attributes if name not in reference.shares]
    if not compared:
        return f"{reference.label} has none of these attributes, so only evenness is measured."
    rest = f" It has no shares for {', '.join(missing)}." if missing else ""
    return f"{', '.join(compared)} are compared with {reference.label}.{rest}"


def _counts(connection: "DuckDBPyConnection", names: Attributes) -> Counts:
    """Every combination of the values that occur, also those that no picture has."""
    columns = [_column(ATTRIBUTE_PREFIX, name) for name in names]
    listed = ", ".join(columns)
    stated = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    rows = connection.execute(
        f"SELECT {listed}, count(*) FROM {SAMPLES} WHERE {stated} GROUP BY {listed}"
    ).fetchall()
    present = {tuple(row[:-1]): int(row[-1]) for row in rows}
    values = [sorted({cell[place] for cell in present}) for place in range(len(names))]
    return {cell: present.get(cell, 0) for cell in product(*values)} if present else {}


def _balance(
    connection: "DuckDBPyConnection",
    names: Attributes,
    counts: Counts,
    hidden: frozenset[Cell],
    pictures: int,
    reference: ReferencePopulation | None,
) -> Balance:
    stated = sum(counts.values())
    numbers = list(counts.values())
    shares = reference.shares.get(names[0]) if reference and len(names) == 1 else None
    ratios = representation_ratios({c[0]: n for c, n in counts.items()}, shares) if shares else {}
    listed = dict.fromkeys(((value,) for value in sorted(shares or {})), 0) | counts
    cells = [
        _cell(cell, count, stated, cell in hidden, (shares or {}).get(cell[0]), ratios.get(cell[0]))
        for cell, count in listed.items()
    ]
    smallest = min(counts, key=lambda cell: (counts[cell], cell))
    concealed = any(counts[cell] > 0 for cell in hidden)
    shown = [count for cell, count in counts.items() if cell not in hidden]
    return Balance(
        attributes=names,
        stated=stated,
        not_stated=pictures - stated,
        origins=_origins(connection, names),
        cells_total=len(counts),
        empty=numbers.count(0),
        thin=sum(count < THIN_CELL for count in numbers),
        hidden=len(hidden),
        entropy=normalised_entropy(numbers),
        evenness=simpson_evenness(numbers),
        imbalance=None if concealed else imbalance_ratio(numbers),
        # A hidden smallest cell holds at most MIN_PUBLISHED - 1.
        imbalance_above=(
            max(shown, default=0) / (MIN_PUBLISHED - 1) if concealed and any(shown) else None
        ),
        smallest=(
            None if concealed or not counts[smallest] else _cell(smallest, counts[smallest], stated)
        ),
        # Hidden ones by name: their order by size would say which is smaller.
        cells=tuple(
            sorted(cells, key=lambda c: (c.hidden, c.count or 0, c.values))[:MAX_CELLS_LISTED]
        ),
        reference=reference.label if reference and shares else None,
        divergence=(
            js_divergence(
                [counts.get((value,), 0) for value in ratios],
                [shares.get(value, 0.0) for value in ratios],
            )
            if shares
            else None
        ),
        kl=(
            kl_divergence(
                [counts.get((value,), 0) for value in ratios],
                [shares.get(value, 0.0) for value in ratios],
            )
            if shares
            else None
        ),
    )


def _cell(
    values: Cell,
    count: int,
    total: int,
    hidden: bool = False,
    reference: float | None = None,
    ratio: float | None = None,
) -> BalanceCell:
    if hidden:
        return BalanceCell(
            values=values, hidden=True, count=None, share=None, low=None, high=None,
            reference=reference,
        )  # fmt: skip
    low, high = wilson(count, total)
    return BalanceCell(
        values=values, hidden=False, count=count, share=count / total, low=low, high=high,
        reference=reference, ratio=ratio,
    )  # fmt: skip


def _origins(connection: "DuckDBPyConnection", names: Attributes) -> dict[str, int]:
    """Who stated the attributes, in pictures; mixed where one picture's differ."""
    stated = " AND ".join(f"{_column(ATTRIBUTE_PREFIX, name)} IS NOT NULL" for name in names)
    origins = [f"coalesce({_column(ORIGIN_PREFIX, name)}, 'not stated')" for name in names]
    same = " AND ".join(f"{origin} = {origins[0]}" for origin in origins)
    rows = connection.execute(
        f"SELECT CASE WHEN {same} THEN {origins[0]} ELSE 'mixed' END AS origin, count(*) "
        f"FROM {SAMPLES} WHERE {stated} GROUP BY origin ORDER BY origin"
    ).fetchall()
    return {str(origin): int(count) for origin, count in rows}


def _column(prefix: str, name: str) -> str:
    return f'"{prefix}{name}"'


def _one(connection: "DuckDBPyConnection", query: str) -> int:
    ((count,),) = connection.execute(query).fetchall()
    return int(count)
