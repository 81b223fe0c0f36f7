"""The schema of the database, step by step. Nothing else in Wardmark creates tables.

    migrations.upgrade("sqlite:////path/ledger.db")     makes or brings up to date
    python -m migrations URL                            the same from a shell

The steps lie in ``versions`` and are run through Alembic without an alembic.ini.
"""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, exc, make_url

from provenance.errors import LedgerUnavailable

_HERE = Path(__file__).parent
_UPGRADE_LOCK = 0x57_41_52_45  # of PostgreSQL; any number that nobody else uses


def upgrade(url: str) -> None:
    """Bring the database at ``url`` to the newest schema; an SQLite file is made if need be.

    All steps or none are taken. Raises ``LedgerUnavailable`` when the database cannot be reached
    or written, and leaves it as it was.
    """
    engine = _engine(url)
    try:
        config = _config()
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                _prepare_sqlite(connection)
            with connection.begin():
                _wait_for_turn(connection)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except exc.DBAPIError as error:
        raise LedgerUnavailable(
            f"The schema of {engine.url.render_as_string()} could not be made: {error.orig}. "
            "Check the path or address, the rights and the room on the disk."
        ) from error
    finally:
        engine.dispose()


def head() -> str:
    """The newest revision."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise LedgerUnavailable("The schema steps are missing; install Wardmark again.")
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed)
    except exc.ArgumentError as error:
        raise LedgerUnavailable(f"{url!r} is not the URL of a database.") from error
    except ModuleNotFoundError as error:
        raise LedgerUnavailable(
            "PostgreSQL needs its driver; run: pip install 'wardmark[postgres]'"
        ) from error


def _prepare_sqlite(connection: Connection) -> None:
    """Write-ahead log, which the file remembers; and no transactions behind our back.

    Left alone, Python's driver ends a transaction at each CREATE TABLE.
    """
    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    connection.commit()
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.isolation_level = None


def _wait_for_turn(connection: Connection) -> None:
    """Two that upgrade at once take turns; the second finds nothing left to do."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
