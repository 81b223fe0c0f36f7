"""Headline figures: each is the answer to a query over the sample rows, and carries that query.

Queries are DuckDB SQL with paths relative to the report's folder. ``recompute`` runs them again, so
that an auditor need not take a figure on trust.
"""

# ruff: noqa: S608 - built of our own names and of checked attribute names

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from datasets_audit.errors import SourceInvalid
from datasets_audit.report import AuditReport, Figure
from datasets_audit.sample import ATTRIBUTE_PREFIX

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLES: Final = "'samples/*.parquet'"
FINDINGS: Final = "'findings/*.parquet'"
DUPLICATES: Final = "'duplicates.parquet'"
# Every row with ``same``, which near copies share. The join and what groups by it hold 16 bytes of
# a hash and not its 64 letters, so that 10^7 rows fit the limit below.
ALIKE: Final = (
    f"(SELECT one.*, coalesce(copy.near, md5_number(one.sha256)) AS same FROM {SAMPLES} AS one "
    "LEFT JOIN (SELECT md5_number(sha256) AS id, md5_number(near) AS near "
    f"FROM {DUPLICATES}) AS copy ON copy.id = md5_number(one.sha256))"
)
REPORT: Final = "report.json"
MEMORY: Final = 200_000_000  # bytes for DuckDB, which spills to disk beyond them
# Of more than some 2 million rows the joins of near copies do not end in that: then DuckDB may hold
# this share of what the rows take on disk. Rather more memory than no answer.
MEMORY_SHARE: Final = 0.6
TOLERANCE: Final = 1e-9  # relative; sums of logarithms depend on the order of addition


HOST: Final = "nullif(lower(regexp_extract(source_url, '^[a-zA-Z]+://([^/:?#]+)', 1)), '')"
POISON: Final = ("caption_repeated", "trigger_patch", "url_drift", "feature_outlier")
"""Codes of findings that may be signs of poisoning."""


class Question(NamedTuple):
    """A figure before it is known."""

    id: str
    title: str
    unit: str
    query: str


def _count(where: str) -> str:
    return f"SELECT count(*) FROM {SAMPLES} WHERE {where}"


def _share(where: str) -> str:
    return f"SELECT avg(({where})::INT) FROM {SAMPLES}"


QUESTIONS: Final = (
    Question("pictures", "Pictures", "pictures", f"SELECT count(*) FROM {SAMPLES}"),
    Question("bytes", "Bytes", "bytes", f"SELECT sum(bytes)::BIGINT FROM {SAMPLES}"),
    Question("broken", "Files that could not be measured", "files", _count("problem IS NOT NULL")),
    Question("annotated", "Pictures with annotations", "pictures", _count("annotated")),
    Question("consent.permitted", "Share with consent", "share", _share("standing = 'permitted'")),
    Question("consent.contested", "Consent contested", "pictures",
             _count("standing = 'contested'")),
    Question("consent.denied", "Consent denied", "pictures", _count("standing = 'denied'")),
    Question("consent.unknown", "Consent unknown", "pictures", _count("consent = 'unknown'")),
    Question("consent.withdrawn", "Consent withdrawn", "pictures", _count("consent = 'withdrawn'")),
    Question("consent.expired", "Consent expired", "pictures", _count("consent = 'expired'")),
    Question(
        "consent.evidence", "Consent with evidence", "pictures",
        _count("standing <> 'denied' AND consent_evidence IS NOT NULL"),
    ),
    Question("licence.known", "Share with a known licence", "share",
             _share("licence_use <> 'unspecified'")),
    Question("licence.unknown", "Licence unknown", "pictures",
             _count("licence_use = 'unspecified'")),
    Question("licence.conflict", "Licence forbids the use", "pictures", _count("fit = 'conflict'")),
    Question("licence.attribution", "Attribution required", "pictures", _count("attribution")),
    Question("licence.share_alike", "Share-alike required", "pictures", _count("share_alike")),
    Question(
        "usable", "Share with consent and a licence that fits", "share",
        _share("standing = 'permitted' AND licence_use <> 'unspecified' "
               "AND coalesce(fit, 'allowed') = 'allowed' AND reserved IS NULL AND problem IS NULL"),
    ),
    Question("origin.source", "Pictures with a source", "pictures",
             _count("source_url IS NOT NULL")),
    Question("origin.hosts", "Hosts that pictures came from", "groups",
             f"SELECT count(DISTINCT {HOST}) FROM {SAMPLES}"),
    Question("origin.largest", "Largest share of one host, of pictures with a source", "share",
             f"SELECT max(n) / sum(n) FROM (SELECT count(*) AS n FROM {SAMPLES} "
             f"WHERE {HOST} IS NOT NULL GROUP BY {HOST})"),
    Question("rights.asked", "Pictures for which reservations were looked up", "pictures",
             _count("rights_asked")),
    Question("rights.reserved", "Pictures whose rights are reserved", "pictures",
             _count("reserved IS NOT NULL")),
    Question("subjects", "Subjects named", "groups",
             f"SELECT count(DISTINCT subject) FROM {SAMPLES}"),
    Question("privacy.gps", "Pictures with a position", "pictures", _count("gps")),
    Question("privacy.serial", "Pictures with a serial number", "pictures", _count("serial")),
    Question("privacy.owner", "Pictures with an owner's name", "pictures", _count("owner")),
    Question("privacy.caption", "Captions with personal data", "pictures",
             _count("caption_personal IS NOT NULL")),
    Question("privacy.read", "Pictures that were read", "pictures",
             _count("text_personal IS NOT NULL")),
    Question("privacy.text", "Pictures with personal data in writing", "pictures",
             _count("text_personal <> ''")),
    Question("privacy.faces", "Pictures that may show faces", "pictures", _count("faces > 0")),
    Question("synthetic", "Pictures that say that AI made them", "pictures", _count("synthetic")),
    Question("c2pa", "Pictures with a C2PA credential", "pictures", _count("c2pa")),
    Question("c2pa.broken", "C2PA credentials that are not intact", "pictures",
             _count("c2pa AND credential <> 'intact'")),
    Question(
        "duplicates.exact", "Exact copies beyond the first", "files",
        f"SELECT count(*) - count(DISTINCT sha256) FROM {SAMPLES} WHERE problem IS NULL",
    ),
    Question(
        "duplicates.near", "Near copies beyond the first", "files",
        f"SELECT count(*) - count(DISTINCT near) FROM {DUPLICATES}",
    ),
    Question(
        "leaks", "Pictures that lie in several splits", "groups",
        f"SELECT count(*) FROM (SELECT same FROM {ALIKE} WHERE problem IS NULL "
        "GROUP BY same HAVING min(split) <> max(split))",
    ),
    Question("poison", "Signs of poisoning", "rows",
             f"SELECT count(*) FROM {FINDINGS} WHERE code IN "
             f"({', '.join(repr(code) for code in POISON)})"),
    Question("findings", "Findings", "rows", f"SELECT count(*) FROM {FINDINGS}"),
)  # fmt: skip


def balance_questions(attributes: Sequence[str]) -> list[Question]:
    """Coverage, entropy and evenness of an attribute or an intersection.

    Combinations count out of all that could be: the product of the values seen of each attribute.
    """
    columns = [f'"{ATTRIBUTE_PREFIX}{name}"' for name in attributes]
    possible = " * ".join(f"count(DISTINCT {column})" for column in columns)
    stated = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    listed = ", ".join(columns)
    name = " x ".join(attributes)
    slug = ".".join(["balance", "*".join(attributes)])
    cells = (
        f"WITH cells AS (SELECT count(*) AS n FROM {SAMPLES} WHERE {stated} GROUP BY {listed}), "
        f"possible AS (SELECT {possible} AS k FROM {SAMPLES} WHERE {stated}), "
        "shares AS (SELECT n / sum(n) OVER () AS p FROM cells) "
    )
    return [
        Question(f"{slug}.stated", f"{name}: pictures", "pictures", _count(stated)),
        Question(f"{slug}.empty", f"{name}: empty cells", "cells",
                 f"{cells}SELECT (SELECT k FROM possible) - (SELECT count(*) FROM cells)"),
        Question(f"{slug}.entropy", f"{name}: normalised entropy", "index",
                 f"{cells}SELECT CASE WHEN (SELECT k FROM possible) < 2 THEN 1.0 ELSE "
                 "-sum(p * ln(p)) / ln((SELECT k FROM possible)) END FROM shares"),
        Question(f"{slug}.evenness", f"{name}: Simpson evenness", "index",
                 f"{cells}SELECT CASE WHEN (SELECT k FROM possible) < 2 THEN 1.0 ELSE "
                 "1 / sum(p * p) / (SELECT k FROM possible) END FROM shares"),
    ]  # fmt: skip


@contextmanager
def database(folder: Path) -> Iterator["DuckDBPyConnection"]:
    """A DuckDB that reads relative paths from ``folder`` and keeps nothing. Its memory is bounded:
    200 MB, or more where the rows of the audit are large."""
    import duckdb

    rows = sum(file.stat().st_size for file in (folder / "samples").glob("*.parquet"))
    memory = max(MEMORY, int(MEMORY_SHARE * rows))
    # One thread: each thread more holds buffers of its own.
    connection = duckdb.connect(config={"threads": 1, "memory_limit": f"{memory}B"})
    try:
        connection.execute(f"SET file_search_path = {quoted(folder)}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET temp_directory = {quoted(tempfile.gettempdir())}")
        yield connection
    finally:
        connection.close()


def quoted(text: Path | str) -> str:
    """A string as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def answer(connection: "DuckDBPyConnection", query: str) -> float | int | None:
    """The single number that a query gives."""
    ((value,),) = connection.execute(query).fetchall()
    return value if value is None or isinstance(value, int) else float(value)


def ask(connection: "DuckDBPyConnection", questions: Sequence[Question]) -> list[Figure]:
    """The figures that answer ``questions``."""
    return [
        Figure.model_validate({**q._asdict(), "value": answer(connection, q.query)})
        for q in questions
    ]


class Recomputed(NamedTuple):
    """A figure as the report has it and as its query gives it now."""

    figure: Figure
    now: float | int | None
    agrees: bool


def load_report(folder: Path) -> AuditReport:
    """The report in ``folder``. Raises SourceInvalid if there is none."""
    path = folder / REPORT
    try:
        return AuditReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path} is not the report of an audit: {error}") from error


def recompute(folder: Path) -> list[Recomputed]:
    """Run the query of every figure of the report in ``folder`` again."""
    report = load_report(folder)
    compared = []
    with database(folder) as connection:
        for figure in report.figures:
            now = answer(connection, figure.query)
            compared.append(Recomputed(figure, now, _agree(figure.value, now)))
    return compared


def _agree(then: float | int | None, now: float | int | None) -> bool:
    if then is None or now is None:
        return then is now
    return abs(then - now) <= TOLERANCE * max(1.0, abs(then))
