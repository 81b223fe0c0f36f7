"""The home as files: settings that hold, secrets that are secret, room on the disk."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from guard.doctor.subject import Remark, Remarks, Subject, fail, ok, warn
from provenance.home import SETTINGS_FILE
from provenance.ledger.database import sqlite_path
from provenance.ledger.retention import load_plan

FOLDERS_TELL = 0o022  # whoever may write into a folder may exchange the keys in it
SECRETS_TELL = 0o077
SECRET_SUFFIXES = frozenset({".key", ".keys"})
SECRET_NAMES = frozenset({"signer.pem", "subject-keys.db"})
ROOM_TO_SPARE = 10  # times the free space below which the check fails


def settings(subject: Subject) -> Remarks:
    """``wardmark.toml`` parses, and every file that it names is there and can be used."""
    home = subject.home
    said = home.settings
    if said.retention:
        load_plan(home.path / said.retention)
    for scheme in said.schemes:
        home.scheme(scheme.name)
    from guard.images import load_list

    for known in home.known_content:
        load_list(known)
    yield ok(f"{home.path / SETTINGS_FILE}: {said.provider}, {said.system} {said.system_version}")
    if "(development)" in said.provider:
        yield warn(
            f"the provider in every credential is {said.provider!r}",
            f"Write who answers for the system into provider in {home.path / SETTINGS_FILE}.",
        )


def permissions(subject: Subject) -> Remarks:
    """Secrets are readable by their owner alone, and nobody else may exchange them."""
    faults = list(_open_to_others(subject.home.path))
    yield from faults
    if not faults:
        yield ok(f"no secret in {subject.path} is open to others")


def _open_to_others(home: Path) -> Iterator[Remark]:
    for path in (home, *sorted(home.rglob("*"))):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            continue
        seen = path.stat()
        mode = stat.S_IMODE(seen.st_mode)
        if path.is_dir() and mode & FOLDERS_TELL:
            yield fail(f"others can write into {path}", f"Run: chmod go-w {path}")
        if path.is_file() and _is_secret(path) and mode & SECRETS_TELL:
            yield fail(
                f"others can read {path} (mode {mode:04o})",
                f"Run: chmod 600 {path}; replace the key if somebody may have read it.",
            )
        if path.is_file() and _is_secret(path) and seen.st_uid != os.geteuid():
            yield warn(
                f"{path} belongs to user {seen.st_uid}, and this is user {os.geteuid()}",
                "Run wardmark doctor as the account of the gateway, to which the files belong.",
            )


def _is_secret(path: Path) -> bool:
    if path.name == SETTINGS_FILE:  # which may hold the password of a database
        text = path.read_text(encoding="utf-8", errors="replace")
        return any("://" in line and _has_password(line) for line in text.splitlines())
    return path.suffix in SECRET_SUFFIXES or path.name in SECRET_NAMES


def _has_password(line: str) -> bool:
    before = line.partition("://")[2].partition("@")[0]
    return "@" in line and ":" in before and not line.lstrip().startswith("#")


def disk(subject: Subject) -> Remarks:
    """There is room where the home lies, and where an SQLite ledger lies."""
    places = {subject.home.path}
    if named := _ledger_file(subject):
        places.add(named.parent)
    for place in sorted(places):
        free = shutil.disk_usage(place).free
        said = f"{free / (1 << 30):.1f} GiB are free at {place}"
        least = subject.limits.free_space
        if free < least:
            needed = f"{least / (1 << 30):.0f} GiB"
            yield fail(said, f"Make room: with less than {needed} records may soon fail.")
        elif free < ROOM_TO_SPARE * least:
            yield warn(said, "Make room before the ledger can no longer be written.")
        else:
            yield ok(said)


def _ledger_file(subject: Subject) -> Path | None:
    try:
        return sqlite_path(make_url(subject.home.ledger_url))
    except Exception:  # noqa: BLE001 - a settings file that does not parse is another check's finding
        return None
