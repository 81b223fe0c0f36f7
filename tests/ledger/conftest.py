"""A fresh ledger for each test, on each database that can be reached."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

import migrations
from provenance.ledger import Ledger, LedgerKey

POSTGRES = os.environ.get("WARDMARK_TEST_POSTGRES")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path / 'ledger.db'}"
        migrations.upgrade(made)
        yield made
        return
    if not POSTGRES:
        pytest.skip(
            "needs PostgreSQL 15+: apt install postgresql, pip install 'wardmark[postgres]', then "
            "WARDMARK_TEST_POSTGRES=postgresql+psycopg://user@localhost/postgres"
        )
    name = f"wardmark_test_{uuid.uuid4().hex}"
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    made = make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    try:
        migrations.upgrade(made)
        yield made
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.dispose()


@pytest.fixture(scope="session")
def key() -> LedgerKey:
    return LedgerKey.generate("ledger.test/one")


@pytest.fixture
def ledger(url: str, key: LedgerKey) -> Iterator[Ledger]:
    with Ledger(url, key) as opened:
        yield opened
