"""The database under the store of subjects' keys: one in which what is deleted is gone.

In SQLite a deleted row is overwritten (``secure_delete``), the rollback journal that still holds it
is removed by the commit itself, and ``compact`` rewrites the file without the free space in which a
page may have left a trace. PostgreSQL rewrites the table; its write-ahead log goes when the server
recycles it (docs/forgetting.md).
"""

import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import event as hooks

from provenance.errors import LedgerKeyInvalid
from provenance.ledger.database import Database, sqlite_path


class KeyDatabase(Database):
    """A database that ``migrations`` made for keys. Raises ``LedgerKeyInvalid`` where others can
    read its file."""

    holds: ClassVar = "store of subjects' keys"
    revision: ClassVar = "keys_0001"
    made_by: ClassVar = "python -m migrations URL subject-keys"
    upgraded_by: ClassVar = made_by

    def __init__(self, url: str) -> None:
        super().__init__(url)
        path = sqlite_path(self.url)
        if path is None:
            return
        if path.exists() and path.stat().st_mode & 0o077:
            raise LedgerKeyInvalid(f"Others can read {path}; run: chmod 600 {path}")

        @hooks.listens_for(self._engine, "connect")
        def _forget_well(connection: sqlite3.Connection, _: object) -> None:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")  # VACUUM writes no keys elsewhere
            connection.execute("PRAGMA synchronous = EXTRA")  # the journal's end is on the disk too

    def compact(self) -> None:
        """Rewrite the file, or the table, without anything that was deleted from it."""
        outside: Mapping[str, Any] = (
            {"wardmark_outside": True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        )
        statement = "VACUUM" if self.is_sqlite else "VACUUM FULL subject_key"
        with self._faults(), self._engine.connect() as connection:
            connection.execution_options(**outside).exec_driver_sql(statement)
