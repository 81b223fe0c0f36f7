"""Homes on several hosts over one PostgreSQL: one ledger, one store of keys, one set of keys."""

import shutil
import stat
from contextlib import closing
from pathlib import Path

import pytest

from guard.cli import run
from guard.doctor import State, Subject, examine
from provenance.home import SETTINGS_FILE, Home
from provenance.ledger import Event
from tests.deploy.conftest import Databases

QUICK = ("ledger", "clock", "subject-keys", "signer", "marks", "permissions")


@pytest.fixture
def first(databases: Databases, tmp_path: Path) -> Home:
    path = tmp_path / "first"
    options = ["--database", databases.ledger, "--subject-keys", databases.subject_keys]
    assert run(["init", "--home", str(path), "--provider", 'Example "Ltd"', *options]) == 0
    return Home.open(path)


def test_a_home_is_made_on_databases_and_keeps_none_of_its_own(first: Home) -> None:
    assert sorted(p.name for p in first.path.glob("*.db*")) == []
    assert first.settings.provider == 'Example "Ltd"'
    assert stat.S_IMODE((first.path / SETTINGS_FILE).stat().st_mode) == 0o600
    found = examine(Subject(first.path), only=QUICK)
    assert [f for f in found.findings if f.state is State.FAIL] == []


def test_a_second_host_writes_the_same_ledger_with_a_copy_of_the_home(
    first: Home, tmp_path: Path
) -> None:
    shutil.copytree(first.path, tmp_path / "second")
    second = Home.open(tmp_path / "second")
    with closing(first.ledger) as one, closing(second.ledger) as two:
        one.append([Event("test", {"host": 1})])
        two.append([Event("test", {"host": 2})])
        one.append([Event("test", {"host": 1})])
        assert one.checkpoint() == two.checkpoint()
        assert [e.kind for e in two.entries()] == ["home.created", "test", "test", "test"]
        assert two.verify().ok


def test_a_person_who_leaves_on_one_host_is_forgotten_on_the_other(
    first: Home, tmp_path: Path
) -> None:
    shutil.copytree(first.path, tmp_path / "second")
    second = Home.open(tmp_path / "second")
    with closing(first.ledger), closing(second.ledger):
        event = first.subjects.event("appeal", "somebody", {"said": "this is me"})
        (entry,) = first.ledger.append([event])
        assert second.subjects.open(entry).plain == {"said": "this is me"}
        assert second.subjects.withdraw("somebody").complete
        assert first.subjects.consent("somebody").state == "withdrawn"
        for home in (first, second):
            home.subjects.keys.close()


def test_a_database_that_holds_a_ledger_is_not_begun_anew(
    first: Home, databases: Databases, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = first.ledger.checkpoint()
    other = tmp_path / "other"
    assert run(["init", "--home", str(other), "--database", databases.ledger]) == 2
    assert "copy the home" in capfd.readouterr().err
    assert not other.exists()
    with closing(first.ledger) as ledger:
        assert ledger.checkpoint() == before
