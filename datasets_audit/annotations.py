"""Annotations from CSV, TSV, JSON lines or Parquet, checked before the pass begins.

Everything wrong in them is either an AnnotationsInvalid that names rows, or a finding;
docs/audit.md lists the columns. The table lives in DuckDB on disk, so 10^7 rows need no memory.
"""

# ruff: noqa: S608 - built of our names and of columns that are quoted; values are bound

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from datasets_audit.consent import ConsentClaim, ConsentState
from datasets_audit.declaration import AttributeOrigin, Declaration
from datasets_audit.errors import AnnotationsInvalid
from datasets_audit.findings import Finding
from datasets_audit.sample import ATTRIBUTE_PREFIX, ORIGIN_PREFIX

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY_COLUMNS: Final = ("key", "file", "path", "id")
COLUMNS: Final = (
    "consent_state",
    "consent_evidence",
    "consent_expires",
    "consent_since",
    "consent_sha256",
    "licence",
    "subject_id",
    "creator",
    "caption",
    "split",
    "source_url",
    "sha256",
    "label",
)
DATES: Final[tuple[str, ...]] = ("consent_expires", "consent_since")
DIGESTS: Final[tuple[str, ...]] = ("sha256", "consent_sha256")
SYNONYMS: Final = {"license": "licence"}
MAX_HEADER_BYTES: Final = 65_536
MAX_ROWS_NAMED: Final = 5  # of each kind of mistake, in one message
MEMORY_LIMIT: Final = "150MB"  # of DuckDB, which spills to disk beyond it

_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,63}")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class _Mistake(NamedTuple):
    row: int
    said: str


class _Mistakes:
    """What is wrong with a file: how much of it, and the first of each kind by row."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[_Mistake] = []

    def add(self, count: int, first: Iterable[tuple[int, str]]) -> None:
        """``count`` mistakes of one kind, the ``first`` of which are named."""
        self.count += count
        self.named += [_Mistake(*one) for one in first]

    def refuse(self, path: Path, advice: str = "Correct them.") -> None:
        """Raises AnnotationsInvalid if there are any."""
        if not self.count:
            return
        named = sorted(self.named)[:MAX_ROWS_NAMED]
        said = "; ".join(f"row {row}: {what}" for row, what in named)
        more = self.count - len(named)
        rest = f"; and {more:,} more" if more > 0 else ""
        raise AnnotationsInvalid(f"{path.name}: {said}{rest}. {advice}")


class Annotations:
    """The rows of one annotation file. A context manager: it holds a database open.

    ``attributes``: names of the ``attr.`` columns in file order. ``unused``: columns that mean
    nothing to an audit. ``without_origin``: attributes of which it is not said who stated them.
    """

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        columns: Collection[str],
        attributes: Sequence[str],
        unused: Sequence[str],
    ) -> None:
        self._connection = connection
        self.attributes = tuple(attributes)
        self.unused = tuple(unused)
        self.without_origin = tuple(n for n in attributes if ORIGIN_PREFIX + n not in columns)
        self.rows: int = connection.execute("SELECT count(*) FROM annotations").fetchall()[0][0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def lookup(self, keys: Sequence[str]) -> dict[str, list[Declaration]]:
        """The rows of each of these keys, in file order; keys without a row are absent."""
        cursor = self._connection.execute(
            "SELECT * FROM annotations WHERE key IN (SELECT unnest($1)) ORDER BY row",
            [list(keys)],
        )
        found: dict[str, list[Declaration]] = {}
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(10_000):
            for values in rows:
                row = dict(zip(names, values, strict=True))
                found.setdefault(row["key"], []).append(self._declaration(row))
        return found

    def without_picture(self, samples: Path) -> Iterator[Finding]:
        """A finding for every row whose key no sample in the Parquet files ``samples`` has."""
        cursor = self._connection.execute(
            "SELECT row, key FROM annotations "
            "WHERE key NOT IN (SELECT key FROM read_parquet($1)) ORDER BY row",
            [str(samples)],
        )
        while rows := cursor.fetchmany(10_000):
            for row, key in rows:
                yield Finding("annotation_without_picture", key, row)

    def source_urls(self) -> Iterator[str]:
        """Every address that a row names as its source."""
        columns = self._connection.execute("DESCRIBE annotations").fetchall()
        if "source_url" not in {column[0] for column in columns}:
            return
        cursor = self._connection.execute(
            "SELECT DISTINCT source_url FROM annotations WHERE source_url IS NOT NULL"
        )
        while rows := cursor.fetchmany(10_000):
            yield from (url for (url,) in rows)

    def _declaration(self, row: dict[str, Any]) -> Declaration:
        attributes = {n: v for n in self.attributes if (v := row[ATTRIBUTE_PREFIX + n])}
        return Declaration(
            row=row["row"],
            claim=ConsentClaim(
                ConsentState(row.get("consent_state") or "unknown"),
                row.get("consent_evidence"),
                row.get("consent_expires"),
                row.get("consent_since"),
                (row.get("consent_sha256") or "").lower() or None,
            ),
            licence=row.get("licence"),
            subject_id=row.get("subject_id"),
            creator=row.get("creator"),
            caption=row.get("caption"),
            split=row.get("split"),
            source_url=row.get("source_url"),
            sha256=row.get("sha256"),
            label=row.get("label"),
            attributes=attributes,
            origins={n: v for n in attributes if (v := row.get(ORIGIN_PREFIX + n))},
        )


def load_annotations(path: Path, workspace: Path) -> Annotations:
    """Read and check a whole annotation file. ``workspace`` is a folder for the database.

    Raises AnnotationsInvalid with the numbers of the rows at fault. Row 1 of a CSV is its header.
    """
    import duckdb

    if not path.is_file():
        raise AnnotationsInvalid(f"The annotations {path} are not there. Check the path.")
    connection = duckdb.connect(str(workspace / "annotations.duckdb"))
    try:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        try:
            _read(connection, path)
            columns, attributes, unused = _columns(connection, path)
            _canonical(connection, columns)
        except (duckdb.Error, OSError) as error:
            reason = str(error).split("\n", 1)[0]
            raise AnnotationsInvalid(
                f"{path.name} cannot be read: {reason}. Write it as UTF-8 CSV with a header."
            ) from error
        _check(connection, path, columns, attributes)
    except BaseException:
        connection.close()
        raise
    return Annotations(connection, columns, attributes, unused)


def _read(connection: "DuckDBPyConnection", path: Path) -> None:
    """Load the file as it stands into the table ``raw``, with its row numbers."""
    suffix = path.suffix.lower()
    if suffix in _DELIMITERS:
        _check_encoding(path)
        _check_header(path, _DELIMITERS[suffix])
        connection.execute(
            "CREATE TABLE raw AS "
            "SELECT row_number() OVER () + 1 AS wardmark_row, * FROM read_csv($1, "
            f"delim = '{_DELIMITERS[suffix]}', header = true, all_varchar = true, quote = '\"', "
            "escape = '\"', comment = '', skip = 0, store_rejects = true)",
            [str(path)],
        )
        mistakes = _Mistakes()
        rejected = "(SELECT line, any_value(error_message) FROM reject_errors GROUP BY line)"
        mistakes.add(*_first(connection, rejected))
        mistakes.refuse(path)
    elif suffix in (".jsonl", ".ndjson"):
        _check_encoding(path)
        connection.execute(
            "CREATE TABLE raw AS SELECT row_number() OVER () AS wardmark_row, * FROM read_json($1, "
            "format = 'newline_delimited', sample_size = -1)",
            [str(path)],
        )
    elif suffix == ".parquet":
        connection.execute(
            "CREATE TABLE raw AS SELECT row_number() OVER () AS wardmark_row, * "
            "FROM read_parquet($1)",
            [str(path)],
        )
    else:
        raise AnnotationsInvalid(
            f"{path.name} is not a kind of annotations that is read: .csv, .tsv, .jsonl, .parquet."
        )


def _check_encoding(path: Path) -> None:
    """Text must be UTF-8 throughout; a file joined from several encodings names its lines."""
    mistakes = _Mistakes()
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise AnnotationsInvalid(f"{path.name} is UTF-16. Save it as UTF-8.")
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                said = (number, f"byte {error.start + 1} is not UTF-8")
                mistakes.add(1, [said] if mistakes.count < MAX_ROWS_NAMED else [])
    mistakes.refuse(path, "Save the whole file as UTF-8.")


def _check_header(path: Path, delimiter: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline(MAX_HEADER_BYTES)
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise AnnotationsInvalid(
            f"{path.name} has several columns named {', '.join(repeated)}. Keep one of each."
        )


def _columns(
    connection: "DuckDBPyConnection", path: Path
) -> tuple[dict[str, str], list[str], list[str]]:
    """Our column -> theirs, the attributes, and the columns left over."""
    given = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()][1:]
    by_name = {name.strip().lower(): name for name in reversed(given)}
    by_name = {SYNONYMS.get(name, name): theirs for name, theirs in by_name.items()}
    key = next((name for name in KEY_COLUMNS if name in by_name), None)
    if key is None:
        raise AnnotationsInvalid(
            f"{path.name} has no column that names the picture ({', '.join(KEY_COLUMNS)}); "
            f"it has {', '.join(given)}."
        )
    columns = {"key": by_name[key]}
    columns |= {name: by_name[name] for name in COLUMNS if name in by_name}
    attributes = []
    for theirs in given:
        lowered = theirs.strip().lower()
        if not lowered.startswith(ATTRIBUTE_PREFIX):
            continue
        name = theirs.strip()[len(ATTRIBUTE_PREFIX) :]
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise AnnotationsInvalid(
                f"{path.name}: {theirs!r} is no name for an attribute. Use letters, digits, "
                "hyphens and underscores, 64 at most."
            )
        attributes.append(name)
        columns[ATTRIBUTE_PREFIX + name] = theirs
        origin = by_name.get(ORIGIN_PREFIX + name.lower())
        if origin is not None:
            columns[ORIGIN_PREFIX + name] = origin
    unused = [name for name in given if name not in columns.values()]
    return columns, attributes, unused


def _canonical(connection: "DuckDBPyConnection", columns: dict[str, str]) -> None:
    """The table ``annotations``: our names, trimmed text, '' as absent, sorted for look-ups."""
    selected = ", ".join(
        f"nullif(trim({_quoted(theirs)}::VARCHAR), '') AS {_quoted(ours)}"
        for ours, theirs in columns.items()
    )
    connection.execute(f"CREATE TABLE text AS SELECT wardmark_row AS row, {selected} FROM raw")
    replaced = ["regexp_replace(replace(key, '\\', '/'), '^(\\./)+', '') AS key"]
    if "consent_state" in columns:
        replaced.append("lower(consent_state) AS consent_state")
    replaced += [f"{_date(name)} AS {name}" for name in DATES if name in columns]
    replaced += [
        f"lower({_quoted(name)}) AS {_quoted(name)}"
        for name in columns
        if name.startswith(ORIGIN_PREFIX)
    ]
    connection.execute(
        f"CREATE TABLE annotations AS SELECT * REPLACE ({', '.join(replaced)}) FROM text "
        "ORDER BY key, row"
    )


# Parquet and JSON hold dates as timestamps; a CSV holds what somebody typed.
def _date(name: str) -> str:
    return f"coalesce(try_cast({name} AS DATE), try_cast({name} AS TIMESTAMP)::DATE)"


def _check(
    connection: "DuckDBPyConnection", path: Path, columns: dict[str, str], attributes: Sequence[str]
) -> None:
    mistakes = _Mistakes()

    def bad(where: str, said: str) -> None:
        mistakes.add(*_first(connection, f"(SELECT row, {said} FROM text WHERE {where})"))

    bad("key IS NULL", "'the key is empty'")
    if "consent_state" in columns:
        states = ", ".join(f"'{state}'" for state in ConsentState)
        bad(
            f"lower(consent_state) NOT IN ({states})",
            f"format('consent_state {{}} is none of {', '.join(ConsentState)}', consent_state)",
        )
    for name in (one for one in DATES if one in columns):
        bad(
            f"{name} IS NOT NULL AND {_date(name)} IS NULL",
            f"format('{name} {{}} is not a date (write 2031-12-31)', {name})",
        )
    for name in (one for one in DIGESTS if one in columns):
        bad(
            f"NOT regexp_full_match(lower({name}), '[0-9a-f]{{64}}')",
            f"format('{name} {{}} is not 64 hex digits', {name})",
        )
    origins = ", ".join(f"'{origin}'" for origin in AttributeOrigin)
    for name in attributes:
        column = _quoted(ORIGIN_PREFIX + name)
        if ORIGIN_PREFIX + name in columns:
            bad(
                f"lower({column}) NOT IN ({origins})",
                f"format('{ORIGIN_PREFIX}{name} {{}} is none of {', '.join(AttributeOrigin)}', "
                f"{column})",
            )
    connection.execute("DROP TABLE raw; DROP TABLE text")
    mistakes.refuse(path)


def _first(connection: "DuckDBPyConnection", rows: str) -> tuple[int, list[tuple[int, str]]]:
    """How many ``rows`` there are, and the first of them by number."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
    few = f"SELECT * FROM {rows} ORDER BY 1 LIMIT {MAX_ROWS_NAMED}"
    return count, connection.execute(few).fetchall() if count else []


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
