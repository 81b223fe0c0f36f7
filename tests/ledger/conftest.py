"""A fresh ledger for each test, on each database that can be reached."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

import migrations
from policies.decision import PolicyRef
from provenance.ledger import Ledger, LedgerKey
from provenance.record import Record

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


def a_record(number: int = 1, **changes: object) -> Record:
    """A record that differs with ``number`` in content id, SHA-256 and fingerprint."""
    fields: dict[str, object] = {
        "content_id": f"{number:016x}",
        "decision_id": f"decision-{number}",
        "created_at": datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        "media_type": "image/png",
        "width": 512,
        "height": 512,
        "sha256": f"{number:064x}",
        "pdq": f"{(1 << number) - 1:064x}",  # ``number`` bits from the all-zero hash
        "pdq_quality": 80,
        "watermark_scheme": "dwtDctSvd",
        "credential": b"a manifest store",
        "core": "embedded",
        "core_digest": "ab" * 32,
        "policy": PolicyRef(name="default", version="1", digest="cd" * 32),
    }
    return Record.model_validate(fields | changes)
