"""Data sets as pages show them: their versions on record, where their reports lie, withdrawals."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.proof import Discrepancy, check_report
from datasets_audit.recording import VERSION_KIND
from datasets_audit.register import folder_of
from policies.decision import Frozen
from provenance.errors import LedgerEntryNotFound
from provenance.home import Home
from provenance.ledger import Entry, Ledger
from provenance.ledger.forgetting.subjects import WITHDRAWN

WITHDRAWALS_SHOWN: Final = 20


class Version(Frozen):
    """An audited version, as its event has it. ``consent``, ``licences`` and ``findings``: counts.

    ``here``: its report lies where it was written, unchanged.
    """

    name: str
    root: str
    entry: str
    recorded_at: datetime
    as_of: str
    shards: int
    samples: int
    bytes: int
    consent: Mapping[str, int]
    licences: Mapping[str, int]
    findings: Mapping[str, int]
    here: bool


class DataSet(Frozen):
    """All versions of one data set, the newest first."""

    name: str
    versions: tuple[Version, ...]

    @property
    def last(self) -> Version:
        """The newest."""
        return self.versions[0]


class Withdrawn(Frozen):
    """Somebody took their consent back. Who it was stands nowhere."""

    entry: str
    at: datetime


class Checked(Frozen):
    """A report held against its files and the ledger, just now."""

    found: tuple[Discrepancy, ...]


def data_sets(home: Home) -> tuple[DataSet, ...]:
    """Every data set on record, the last audited first."""
    versions: dict[str, list[Version]] = {}
    for entry in home.ledger.latest(VERSION_KIND):
        version = _version(entry, home.path)
        versions.setdefault(version.name, []).append(version)
    return tuple(DataSet(name=name, versions=tuple(held)) for name, held in versions.items())


def withdrawals(ledger: Ledger) -> tuple[Withdrawn, ...]:
    """The last ones."""
    entries = islice(ledger.latest(WITHDRAWN), WITHDRAWALS_SHOWN)
    return tuple(Withdrawn(entry=entry.id, at=entry.at) for entry in entries)


def version_of(home: Home, root: str) -> Version:
    """The version with that root, as it was recorded last. Raises LedgerEntryNotFound."""
    for entry in home.ledger.latest(VERSION_KIND):
        version = _version(entry, home.path)
        if version.root == root:
            return version
    raise LedgerEntryNotFound(f"no version of a data set with the root {root[:64]!r} is on record")


def report_of(home: Home, root: str) -> Path:
    """The page of the report. Raises LedgerEntryNotFound, SourceInvalid where it lies elsewhere."""
    folder = folder_of(home.path, version_of(home, root).root)
    if folder is None:
        raise SourceInvalid(
            f"the report on {root[:16]} does not lie where it was written, or was changed; put it"
            " back, or audit again"
        )
    return folder / "report.html"


def check(home: Home, root: str) -> Checked:
    """Hold a report against its files, its figures and the ledger. Raises as ``report_of``."""
    folder = report_of(home, root).parent
    return Checked(found=tuple(check_report(folder, home.ledger.keys())))


def _version(entry: Entry, home: Path) -> Version:
    body: Mapping[str, Any] = entry.body
    root = body["dataset"]["root"]
    return Version(
        name=body["dataset"]["name"],
        root=root,
        entry=entry.id,
        recorded_at=entry.at,
        as_of=body["as_of"],
        shards=body["shards"],
        samples=body["samples"],
        bytes=body["bytes"],
        consent=body["consent"],
        licences=body["licences"],
        findings=body["findings"],
        here=folder_of(home, root) is not None,
    )

