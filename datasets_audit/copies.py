"""Pictures that are there more than once: the same bytes, nearly the same look, the same key."""

# ruff: noqa: S608 - built of our own names and of checked attribute names

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from datasets_audit.duplicates import HASH_BYTES, groups, near_pairs
from datasets_audit.figures import DUPLICATES, SAMPLES
from datasets_audit.findings import Finding
from provenance.fingerprint import MIN_QUALITY

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

FETCHED: Final = 10_000  # rows at once: of a data set of copies there is a finding for each picture


def find_copies(connection: "DuckDBPyConnection", folder: Path) -> Iterator[Finding]:
    """Findings on copies. Writes ``duplicates.parquet``: sha256, and in ``near`` its group."""
    _write_near(connection, folder / DUPLICATES.strip("'"))
    yield from _findings(
        connection,
        "duplicate_exact",
        f"SELECT key, 'same bytes as ' || first FROM (SELECT key, min(key) OVER same AS first, "
        f"row_number() OVER same AS nth FROM {SAMPLES} WHERE problem IS NULL "
        "WINDOW same AS (PARTITION BY sha256 ORDER BY key)) WHERE nth > 1 ORDER BY key",
    )
    # Of several files with the same bytes only the first speaks for them here.
    yield from _findings(
        connection,
        "duplicate_near",
        "WITH one AS (SELECT sha256, near, min(key) AS key "
        f"FROM {SAMPLES} JOIN {DUPLICATES} USING (sha256) GROUP BY sha256, near) "
        "SELECT key, 'looks like ' || first FROM (SELECT key, min(key) OVER alike AS first, "
        "row_number() OVER alike AS nth FROM one WINDOW alike AS (PARTITION BY near ORDER BY key)) "
        "WHERE nth > 1 ORDER BY key",
    )
    yield from _findings(
        connection,
        "split_leak",
        "WITH one AS (SELECT key, split, coalesce(near, sha256) AS same "
        f"FROM {SAMPLES} LEFT JOIN {DUPLICATES} USING (sha256) WHERE problem IS NULL) "
        "SELECT min(key), string_agg(key || ' (' || split || ')', ', ' ORDER BY key) FROM one "
        "WHERE split IS NOT NULL GROUP BY same HAVING count(DISTINCT split) > 1 ORDER BY 1",
    )
    yield from _findings(
        connection,
        "key_repeated",
        f"SELECT key, count(*) || ' times' FROM {SAMPLES} GROUP BY key HAVING count(*) > 1 "
        "ORDER BY key",
    )


def _findings(connection: "DuckDBPyConnection", code: str, query: str) -> Iterator[Finding]:
    result = connection.execute(query)
    while rows := result.fetchmany(FETCHED):
        yield from (Finding(code, key, detail=detail) for key, detail in rows)


def _write_near(connection: "DuckDBPyConnection", path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = connection.sql(
        f"SELECT sha256, min(pdq) AS pdq FROM {SAMPLES} "
        f"WHERE pdq_quality >= {MIN_QUALITY} GROUP BY sha256 ORDER BY sha256"
    ).to_arrow_table()
    # A list of a million Python strings would take more memory than all the rest.
    chunks = [bytes.fromhex(_text(chunk)) for chunk in rows["pdq"].chunks]
    hashes = np.frombuffer(b"".join(chunks), dtype=np.uint8).reshape(-1, HASH_BYTES)
    pairs = near_pairs(hashes)
    group = groups(len(hashes), pairs)
    alike = np.flatnonzero(np.bincount(group, minlength=len(hashes))[group] > 1)
    digests = rows["sha256"]
    table = pa.table({"sha256": digests.take(alike), "near": digests.take(group[alike])})
    pq.write_table(table, path, compression="zstd")


def _text(chunk: "pa.StringArray") -> str:
    """All strings of an Arrow array without a null, one after the other."""
    offsets, data = chunk.buffers()[1:3]
    places = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return memoryview(data)[places[0] : places[-1]].tobytes().decode("ascii") if data else ""
