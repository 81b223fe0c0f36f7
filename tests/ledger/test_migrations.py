"""The schema: made by migrations alone, whole or not at all, from any working directory."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

import migrations
from guard.gateway.callers import tables as callers
from guard.gateway.jobs import tables as jobs
from guard.review import tables as review
from provenance.errors import LedgerUnavailable
from provenance.ledger import tables as ledger
from provenance.ledger.database import REVISION

ROOT = Path(__file__).parents[2]
SHARING = [ledger.metadata, callers.metadata, jobs.metadata, review.metadata]
"""The tables of all who share the ledger's database."""


def test_the_code_was_written_for_the_newest_schema() -> None:
    assert migrations.head() == REVISION


def test_the_schema_is_what_the_queries_think(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SHARING) == []
    engine.dispose()


def test_upgrading_twice_changes_nothing(url: str) -> None:
    migrations.upgrade(url)
    engine = create_engine(url)
    tables = {name for metadata in SHARING for name in metadata.tables}
    assert set(inspect(engine).get_table_names()) == {"alembic_version", *tables}
    engine.dispose()


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE record (something INTEGER)")  # in the way
    with pytest.raises(LedgerUnavailable, match="could not be made"):
        migrations.upgrade(url)
    assert inspect(engine).get_table_names() == ["record"]
    engine.dispose()


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="Check the path"):
        migrations.upgrade(f"sqlite:///{tmp_path / 'missing' / 'ledger.db'}")
    with pytest.raises(LedgerUnavailable, match="not the URL"):
        migrations.upgrade("nonsense")


def test_it_runs_from_a_shell_in_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "migrations", f"sqlite:///{tmp_path / '100% new.db'}"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"schema {REVISION}\n"
    wrong = subprocess.run(
        command[:3], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (wrong.returncode, "usage" in wrong.stderr) == (2, True)
