"""Rows whose hashes are nearly the same, as tables that DuckDB reads.

Hashes go through files and the joins through DuckDB, so that memory knows a bound.
"""

# ruff: noqa: S608 - built of queries of our own and of paths that are quoted

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from datasets_audit.components import Places
from datasets_audit.duplicates import near_groups
from datasets_audit.figures import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Alike(NamedTuple):
    """Two relations, to stand behind FROM.

    ``rows``: every row of the query, and its number ``nth`` from 0. ``groups``: those that are
    alike with another, with ``first``, the smallest number that chains of likeness lead to.
    """

    rows: str
    groups: str


@contextmanager
def alike(
    connection: "DuckDBPyConnection",
    query: str,
    folder: Path,
    *,
    max_distance: int,
    words: int,
    max_bucket: int,
) -> Iterator[Alike]:
    """What is alike among the rows of ``query``, while this is open.

    ``query``: has a column ``hash``, a BLOB of 8 x ``words`` bytes, and an order. ``folder``: what
    is written in between goes below it. ``max_distance``, ``max_bucket``: of ``near_groups``.
    """
    with TemporaryDirectory(dir=folder) as name:
        numbered, hashes, moved = (Path(name) / one for one in ("rows", "hashes", "moved"))
        connection.execute(f"COPY ({query}) TO {quoted(numbered)} (FORMAT parquet)")
        # One thread reads a file from its beginning to its end, so the hashes keep their numbers.
        connection.execute(
            f"COPY (SELECT hash FROM read_parquet({quoted(numbered)})) TO {quoted(hashes)} "
            "(FORMAT blob)"
        )
        groups = near_groups(hashes, max_distance, words=words, max_bucket=max_bucket)
        _write_moved(groups, moved)
        rows = (
            "(SELECT * EXCLUDE (hash, file_row_number), file_row_number AS nth "
            f"FROM read_parquet({quoted(numbered)}, file_row_number = true))"
        )
        yield Alike(
            rows,
            f"(SELECT one.*, member.first FROM {rows} AS one JOIN "
            f"(FROM read_parquet({quoted(moved)}) UNION ALL "
            f"SELECT DISTINCT first, first FROM read_parquet({quoted(moved)})) AS member "
            "ON one.nth = member.nth)",
        )


def _write_moved(groups: Iterable[Places], path: Path) -> None:
    """Every row that is not the first of its group, and which one is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.schema([("nth", pa.int64()), ("first", pa.int64())])
    start = 0
    with pq.ParquetWriter(path, columns) as file:
        for block in groups:
            at = np.flatnonzero(block != np.arange(start, start + len(block)))
            found = [at + start, block[at].astype(np.int64)]
            file.write_table(pa.table(found, schema=columns))
            start += len(block)
