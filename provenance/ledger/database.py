"""The database under the ledger: transactions, bulk rows, and faults turned into our errors.

All that differs between SQLite and PostgreSQL is in this module.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, exc, make_url, text
from sqlalchemy import event as hooks

from provenance.errors import EventInvalid, LedgerCorrupt, LedgerUnavailable

REVISION = "0009"  # of the schema that this code was written for; a test compares with migrations
BUSY_SECONDS = 30.0  # how long a writer waits for another one before it gives up
APPEND_LOCK = 0x57_41_52_44  # "WARD": the advisory lock of PostgreSQL that makes appends take turns
ROWS_TOGETHER = 100  # in one statement of SQLite, which takes 32,766 values; the gain ends there
COPY_FROM = 64  # rows; below that, COPY costs PostgreSQL more round trips than it saves

_ADVICE = {  # SQLite's names of result codes, by their beginning, and PostgreSQL's states
    "SQLITE_BUSY": "Another process holds it; try again, or look for one that hangs.",
    "SQLITE_LOCKED": "Another process holds it; try again, or look for one that hangs.",
    "SQLITE_FULL": "The disk is full; nothing was written. Make room and try again.",
    "SQLITE_READONLY": "It cannot be written; check the rights of the file and of its folder.",
    "SQLITE_CANTOPEN": "It cannot be opened; check the path, or make one with: wardmark init",
    "SQLITE_IOERR": "The disk reports a fault; check it before trying again.",
    "53100": "The disk is full; nothing was written. Make room and try again.",
    "55P03": "Another process holds it; try again, or look for one that hangs.",
    "42501": "The role lacks a right; docs/ledger-postgresql.md lists what each needs.",
}
_REFUSED_ROW = "SQLITE_CONSTRAINT"
_REFUSED_ROW_STATE = "23"  # class of SQLSTATE, integrity constraint violation
_UNFIT_VALUE_STATES = ("22001", "22003", "22021", "22P05")  # too long, too large, no such text
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class Database:
    """An existing database. Connections are opened when first needed and kept in a pool."""

    holds: ClassVar = "ledger"  # as messages call it
    revision: ClassVar = REVISION
    made_by: ClassVar = "wardmark init"
    upgraded_by: ClassVar = "python -m migrations URL"

    def __init__(self, url: str) -> None:
        """Raises ``LedgerUnavailable`` for a URL that names no ledger of ours."""
        try:
            self.url = make_url(url)
        except exc.ArgumentError as error:
            raise LedgerUnavailable(f"{url!r} is not the URL of a database.") from error
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._engine = _sqlite_engine(self.url)
        elif self.url.get_backend_name() == "postgresql":
            self._engine = _postgresql_engine(self.url)
        else:
            raise LedgerUnavailable(
                "A ledger lives in sqlite:///FILE or postgresql://..., no other."
            )
        self.name = self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the ledger throughout."""
        with self._faults(), self._engine.connect() as plain:
            connection = plain
            if not self.is_sqlite:  # a transaction of SQLite is a snapshot anyway
                connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def inspecting(self) -> Iterator[Connection]:
        """As ``reading``, of a ledger in which anything may have been put by hand."""
        with self.reading() as connection:
            driver = connection.connection.driver_connection
            if isinstance(driver, sqlite3.Connection):
                driver.text_factory = lambda raw: raw.decode(errors="replace")
            try:
                yield connection
            finally:
                if isinstance(driver, sqlite3.Connection):
                    driver.text_factory = str

    @contextmanager
    def appending(self) -> Iterator[Connection]:
        """A transaction that no other append overlaps, in this process or any other."""
        with self._faults(), self._engine.connect() as plain:
            connection = plain.execution_options(wardmark_appending=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(
                        text(
                            "SELECT set_config('lock_timeout', :wait, true), "
                            "pg_advisory_xact_lock(:key)"
                        ),
                        {"key": APPEND_LOCK, "wait": f"{BUSY_SECONDS:g}s"},
                    )
                yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction that changes rows beside the ledger's own. In PostgreSQL it waits for no
        append, and none for it."""
        with self._faults(), self._engine.connect() as plain:
            connection = plain.execution_options(wardmark_appending=True)
            with connection.begin():
                yield connection

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """Of PostgreSQL: a connection outside any transaction, which may ``listen``."""
        with self._faults(), self._engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield connection
                connection.exec_driver_sql("UNLISTEN *")
            except BaseException:  # Ctrl-C too: one that still listens must not be used again
                connection.invalidate()
                raise

    @staticmethod
    def listen(connection: Connection, channel: str) -> None:
        """Let ``hear`` be told what happens from now on."""
        connection.exec_driver_sql(f"LISTEN {channel}")

    @staticmethod
    def hear(connection: Connection, seconds: float) -> None:
        """Wait until something was told since the last time, but no longer than ``seconds``."""
        driver: Any = connection.connection.driver_connection
        for _ in driver.notifies(timeout=seconds, stop_after=1):
            pass  # to the end of what has come: one look at the queue answers it all

    def insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert ``rows``, whose values stand in the order of the table's columns."""
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        if not self.is_sqlite and len(rows) >= COPY_FROM:
            cursor = connection.connection.cursor()
            with cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            return
        if self.is_sqlite:
            _insert_many(connection, table.name, columns, rows)
            return
        marks = ", ".join("%s" for _ in table.columns)
        # The driver's own executemany: SQLAlchemy's insert of many costs four times as much.
        insert = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608 - our names
        connection.exec_driver_sql(insert, list(rows))

    def check_revision(self) -> None:
        """Raises ``LedgerUnavailable`` unless the schema is the one that this code knows."""
        with self.reading() as connection:
            try:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            except (exc.OperationalError, exc.ProgrammingError) as error:
                if not _says_no_table(error):
                    raise
                found = None
        if found is None:
            raise LedgerUnavailable(
                f"{self.name} holds no {self.holds} yet; make one with: {self.made_by}"
            )
        if found < self.revision:
            raise LedgerUnavailable(
                f"The {self.holds} {self.name} has schema {found}, this version needs "
                f"{self.revision}. Back it up, then run: {self.upgraded_by}"
            )
        if found > self.revision:
            raise LedgerUnavailable(
                f"The {self.holds} {self.name} has schema {found}, newer than {self.revision}: "
                "it was written by a later version. Upgrade Wardmark."
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise self._fault(error.orig) from error
        except self._driver_error as error:  # COPY speaks with the driver past SQLAlchemy
            raise self._fault(error) from error
        except exc.TimeoutError as error:
            raise LedgerUnavailable(
                f"All connections to {self.name} are busy; try again."
            ) from error

    @property
    def _driver_error(self) -> type[Exception]:
        driver = self._engine.dialect.dbapi
        return driver.Error if driver else sqlite3.Error

    def _fault(
        self, error: BaseException | None
    ) -> LedgerUnavailable | LedgerCorrupt | EventInvalid:
        code = str(getattr(error, "sqlite_errorname", ""))
        state = str(getattr(error, "sqlstate", ""))
        if code.startswith(_REFUSED_ROW) or state.startswith(_REFUSED_ROW_STATE):
            return LedgerCorrupt(
                f"The {self.holds} {self.name} refused a row ({error}): something that is not "
                "accounted for stands in its place. Run: wardmark ledger verify"
            )
        if state in _UNFIT_VALUE_STATES:
            return EventInvalid(f"The {self.holds} {self.name} cannot hold a value: {error}.")
        if code.startswith(_DAMAGED):
            return LedgerCorrupt(
                f"The {self.holds} {self.name} is damaged ({error}); restore it from a backup."
            )
        advice = next((a for name, a in _ADVICE.items() if (code or state).startswith(name)), "")
        return LedgerUnavailable(f"The {self.holds} {self.name} fails: {error}. {advice}".rstrip())


def _insert_many(
    connection: Connection, table: str, columns: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert into SQLite, many rows with one statement: a fifth less than ``executemany``."""
    for start in range(0, len(rows), ROWS_TOGETHER):
        part = rows[start : start + ROWS_TOGETHER]
        one = f"({', '.join('?' * len(part[0]))})"
        connection.exec_driver_sql(
            f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([one] * len(part))}',  # noqa: S608
            tuple(chain.from_iterable(part)),
        )


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite URL; None for another database or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def _sqlite_engine(url: URL) -> Engine:
    path = sqlite_path(url)
    if path is None:
        raise LedgerUnavailable("A ledger needs a file: sqlite:////path/to/ledger.db")
    # mode=rw: opening a ledger that is gone must fail, not begin a new one.
    file = url.set(database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(file, connect_args={"timeout": BUSY_SECONDS})

    @hooks.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; _begin does
        connection.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk
        connection.execute("PRAGMA foreign_keys = ON")

    @hooks.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock before it reads the head, so that two never extend the same one.
        options = connection.get_execution_options()
        if not options.get("wardmark_outside", False):  # of any transaction, as VACUUM must run
            appending = options.get("wardmark_appending", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if appending else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    try:
        return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise LedgerUnavailable(
            "PostgreSQL needs its driver; run: pip install 'wardmark[postgres]'"
        ) from error


def _says_no_table(error: exc.DBAPIError) -> bool:
    return "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01"
