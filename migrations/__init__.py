"""The schema of the databases, step by step. Nothing else in Wardmark creates tables.

    migrations.upgrade("sqlite:////path/ledger.db")     makes or brings up to date
    python -m migrations URL                            the same from a shell
    python -m migrations URL subject-keys               the store of subjects' keys

There are two histories, because the ledger and the keys of its subjects never share a database:
what must be kept for ever and what must be destroyed have different backups. The steps lie in
``versions`` and ``subject_keys/versions`` and are run through Alembic without an alembic.ini.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, exc, make_url

from provenance.errors import LedgerUnavailable
from provenance.ledger.database import sqlite_path

_HERE = Path(__file__).parent
_UPGRADE_LOCK = 0x57_41_52_45  # of PostgreSQL; any number that nobody else uses


class History(NamedTuple):
    """The steps of one database: their folder, and how SQLite is to keep its journal and file."""

    folder: str
    journal: str
    mode: int  # of a new file, less the umask


LEDGER = History("versions", "WAL", 0o666)
# A write-ahead log would keep a destroyed key until it is written over. A rollback journal is gone
# the moment that the destruction is committed.
SUBJECT_KEYS = History("subject_keys/versions", "DELETE", 0o600)


def upgrade(url: str, history: History = LEDGER) -> None:
    """Bring the database at ``url`` to the newest schema; an SQLite file is made if need be.

    All steps or none are taken. Raises ``LedgerUnavailable`` when the database cannot be reached
    or written, or has the other history, and leaves it as it was.
    """
    engine = _engine(url)
    try:
        path = sqlite_path(engine.url)
        if path is not None:
            path.touch(history.mode)  # which leaves the mode of one that is there
        config = _config(history)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                _prepare_sqlite(connection, history.journal)
            with connection.begin():
                _wait_for_turn(connection)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except (exc.DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error.strerror
        raise LedgerUnavailable(
            f"The schema of {engine.url.render_as_string()} could not be made: {cause}. "
            "Check the path or address, the rights and the room on the disk."
        ) from error
    except CommandError as error:
        raise LedgerUnavailable(
            f"{engine.url.render_as_string()} holds another schema ({error}). The ledger and the "
            "keys of its subjects each need a database of their own; later schemas need a later "
            "Wardmark."
        ) from error
    finally:
        engine.dispose()


def head(history: History = LEDGER) -> str:
    """The newest revision."""
    found = ScriptDirectory.from_config(_config(history)).get_current_head()
    if found is None:
        raise LedgerUnavailable("The schema steps are missing; install Wardmark again.")
    return found


def _config(history: History) -> Config:
    config = Config()
    here = str(_HERE).replace("%", "%%")
    config.set_main_option("script_location", here)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{here}/{history.folder}")
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


def _prepare_sqlite(connection: Connection, journal: str) -> None:
    """The journal of a new file, which remembers it; and no transactions behind our back.

    Left alone, Python's driver ends a transaction at each CREATE TABLE.
    """
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    if not tables:  # one that holds tables may be of the other history, and is left as it is
        connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
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
