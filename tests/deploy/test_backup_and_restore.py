"""The very commands of docs/deploy.md make a backup, and bring back a deployment that verifies."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

import migrations
from guard.gateway.callers import ApiKeys, KeyTerms
from provenance.home import Home
from tests.deploy.conftest import ROOT, Databases
from tests.ledger.postgresql import new_database

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def script(name: str) -> str:
    (found,) = re.findall(rf"^```sh {name}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def run_as_written(name: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(name)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def served_for_a_while(home: Home) -> str:
    """Something of each kind that is to come back; returns the id of a sealed entry."""
    with closing(home.ledger) as ledger, closing(ApiKeys.of(home)) as keys:
        keys.create(KeyTerms(label="first"))
        (entry,) = ledger.append(
            [home.subjects.event("appeal", "somebody", {"said": "this is me"})]
        )
        home.subjects.keys.close()
    return entry.id


def came_back(home: Home, entry_id: str) -> None:
    with closing(home.ledger) as ledger, closing(ApiKeys.of(home)) as keys:
        assert ledger.verify().ok
        assert [key.terms.label for key in keys.all()] == ["first"]
        (entry,) = [e for e in ledger.entries(kind="appeal") if e.id == entry_id]
        assert home.subjects.open(entry).plain == {"said": "this is me"}
        home.subjects.keys.close()
    assert home.mark_keys
    assert home.signer.certificate_chain


@pytest.fixture
def environment(shell: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return shell | {"BACKUP": str(tmp_path / "backup"), "KEYS_BACKUP": str(tmp_path / "keys")}


def test_a_home_of_files_comes_back_whole(environment: dict[str, str]) -> None:
    path = Path(environment["WARDMARK_HOME"])
    sealed = served_for_a_while(Home.create(path, provider="Example Ltd", version="1"))
    assert "verifies" in run_as_written("backup-sqlite", environment)
    assert "subject-keys.db" not in _names(Path(environment["BACKUP"]))
    shutil.rmtree(path)
    assert "all verified" in run_as_written("restore-sqlite", environment)
    came_back(Home.open(path), sealed)
    with closing(sqlite3.connect(path / "ledger.db")) as opened:
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="needs pg_dump: postgresql-client")
def test_a_ledger_in_postgresql_comes_back_whole(
    environment: dict[str, str], databases: Databases, server: str
) -> None:
    path = Path(environment["WARDMARK_HOME"])
    home = Home.create(
        path,
        provider="Example Ltd",
        version="1",
        database=databases.ledger,
        subject_keys=databases.subject_keys,
    )
    sealed = served_for_a_while(home)
    run_as_written("backup-postgresql", environment | {"LEDGER": _libpq(databases.ledger)})
    shutil.rmtree(path)
    with new_database(server) as ledger, new_database(server) as keys:
        files = Path(environment["BACKUP"])
        run_as_written(
            "restore-postgresql", _elsewhere(environment, files, databases, ledger, keys)
        )
        came_back(Home.open(path), sealed)


def _names(folder: Path) -> str:
    listed = subprocess.run(
        ["tar", "-tf", str(folder / "home.tar")], capture_output=True, text=True, check=True
    )
    return listed.stdout


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _elsewhere(
    environment: dict[str, str], backup: Path, old: Databases, ledger: str, keys: str
) -> dict[str, str]:
    """The backup's settings name the databases that were lost; here they have other names."""
    unpacked = backup.parent / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", str(backup / "home.tar"), "-C", str(unpacked)], check=True)
    settings = unpacked / "wardmark.toml"
    text = settings.read_text().replace(old.ledger, ledger).replace(old.subject_keys, keys)
    settings.write_text(text)
    subprocess.run(["tar", "-cf", str(backup / "home.tar"), "-C", str(unpacked), "."], check=True)
    assert migrations.head()
    return environment | {"LEDGER": _libpq(ledger), "KEYS": keys}
