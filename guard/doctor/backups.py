"""Backups: of the ledger, recent, of this very history, and never beside the keys of subjects."""

import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from guard.doctor.subject import Remarks, Subject, fail, not_checked, ok, warn
from provenance.ledger import Ledger

SQLITE = b"SQLite format 3\x00"
POSTGRESQL = b"PGDMP"  # pg_dump -Fc, whose table of contents is not compressed and comes first
CONTENTS = 1 << 20  # bytes of a dump in which the names of its tables stand
LEDGER_TABLE, KEYS_TABLE = "checkpoint", "subject_key"
KEYS_FILE = "subject-keys"  # in a tar archive, how the file of the store is called
HOW = "docs/deploy.md says how: Backup and restore."


class _Backup(NamedTuple):
    path: Path
    tables: frozenset[str]

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    @property
    def is_sqlite(self) -> bool:
        return _begins_with(self.path, SQLITE)


def backups(subject: Subject) -> Remarks:
    """The folder of backups holds a recent ledger that leads to this one, and no subjects' keys."""
    if subject.backup is None:
        yield not_checked("no folder of backups was named", "Name it with --backup DIR.")
        return
    found = list(_found(subject.backup))
    mixed = [backup for backup in found if KEYS_TABLE in backup.tables]
    of_ledger = [backup for backup in found if LEDGER_TABLE in backup.tables]
    if not of_ledger:
        yield fail(f"{subject.backup} holds no backup of a ledger", f"Make one: {HOW}")
        return
    for backup in mixed:
        yield fail(
            f"{backup.path} holds keys of subjects beside a backup of the ledger: who left could"
            " be brought back",
            "Move copies of the keys to a place of their own (docs/forgetting.md).",
        )
    newest = max(of_ledger, key=lambda backup: backup.at)
    age = subject.now - newest.at
    if age > subject.limits.backup_age:
        yield warn(f"the newest, {newest.path}, is {age.days} days old", f"Make one daily: {HOW}")
    elif newest.is_sqlite:
        yield from _leads_here(subject, newest)
    else:
        yield ok(f"{newest.path}, {age.total_seconds() / 3600:.0f} hours old")
        yield not_checked("a dump can only be verified where it is restored", f"Try it: {HOW}")


def _leads_here(subject: Subject, backup: _Backup) -> Remarks:
    """The ledger of today must begin as the backup ends."""
    with (
        closing(subject.home.ledger) as current,
        closing(Ledger(f"sqlite:///{backup.path}", current.verifier)) as kept,
    ):
        report = current.verify(witnessed=[kept.checkpoint().note])
        copied = kept.verify()
    for finding in (*report.findings, *copied.findings):
        yield fail(f"{backup.path}: {finding.what}: {finding.detail}", f"Make a new one: {HOW}")
    if report.ok and copied.ok:
        yield ok(f"{backup.path} verifies: {copied.size} of {report.size} entries")


def _found(folder: Path) -> Iterator[_Backup]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield _Backup(path, _tables(path))


def _tables(path: Path) -> frozenset[str]:
    """Which of our tables a file holds, as far as that can be seen from outside."""
    if _begins_with(path, SQLITE):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            try:
                rows = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                return frozenset(name for (name,) in rows)
            except sqlite3.DatabaseError:
                return frozenset()
    if _begins_with(path, POSTGRESQL):
        with path.open("rb") as file:
            contents = file.read(CONTENTS)
        return frozenset(n for n in (LEDGER_TABLE, KEYS_TABLE) if n.encode() in contents)
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            names = [Path(name).name for name in archive.getnames()]
        keys = any(name.startswith(KEYS_FILE) for name in names)
        return frozenset({KEYS_TABLE}) if keys else frozenset()
    return frozenset()


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
