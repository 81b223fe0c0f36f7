"""What a source lists, on disk: 10^7 names need no memory.

A private SQLite database without a name, which spills to the folder for temporary files and is gone
with the object.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from datasets_audit.sources.source import Stray

_CACHE: Final = -8_000  # kB, as PRAGMA cache_size writes it


class Spool:
    """Rows of ``columns`` values (text, numbers, bytes), the first of which is the key."""

    def __init__(self, columns: int) -> None:
        # A pass may ask from another thread than the one that listed; never from two at once.
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = {_CACHE}")
        self._database.execute("PRAGMA journal_mode = OFF")
        names = ", ".join(f"c{number}" for number in range(columns))
        self._database.execute(f"CREATE TABLE row (nth INTEGER PRIMARY KEY, {names})")
        self._select = f"SELECT {names} FROM row"  # noqa: S608 - our own names
        marks = ", ".join("?" * columns)
        self._insert = f"INSERT INTO row ({names}) VALUES ({marks})"  # noqa: S608 - the same

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Append rows, as they come."""
        self._database.executemany(self._insert, rows)

    def __len__(self) -> int:
        ((count,),) = self._database.execute("SELECT count(*) FROM row")
        return int(count)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """In the order in which they were added."""
        return iter(self._database.execute(f"{self._select} ORDER BY nth"))

    def sorted(self) -> Iterator[tuple[Any, ...]]:
        """By key, in the order of code points."""
        return iter(self._database.execute(f"{self._select} ORDER BY c0, nth"))

    def of(self, keys: Collection[str]) -> Iterator[tuple[Any, ...]]:
        """Those of these keys, by key."""
        listed = json.dumps(list(keys))
        wanted = "WHERE c0 IN (SELECT value FROM json_each(?)) ORDER BY c0, nth"
        return iter(self._database.execute(f"{self._select} {wanted}", (listed,)))


class Strays:
    """What a source does not take, collected on disk and told by key."""

    def __init__(self, first: Iterable[Stray] = ()) -> None:
        self._spool = Spool(2)
        self._spool.add(first)

    def add(self, key: str, why: str) -> None:
        """One thing that was not taken."""
        self._spool.add([(key, why)])

    def __iter__(self) -> Iterator[Stray]:
        return (Stray(key, why) for key, why in self._spool.sorted())
