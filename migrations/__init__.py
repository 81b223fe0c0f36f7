"""The schema of the database, step by step. Nothing else in Wardmark creates tables.

    migrations.upgrade("sqlite:////path/ledger.db")     makes or brings up to date
    python -m migrations URL                            the same from a shell

The steps lie in ``versions`` and are run through Alembic without an alembic.ini.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, exc, make_url

from provenance.errors import LedgerUnavailable

_HERE = Path(__file__).parent


def upgrade(url: str) -> None:
    """Bring the database at ``url`` to the newest schema; an SQLite file is made if need be.

    All steps or none are taken. Raises ``LedgerUnavailable`` when the database cannot be reached
    or written, and leaves it as it was.
    """
    engine = _engine(url)
    try:
        if engine.dialect.name == "sqlite":
            _use_write_ahead_log(engine)
        config = _config()
        with engine.begin() as connection:
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


def _use_write_ahead_log(engine: Engine) -> None:
    """Readers and the writer then do not block one another. The file remembers it."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
