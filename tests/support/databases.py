"""A migrated, empty database for each test: SQLite, and PostgreSQL where it can be reached."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import migrations
from tests.ledger import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server: the one that is named, else one that is started for these tests."""
    named = os.environ.get("WARDMARK_TEST_POSTGRES")
    if named:
        yield named
        return
    installed = postgresql.binaries()
    if installed is None or find_spec("psycopg") is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.Server(installed) as server:
        yield server.url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    with postgresql.new_database(postgresql_server) as made:
        migrations.upgrade(made)
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    made = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(made)
    return made
