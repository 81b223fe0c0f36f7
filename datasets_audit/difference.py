"""Two versions of a data set compared: what came, went and changed, and what it did to the figures.

A version is the folder of an audit, or an event in the ledger. Of two folders every sample is
compared; where one is an event alone there are sums and no samples, and the difference says so.
"""

# ruff: noqa: S608 - built of our own names

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import load_report
from datasets_audit.recording import VERSION_KIND, licence_uses
from datasets_audit.report import AuditReport
from policies.decision import Frozen
from provenance.ledger import Ledger

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXAMPLES: Final = 20  # keys of each kind of change
SHORTEST_ROOT: Final = 8  # hex digits that stand for a root


class Sums(Frozen):
    """A version in numbers. ``consent``, ``licences`` (by use) and ``findings``: counts."""

    name: str
    root: str
    as_of: date
    samples: int
    bytes: int
    consent: Mapping[str, int]
    licences: Mapping[str, int]
    findings: Mapping[str, int]


class Count(Frozen):
    """A count that is not what it was."""

    what: str
    before: int
    after: int


class Move(Frozen):
    """Samples that were kept and went from one value to another; None is no value."""

    before: str | None
    after: str | None
    samples: int


class Changed(Frozen):
    """Samples of one kind of change, and the first of their keys."""

    samples: int
    keys: tuple[str, ...]


class Samples(Frozen):
    """Samples, told apart by key. ``changed``: another file under the same key.

    ``renamed``: of those added, how many are a file that was there under a key that is gone.
    """

    added: Changed
    removed: Changed
    changed: Changed
    renamed: int
    consent: tuple[Move, ...]
    licences: tuple[Move, ...]


class Cell(Frozen):
    """A published cell of a balance table that moved; a share of those who state it."""

    attributes: tuple[str, ...]
    values: tuple[str, ...]
    before: int
    after: int
    share_before: float
    share_after: float


class Difference(Frozen):
    """What is different. ``samples`` and ``cells`` are None where a folder would be needed.

    ``hidden``: cells that one of the two reports hides, and so are not compared.
    """

    before: Sums
    after: Sums
    same: bool
    consent: tuple[Count, ...]
    licences: tuple[Count, ...]
    findings_new: tuple[Count, ...]
    findings_gone: tuple[Count, ...]
    findings_changed: tuple[Count, ...]
    samples: Samples | None
    cells: tuple[Cell, ...] | None
    hidden: int
    not_compared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a comparison; ``report`` and ``folder`` are None of an event alone."""

    sums: Sums
    report: AuditReport | None = None
    folder: Path | None = None


def version_in(folder: Path) -> Version:
    """The version that was audited into ``folder``. Raises SourceInvalid."""
    report = load_report(folder)
    sums = Sums(
        name=report.name,
        root=report.root,
        as_of=report.as_of,
        samples=report.source.pictures,
        bytes=report.source.bytes,
        consent={count.state.value: count.count for count in report.consent},
        licences=licence_uses(report),
        findings={group.code: group.count for group in report.findings},
    )
    return Version(sums, report, folder)


def version_on_record(ledger: Ledger, named: str) -> Version:
    """The version that the ledger has by the id of its entry, by its root or the first 8 digits of
    it, or by the name of the data set, of which it is then the last. Raises SourceInvalid."""
    found: dict[str, Sums] = {}
    for entry in ledger.entries(kind=VERSION_KIND):
        sums = _sums_of(entry.id, entry.body)
        by_root = len(named) >= SHORTEST_ROOT and sums.root.startswith(named)
        if named in (entry.id, sums.name) or by_root:
            found = {sums.root: sums} if named == sums.name else found | {sums.root: sums}
    if len(found) != 1:
        few = "Several versions have" if found else "Neither a folder nor a version on record has"
        raise SourceInvalid(
            f"{few} the name or root {named!r}. Give the folder of an audit, or the root that "
            "its report.json names."
        )
    (only,) = found.values()
    return Version(only)


def _sums_of(entry: str, body: Mapping[str, object]) -> Sums:
    fields = {name: body.get(name) for name in Sums.model_fields}
    dataset = body.get("dataset")
    try:
        return Sums.model_validate(fields | (dataset if isinstance(dataset, dict) else {}))
    except ValidationError as error:
        raise SourceInvalid(f"The entry {entry} holds no version of a data set.") from error


def compare(before: Version, after: Version) -> Difference:
    """What is different in ``after``. Raises SourceInvalid where rows cannot be read."""
    found = {count.what: count for count in _counts(before.sums.findings, after.sums.findings)}
    samples = _samples(before, after)
    cells, hidden = _cells(before.report, after.report)
    return Difference(
        before=before.sums,
        after=after.sums,
        same=before.sums.root == after.sums.root,
        consent=tuple(_counts(before.sums.consent, after.sums.consent)),
        licences=tuple(_counts(before.sums.licences, after.sums.licences)),
        findings_new=tuple(one for one in found.values() if not one.before),
        findings_gone=tuple(one for one in found.values() if not one.after),
        findings_changed=tuple(one for one in found.values() if one.before and one.after),
        samples=samples,
        cells=cells,
        hidden=hidden,
        not_compared=() if samples else (_WITHOUT_FOLDERS,),
    )


_WITHOUT_FOLDERS: Final = (
    "Single samples and balance: the ledger holds sums alone. Give the folders of both audits."
)


def _counts(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Count]:
    for what in sorted(before.keys() | after.keys()):
        was, now = before.get(what, 0), after.get(what, 0)
        if was != now:
            yield Count(what=what, before=was, after=now)


def _cells(
    before: AuditReport | None, after: AuditReport | None
) -> tuple[tuple[Cell, ...] | None, int]:
    if before is None or after is None:
        return None, 0
    was, now = _published(before), _published(after)
    hidden = sum(was[cell] is None or now[cell] is None for cell in was.keys() & now.keys())
    moved = []
    for cell in dict.fromkeys([*was, *now]):
        old, new = was.get(cell, (0, 0.0)), now.get(cell, (0, 0.0))
        if old is None or new is None or old == new:
            continue
        moved.append(
            Cell(
                attributes=cell[0],
                values=cell[1],
                before=old[0],
                after=new[0],
                share_before=old[1],
                share_after=new[1],
            )
        )
    moved.sort(key=lambda one: -abs(one.share_after - one.share_before))
    return tuple(moved), hidden


def _published(
    report: AuditReport,
) -> dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[int, float] | None]:
    """Count and share of every cell, None where it is hidden."""
    return {
        (table.attributes, cell.values): None
        if cell.count is None or cell.share is None
        else (cell.count, cell.share)
        for table in chain(report.balance.intersections, report.balance.attributes)
        for cell in table.cells
    }


# Several rows can go by one key, so rows pair up by key and their place among its rows.
_PAIRED: Final = (
    "CREATE TEMP TABLE paired AS SELECT b.key AS was, a.key AS now, b.sha256 AS old, "
    "a.sha256 AS new, b.consent AS consent_was, a.consent AS consent_now, "
    "coalesce(b.licence_expression, b.licence) AS licence_was, "
    "coalesce(a.licence_expression, a.licence) AS licence_now FROM "
    "(SELECT *, row_number() OVER (PARTITION BY key ORDER BY sha256) AS nth FROM before) b "
    "FULL JOIN (SELECT *, row_number() OVER (PARTITION BY key ORDER BY sha256) AS nth FROM after) "
    "a ON a.key = b.key AND a.nth = b.nth"
)


def _samples(before: Version, after: Version) -> Samples | None:
    import duckdb

    rows = {"before": _rows(before), "after": _rows(after)}
    if not all(rows.values()):
        return None
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "400MB"})
    try:
        for name, files in rows.items():
            connection.read_parquet(files).create_view(name)
        connection.execute(_PAIRED)
        (renamed,) = connection.execute(
            "SELECT count(*) FROM paired WHERE was IS NULL AND new IN "
            "(SELECT old FROM paired WHERE now IS NULL)"
        ).fetchall()[0]
        return Samples(
            added=_changed(connection, "was IS NULL", "now"),
            removed=_changed(connection, "now IS NULL", "was"),
            changed=_changed(connection, f"{_KEPT} AND old IS DISTINCT FROM new", "now"),
            renamed=renamed,
            consent=_moves(connection, "consent"),
            licences=_moves(connection, "licence"),
        )
    except duckdb.IOException as error:
        raise SourceInvalid(f"The rows of an audit cannot be read: {error}") from error
    finally:
        connection.close()


def _rows(version: Version) -> list[str]:
    if version.report is None or version.folder is None:
        return []
    return [str(version.folder / shard.file) for shard in version.report.shards]


_KEPT: Final = "was IS NOT NULL AND now IS NOT NULL"


def _changed(connection: "DuckDBPyConnection", where: str, key: str) -> Changed:
    ((samples,),) = connection.execute(f"SELECT count(*) FROM paired WHERE {where}").fetchall()
    rows = connection.execute(
        f"SELECT {key} FROM paired WHERE {where} ORDER BY {key} LIMIT {EXAMPLES}"
    ).fetchall()
    return Changed(samples=samples, keys=tuple(key for (key,) in rows))


def _moves(connection: "DuckDBPyConnection", column: str) -> tuple[Move, ...]:
    rows = connection.execute(
        f"SELECT {column}_was, {column}_now, count(*) AS n FROM paired WHERE {_KEPT} "
        f"AND {column}_was IS DISTINCT FROM {column}_now GROUP BY ALL "
        "ORDER BY n DESC, 1, 2"
    ).fetchall()
    return tuple(Move(before=was, after=now, samples=count) for was, now, count in rows)
