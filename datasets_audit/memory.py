"""What was measured before: a file that makes an audit incremental, and that a kill does not lose.

A picture is known by its stamp (name, size and time of change of what holds it), so that what did
not change is not opened again. Rows are written every second or so; after kill -9 the next run goes
on from there and ends with the same root, since what is measured depends on the bytes alone.
Whoever changes a picture and keeps its size and time of change is not noticed: remove the file to
measure everything anew.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple, Self

import orjson

from datasets_audit.engine import Engine
from datasets_audit.errors import MemoryUnusable
from datasets_audit.inspection import Inspection, Problem
from datasets_audit.shards import Inspected
from datasets_audit.sources import Batch

FORMAT: Final = 2  # of what is measured; raised whenever a measurement changes its meaning
MEASURED_WITH: Final = ("opencv-python", "pdqhash", "simplejpeg", "numpy")
COMMIT_SECONDS: Final = 1.0
BUSY_SECONDS: Final = 30.0


class Memory:
    """Inspections by stamp, in an SQLite file. A context manager; ``keep`` decides what stays."""

    def __init__(self, path: Path, look: str = "") -> None:
        """``look``: what looks closer. Raises MemoryUnusable where the file cannot be used."""
        self._path = path
        tools = [*(version(name) for name in MEASURED_WITH), look]
        measured = orjson.dumps([FORMAT, *tools]).decode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=BUSY_SECONDS)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS tools (said TEXT)")
            said = self._database.execute("SELECT said FROM tools").fetchone()
            if said != (measured,):
                # Other versions measure other bits; what they found is not what we would find.
                self._database.execute("DROP TABLE IF EXISTS seen")
                self._database.execute("DELETE FROM tools")
                self._database.execute("INSERT INTO tools VALUES (?)", (measured,))
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS seen (stamp TEXT PRIMARY KEY, found BLOB, run TEXT)"
            )
            self._database.commit()
        except (OSError, sqlite3.Error) as error:
            raise MemoryUnusable(
                f"{path} cannot be used to remember what was measured: {error}. Remove it, or "
                "name another place."
            ) from error
        self._run = str(time.time_ns())
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.commit()
        self._database.close()

    def known(self, stamps: Sequence[str]) -> list[Inspected | None]:
        """What was found under each stamp before; None for what is new."""
        rows = self._database.execute(
            "SELECT stamp, found FROM seen WHERE stamp IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(stamps)).decode(),),
        )
        found = {stamp: _read(blob) for stamp, blob in rows}
        self._database.executemany(
            "UPDATE seen SET run = ? WHERE stamp = ?", [(self._run, stamp) for stamp in found]
        )
        return [found.get(stamp) for stamp in stamps]

    def learn(self, stamps: Sequence[str], found: Sequence[Inspected]) -> None:
        """Keep what was found. Files that could not be had are tried again next time."""
        self._database.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)",
            [
                (stamp, _written(one), self._run)
                for stamp, one in zip(stamps, found, strict=True)
                if one.inspection.problem is not Problem.UNREADABLE
            ],
        )
        if time.monotonic() - self._last > COMMIT_SECONDS:
            self._database.commit()
            self._last = time.monotonic()

    def forget_others(self) -> None:
        """Keep what this run met, and nothing of pictures that are gone."""
        self._database.execute("DELETE FROM seen WHERE run <> ?", (self._run,))
        self._database.commit()


class _Plan(NamedTuple):
    known: list[Inspected | None]
    missing: list[int]
    stamps: list[str]


def inspected(
    engine: Engine,
    inspect_batch: Callable[[Batch], list[Inspected]],
    batches: Iterable[Batch],
    memory: Memory | None,
) -> Generator[list[Inspected]]:
    """Every picture of ``batches`` in order, of which only those are opened that are new."""
    if memory is None:
        yield from engine.map(inspect_batch, batches)
        return
    plans: deque[_Plan] = deque()

    def work() -> Iterator[Batch]:
        for batch in batches:
            stamps = list(batch.stamps())
            known = memory.known(stamps)
            missing = [at for at, one in enumerate(known) if one is None]
            plans.append(_Plan(known, missing, stamps))
            if missing:
                yield batch.only(missing)

    with closing(engine.map(inspect_batch, work())) as results:
        for result in results:
            while not plans[0].missing:
                yield _whole(plans.popleft())
            plan = plans.popleft()
            memory.learn([plan.stamps[at] for at in plan.missing], result)
            for at, one in zip(plan.missing, result, strict=True):
                plan.known[at] = one
            yield _whole(plan)
    while plans:
        yield _whole(plans.popleft())
    memory.forget_others()


def _whole(plan: _Plan) -> list[Inspected]:
    return [one for one in plan.known if one is not None]


def _written(found: Inspected) -> bytes:
    return orjson.dumps([found.key, asdict(found.inspection)])


def _read(blob: bytes) -> Inspected:
    key, fields = orjson.loads(blob)
    if fields["problem"] is not None:
        fields["problem"] = Problem(fields["problem"])
    return Inspected(key, Inspection(**fields))
