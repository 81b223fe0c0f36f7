"""Pictures that are there more than once: the same bytes, nearly the same look, the same key."""

# ruff: noqa: S608 - built of our own names and of checked attribute names

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datasets_audit.alike import alike
from datasets_audit.duplicates import MAX_BUCKET, PDQ_WORDS
from datasets_audit.figures import ALIKE, DUPLICATES, SAMPLES, quoted
from datasets_audit.findings import Finding
from provenance.fingerprint import MATCH_DISTANCE, MIN_QUALITY

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LISTED: Final = 20  # copies that one finding names
FETCHED: Final = 10_000  # rows at once: of a data set of copies there is a finding for each picture


def find_copies(connection: "DuckDBPyConnection", folder: Path) -> Iterator[Finding]:
    """Findings on copies. Writes ``duplicates.parquet``: sha256, in ``near`` its group, and in
    ``picture`` the first of its keys."""
    _write_near(connection, folder)
    yield from _findings(
        connection,
        "duplicate_exact",
        f"SELECT key, 'same bytes as ' || first FROM (SELECT key, min(key) OVER same AS first, "
        f"row_number() OVER same AS nth FROM {SAMPLES} WHERE problem IS NULL "
        "WINDOW same AS (PARTITION BY sha256 ORDER BY key)) WHERE nth > 1 ORDER BY key",
    )
    # Of several files with the same bytes only the first speaks for them here. Its key stands with
    # the groups: a join with all rows would not fit the memory of DuckDB where many are alike.
    yield from _findings(
        connection,
        "duplicate_near",
        f"WITH leader AS (SELECT near, min(picture) AS first FROM {DUPLICATES} GROUP BY near) "
        f"SELECT picture, 'looks like ' || first FROM {DUPLICATES} JOIN leader USING (near) "
        "WHERE picture <> first ORDER BY picture",
    )
    yield from _findings(
        connection,
        "split_leak",
        # The keys are gathered of those alone that leak: of all they would fill the memory.
        f"WITH one AS (SELECT key, split, same FROM {ALIKE} "
        "WHERE problem IS NULL AND split IS NOT NULL), "
        "leaking AS (SELECT same FROM one GROUP BY same HAVING min(split) <> max(split)) "
        f"SELECT min(key), array_to_string(min(key || ' (' || split || ')', {LISTED}), ', ') "
        f"|| CASE WHEN count(*) > {LISTED} THEN ' and ' || count(*) - {LISTED} || ' more' "
        "ELSE '' END FROM one WHERE same IN (FROM leaking) GROUP BY same ORDER BY 1",
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


def _write_near(connection: "DuckDBPyConnection", folder: Path) -> None:
    hashes = (
        f"SELECT sha256, min(key) AS picture, unhex(min(pdq)) AS hash FROM {SAMPLES} "
        f"WHERE pdq_quality >= {MIN_QUALITY} GROUP BY sha256 ORDER BY sha256"
    )
    with alike(
        connection, hashes, folder,
        max_distance=MATCH_DISTANCE, words=PDQ_WORDS, max_bucket=MAX_BUCKET,
    ) as found:  # fmt: skip
        connection.execute(
            "COPY (SELECT one.sha256, leader.sha256 AS near, one.picture "
            f"FROM {found.groups} AS one JOIN {found.rows} AS leader ON leader.nth = one.first "
            f"ORDER BY one.sha256) TO {quoted(folder / DUPLICATES[1:-1])} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
