"""What a subject's samples reach: versions of data sets, cores that learnt from them, and pictures
that those cores drew, as far as rows, settings and ledger say. What they cannot say is said too.

The ledger names no subject of a sample, so the rows of audits are searched, and a version on record
whose rows were not given stays an open question, never a no.
"""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import load_report
from datasets_audit.recording import VERSION_KIND, report_digest
from datasets_audit.report import AuditReport
from datasets_audit.shards import load_sketch_key
from datasets_audit.sketch import sketch_key
from policies.decision import Frozen
from provenance.home import CoreDataSet
from provenance.ledger import Ledger

EXAMPLES: Final = 20  # content ids of a core, keys of a version
DELIVERY: Final = "delivery"
NEVER_KNOWN: Final = (
    "Copies of the samples, or of a core, that left this home.",
    "Cores that learnt from a data set without a [[data_sets]] entry in wardmark.toml.",
    "What a core kept of a single sample: that it learnt from a set says what may be, and no more.",
)


class Reached(Frozen):
    """Samples of the subject in one version. ``consent``: samples by the state that stood then.

    ``entry``: id of the version's event, None if the audit is not on record. ``intact``: its rows
    are those that the report and the event stand for.
    """

    name: str
    root: str
    entry: str | None
    intact: bool
    samples: int
    consent: Mapping[str, int]
    keys: tuple[str, ...]


class Trained(Frozen):
    """A core that is declared to have learnt from a version that was reached."""

    core: str
    data_set: str
    digest: str


class Drawn(Frozen):
    """Pictures that a core delivered, by its name and the digest of its weights."""

    core: str
    core_digest: str
    pictures: int
    first: datetime
    last: datetime
    content_ids: tuple[str, ...]


class Impact(Frozen):
    """``subject``: pseudonym. ``unknown``: what could not be known here, and why."""

    subject: str
    searched: int
    versions: tuple[Reached, ...]
    cores: tuple[Trained, ...]
    pictures: tuple[Drawn, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _OnRecord:
    """A version that the ledger has: its event's id, name, root, and the report's digest."""

    entry: str
    name: str
    root: str
    report: str


def impact(
    subject: str,
    secret: bytes,
    folders: Sequence[Path],
    ledger: Ledger,
    declared: Sequence[CoreDataSet],
) -> Impact:
    """What the samples of ``subject`` (a pseudonym under ``secret``) reach.

    ``folders``: audits whose rows are searched. ``declared``: what cores learnt from. Raises
    SourceInvalid for a folder that holds no audit, LedgerUnavailable.
    """
    known = list(_on_record(ledger))
    searched: list[Reached] = []
    unknown: list[str] = []
    for folder in folders:
        report = load_report(folder)
        if not _is_keyed_so(folder, secret):
            unknown.append(f"{_short(report.name, report.root)}: {_FOREIGN}")
            continue
        found = _search(folder, report, subject, known)
        searched.append(found)
        if not found.intact:
            unknown.append(f"{_short(found.name, found.root)}: its rows were changed since.")
    versions = tuple(found for found in searched if found.samples)
    reached = _digests(versions, known)
    cores = tuple(
        Trained(core=one.core, data_set=one.name, digest=one.digest)
        for one in declared
        if one.digest in reached
    )
    pictures = tuple(
        drawn for core in dict.fromkeys(one.core for one in cores) for drawn in _drawn(ledger, core)
    )
    if pictures:
        unknown.append(_WHEN_DRAWN)
    return Impact(
        subject=subject,
        searched=len(searched),
        versions=versions,
        cores=cores,
        pictures=pictures,
        unknown=(*unknown, *_not_searched(searched, known, declared), *NEVER_KNOWN),
    )


_FOREIGN: Final = (
    "audited under another home's key, under which this subject has another pseudonym."
)
_WHEN_DRAWN: Final = (
    "Which of a core's pictures were drawn before it learnt from the set: all that it delivered "
    "under its name are counted."
)


def _short(name: str, root: str) -> str:
    return f"{name} ({root[:12]})"


def _digests(versions: Sequence[Reached], known: Sequence[_OnRecord]) -> set[str]:
    """What may name these versions in wardmark.toml: their roots, the digests of their reports."""
    roots = {version.root for version in versions}
    return roots | {version.report for version in known if version.root in roots}


def _not_searched(
    searched: Sequence[Reached], known: Sequence[_OnRecord], declared: Sequence[CoreDataSet]
) -> Iterator[str]:
    """What stays open: versions on record, and what cores are declared to have learnt from."""
    roots = {found.root for found in searched}
    for name, root in dict.fromkeys((version.name, version.root) for version in known):
        if root not in roots:
            yield (
                f"{_short(name, root)}: on record, its rows were not searched. Name the folder of "
                "its audit with --audit."
            )
    digests = _digests(searched, known)
    for one in declared:
        if one.digest not in digests:
            yield (
                f"The core {one.core} learnt from {_short(one.name, one.digest)}, a version that "
                "was not searched."
            )


def _on_record(ledger: Ledger) -> Iterator[_OnRecord]:
    for entry in ledger.entries(kind=VERSION_KIND):
        match entry.body:
            case {"dataset": {"name": str(name), "root": str(root)}, "report": str(report)}:
                yield _OnRecord(entry.id, name, root, report)
            case _:
                raise SourceInvalid(f"The entry {entry.id} holds no version of a data set.")


def _is_keyed_so(folder: Path, secret: bytes) -> bool:
    return hmac.compare_digest(load_sketch_key(folder), sketch_key(secret))


def _search(
    folder: Path, report: AuditReport, subject: str, known: Sequence[_OnRecord]
) -> Reached:
    import duckdb

    digest = report_digest(report)
    files = [str(folder / shard.file) for shard in report.shards]
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "400MB"})
    try:
        connection.read_parquet(files).create_view("samples")
        rows = connection.execute(
            "SELECT consent, count(*), min(key, $2) FROM samples WHERE subject = $1 "
            "GROUP BY consent ORDER BY consent",
            [subject, EXAMPLES],
        ).fetchall()
    except duckdb.IOException as error:
        raise SourceInvalid(f"The rows of {folder} cannot be read: {error}") from error
    finally:
        connection.close()
    keys = sorted(key for _, _, some in rows for key in some)
    return Reached(
        name=report.name,
        root=report.root,
        entry=next((version.entry for version in known if version.report == digest), None),
        intact=all(_intact(folder, report, shard.file) for shard in report.shards),
        samples=sum(count for _, count, _ in rows),
        consent={state: count for state, count, _ in rows},
        keys=tuple(keys[:EXAMPLES]),
    )


def _intact(folder: Path, report: AuditReport, file: str) -> bool:
    with (folder / file).open("rb") as rows:
        return file_digest(rows, "sha256").hexdigest() == report.files.get(file)


def _drawn(ledger: Ledger, core: str) -> Iterator[Drawn]:
    """All deliveries of a core, for each digest of its weights."""
    said = f'"core":{json.dumps(core, ensure_ascii=False)}'
    found: dict[str, Drawn] = {}
    for entry in ledger.entries(kind=DELIVERY, mentioning=said):
        record = entry.body.get("record")
        if not isinstance(record, Mapping) or record.get("core") != core:
            continue
        digest, content_id = str(record["core_digest"]), str(record["content_id"])
        before = found.get(digest)
        ids = before.content_ids if before else ()
        found[digest] = Drawn(
            core=core,
            core_digest=digest,
            pictures=before.pictures + 1 if before else 1,
            first=before.first if before else entry.at,
            last=entry.at,
            content_ids=(*ids, content_id)[:EXAMPLES],
        )
    yield from found.values()
