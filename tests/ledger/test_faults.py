"""A ledger that cannot be used says why and what to do, and nothing is half-written."""

import sqlite3
from pathlib import Path

import pytest

import migrations
from provenance.errors import LedgerCorrupt, LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey, database, tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


def opened(file: Path, key: LedgerKey | None = None) -> Ledger:
    return Ledger(f"sqlite:///{file}", key)


def test_a_missing_ledger_is_not_quietly_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with pytest.raises(LedgerUnavailable, match="wardmark init"):
        opened(file)
    assert not file.exists()


def test_a_ledger_that_vanishes_while_open_is_missed(file: Path, key: LedgerKey) -> None:
    with opened(file, key) as ledger:
        ledger.append([Event("test", {})])
        ledger.close()
        file.unlink()
        with pytest.raises(LedgerUnavailable, match="wardmark init"):
            ledger.append([Event("test", {})])
    assert not file.exists()


def test_an_empty_file_is_no_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    sqlite3.connect(file).close()
    file.touch()
    with pytest.raises(LedgerUnavailable, match="wardmark init"):
        opened(file)


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerCorrupt, match="restore it from a backup"):
        opened(file)


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://localhost/x"],
)
def test_a_url_that_names_no_ledger_is_refused(url: str) -> None:
    with pytest.raises(LedgerUnavailable):
        Ledger(url)


@pytest.mark.parametrize(
    ("revision", "advice"), [("0000", "python -m migrations"), ("9999", "Upgrade Wardmark")]
)
def test_another_schema_says_what_to_run(file: Path, revision: str, advice: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()
    with pytest.raises(LedgerUnavailable, match=advice):
        opened(file)


def test_a_locked_ledger_says_so(
    file: Path, key: LedgerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    holder = sqlite3.connect(file, isolation_level=None)
    with opened(file, key) as ledger:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="Another process holds it"):
            ledger.append([Event("test", {})])
        holder.execute("ROLLBACK")
        assert ledger.append([Event("test", {})])[0].index == 0
    holder.close()


def test_a_full_disk_leaves_nothing_half_written(file: Path, key: LedgerKey) -> None:
    with opened(file, key) as ledger:
        ledger.append([Event("test", {"n": i}) for i in range(300)])
        before = ledger.checkpoint()
        with ledger._database.reading() as connection:  # SQLite's own way to say: no more room
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerUnavailable, match="disk is full; nothing was written"):
            ledger.append([Event("test", {"blob": "x" * 60_000}) for _ in range(50)])
        assert ledger.checkpoint() == before
        assert ledger.verify().ok
        ledger.close()
        ledger.append([Event("test", {"blob": "x" * 60_000}) for _ in range(50)])
        assert ledger.verify().size == 350


def test_a_ledger_that_cannot_be_written_says_so(file: Path, key: LedgerKey) -> None:
    with opened(file, key) as ledger:
        with ledger._database.reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")  # as on a read-only mount
        with pytest.raises(LedgerUnavailable, match="cannot be written"):
            ledger.append([Event("test", {})])


def test_a_failed_append_is_forgotten(
    file: Path, key: LedgerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(file, key) as ledger:
        ledger.append([Event("test", {"n": i}) for i in range(255)])
        with ledger._database.reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(LedgerUnavailable):
            ledger.append([Event("test", {})])
        ledger.close()
        assert [e.index for e in ledger.append([Event("test", {}), Event("test", {})])] == [
            255,
            256,
        ]
        assert ledger.verify().ok


def test_postgresql_that_is_not_there_says_so() -> None:
    pytest.importorskip("psycopg", reason="pip install 'wardmark[postgres]'")
    with pytest.raises(LedgerUnavailable, match="fails"):
        Ledger("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")


def test_a_password_is_not_repeated_in_a_message() -> None:
    pytest.importorskip("psycopg", reason="pip install 'wardmark[postgres]'")
    with pytest.raises(LedgerUnavailable) as caught:
        Ledger("postgresql://nobody:geheim@127.0.0.1:1/none?connect_timeout=1")
    assert "geheim" not in str(caught.value)


def append_torn(ledger: Ledger) -> None:
    """Put in a hundred rows, of which the database refuses the last."""
    with ledger._database.appending() as connection:
        rows = [(i, f"x{i}", "test", "", 1, "", b"") for i in range(100, 200)]
        ledger._database.insert(connection, tables.event, [*rows, rows[0][:3]])


def test_a_fault_in_the_middle_of_a_bulk_append_is_an_outage(ledger: Ledger) -> None:
    ledger.append([Event("test", {"n": i}) for i in range(100)])
    before = ledger.checkpoint()
    with pytest.raises(LedgerUnavailable, match="fails"):
        append_torn(ledger)
    assert ledger.checkpoint() == before
    assert ledger.verify().ok


def test_an_append_that_hangs_is_not_waited_for_without_end(
    postgresql_url: str, key: LedgerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with Ledger(postgresql_url, key) as hanging, Ledger(postgresql_url, key) as ledger:
        with (
            hanging._database.appending(),
            pytest.raises(LedgerUnavailable, match="Another process holds it"),
        ):
            ledger.append([Event("test", {})])
        assert ledger.append([Event("test", {})])[0].index == 0
