"""The store of subjects' keys in PostgreSQL: the same promises, save that its log lags behind."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from forgetful import ADA, SECRET
from postgresql import new_database
from sqlalchemy import Engine, create_engine, text

from provenance.errors import KeyCopyRefused, LedgerUnavailable, SubjectForgotten
from provenance.ledger import Ledger, LedgerKey, verify_inclusion
from provenance.ledger.forgetting import KeyStore, Subjects, restore, write_copy
from provenance.ledger.forgetting.tables import metadata


@pytest.fixture
def urls(postgresql_server: str, postgresql_url: str) -> Iterator[tuple[str, str]]:
    """A migrated database for a ledger, and an empty one for keys."""
    with new_database(postgresql_server) as keys:
        yield postgresql_url, keys


def in_the_table(engine: Engine, secret: bytes) -> bool:
    """Whether the file of the table holds ``secret``."""
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("CHECKPOINT")
        file = "pg_read_binary_file(pg_relation_filepath('subject_key'))"
        found = connection.execute(text(f"SELECT position(:secret in {file})"), {"secret": secret})
        return bool(found.scalar_one())


def test_a_store_in_postgresql_forgets_too(urls: tuple[str, str], tmp_path: Path) -> None:
    at, keys_at = urls
    with pytest.raises(LedgerUnavailable, match="subject-keys"):
        KeyStore(keys_at)
    with pytest.raises(LedgerUnavailable, match="database of their own"):
        KeyStore.create(at)
    key = LedgerKey.generate("postgresql.test")
    engine = create_engine(keys_at)
    with Ledger(at, key) as ledger, KeyStore.create(keys_at) as keys:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        subjects = Subjects(ledger, keys, SECRET)
        gone, stays = ledger.append(
            [subjects.event("appeal", person, {"said": "hello"}) for person in (ADA, "grace")]
        )
        proof = ledger.prove(gone.id)
        rows = {row["subject"]: row["secret"] for row in keys.contents().keys}
        secret, other = rows[str(gone.body["subject"])], rows[str(stays.body["subject"])]
        assert in_the_table(engine, secret)
        copy = tmp_path / "copy.db"
        write_copy(keys, copy, timedelta(days=1))

        done = subjects.withdraw(ADA)

        assert (done.keys_destroyed, done.sealed, done.readable, done.in_log) == (1, 1, 0, True)
        assert not in_the_table(engine, secret)
        assert in_the_table(engine, other)
        assert verify_inclusion(proof, key.public).size == 2
        assert subjects.consent(ADA).state == "withdrawn"
        assert subjects.consent(ADA, as_of=2).state == "unknown"

        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM subject_key")  # by mistake
        with pytest.raises(KeyCopyRefused, match="older than 1"):
            restore(copy, keys, ledger)
        restore(copy, keys, ledger, forgetting=True)
        assert subjects.open(stays).plain == {"said": "hello"}
        with pytest.raises(SubjectForgotten):
            subjects.open(gone)
        assert not in_the_table(engine, secret)
    engine.dispose()
