"""Where the audits of a home lie: one small file for each version, in ``HOME/audits``.

The ledger names no folder, since folders move and entries stay. So the home remembers where an
audit was written, and whoever looks for it holds the report that lies there against its digest.
"""

import os
from collections.abc import Mapping, Sequence
from hashlib import file_digest, sha256
from pathlib import Path

from pydantic import ValidationError

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import REPORT, load_report
from datasets_audit.recording import VERSION_KIND, report_digest
from datasets_audit.report import AuditReport
from policies.decision import Frozen
from provenance.errors import OutputFailed
from provenance.ledger import Ledger

FOLDER = "audits"


class Place(Frozen):
    """Where the audit of a version was written. ``report``: the digest of its report.

    ``file``: SHA-256 (hex) of ``report.json`` as it was written; None in homes of earlier versions.
    """

    name: str
    root: str
    report: str
    folder: str
    file: str | None = None


def remember(home: Path, report: AuditReport, folder: Path) -> None:
    """Keep where the audit of this version lies. Raises OutputFailed."""
    place = Place(
        name=report.name,
        root=report.root,
        report=report_digest(report),
        folder=str(folder.resolve()),
        file=_digest(folder),
    )
    path = home / FOLDER / f"{report.root}.json"
    beside = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        beside.write_text(place.model_dump_json(indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise OutputFailed(
            f"{path} cannot be written: {error.strerror}. Check the permissions of the home."
        ) from error


def memory_of(home: Path, name: str) -> Path:
    """The file that remembers what was measured of the data set ``name``."""
    return home / FOLDER / f"{sha256(name.encode()).hexdigest()[:16]}.measured"


def folder_of(home: Path, root: str) -> Path | None:
    """The folder of the audit of the version ``root``, if its report still lies there.

    The report is hashed and not read: of a large data set it has megabytes.
    """
    try:
        place = Place.model_validate_json((home / FOLDER / f"{root}.json").read_bytes())
        folder = Path(place.folder)
        if place.file is not None:
            return folder if place.root == root and _digest(folder) == place.file else None
        report = load_report(folder)
    except (OSError, ValidationError, SourceInvalid):
        return None
    return folder if report.root == root and report_digest(report) == place.report else None


def _digest(folder: Path) -> str | None:
    """Of the report in ``folder``, None if there is none."""
    try:
        with (folder / REPORT).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def folders_of(home: Path, ledger: Ledger) -> list[Path]:
    """Folders of all versions on record that are still where they were written, each once."""
    roots = dict.fromkeys(
        str(named.get("root"))
        for entry in ledger.entries(kind=VERSION_KIND)
        if isinstance(named := entry.body.get("dataset"), Mapping)
    )
    found = (folder_of(home, root) for root in roots)
    return [folder for folder in found if folder is not None]


def known_audits(
    home: Path, versions: Mapping[str, Sequence[str]]
) -> tuple[list[Path], list[str]]:
    """Folders of the last version of every data set, and the names of those that were not found.

    ``versions``: name of a data set -> roots on record, the newest last.
    """
    folders, lost = [], []
    for name, roots in versions.items():
        folder = folder_of(home, roots[-1])
        if folder is None:
            lost.append(name)
        else:
            folders.append(folder)
    return folders, lost
