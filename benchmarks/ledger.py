"""The ledger beside plain inserts of the same rows, in one run.

    python benchmarks/ledger.py [--events N] [--portion N] [--postgresql URL]

Rates are per CPU-second (user and system), so they hold on a busy machine; times of single appends
are wall clock and mean little there. The floor of SQLite is Python's sqlite3 putting the same rows
into the same table and indexes with ``executemany``: no tree, no signature, no trigger. The floor
of PostgreSQL is one COPY of the same rows for each portion; there the server's processes are
counted too, so it has to run on this machine, with nothing else to do.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import make_url

import migrations
from provenance.ledger import Event, InclusionProof, Ledger, LedgerKey, verify_inclusion
from provenance.ledger.event import Json
from provenance.ledger.merkle import root_from_inclusion
from provenance.ledger.note import VerifierKey
from provenance.ledger.proof import decode_path

SINGLE_APPENDS = 200
WRITERS = 16
APPENDS_EACH = 50
PROOFS = 200


class Clock:
    """CPU seconds of a stretch of code."""

    seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds += time.process_time() - start


def bodies(count: int) -> list[dict[str, Json]]:
    """Bodies such as refusals have: about 130 bytes of canonical JSON."""
    return [
        {
            "decision": f"{i:016x}",
            "action": "block",
            "rule": "violence-graphic",
            "commitment": f"{i * 2654435761 % 2**64:064x}",
        }
        for i in range(count)
    ]


def append_rate(url: str, key: LedgerKey, count: int, portion: int) -> float:
    """Events per CPU-second of ``Ledger.append``, from event to acknowledged entry."""
    clock, made = Clock(), bodies(count)
    with Ledger(url, key) as ledger:
        for start in range(0, count, portion):
            with clock.running():
                ledger.append([Event("refusal", body) for body in made[start : start + portion]])
    return count / clock.seconds


def batch_rate(url: str, key: LedgerKey, count: int, portion: int, clock: Clock) -> float:
    """Events per CPU-second of ``Ledger.append_batch``."""
    made = bodies(count)
    with Ledger(url, key) as ledger:
        ledger.append([Event("benchmark", {})])
        for start in range(0, count, portion):
            with clock.running():
                ledger.append_batch(f"{start:x}", "refusal", made[start : start + portion])
    return count / clock.seconds


def raw_rate(source: Path, target: Path, portion: int) -> float:
    """Rows per CPU-second of ``executemany``."""
    reader = sqlite3.connect(source)
    rows = reader.execute(
        "SELECT seq, id, kind, at, version, body, leaf_hash FROM event"
    ).fetchall()
    schema = reader.execute(
        "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    ).fetchall()
    reader.close()
    writer = sqlite3.connect(target)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    for (statement,) in schema:
        writer.execute(statement)
    clock = Clock()
    for start in range(0, len(rows), portion):
        with clock.running(), writer:
            writer.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", rows[start : start + portion]
            )
    writer.close()
    return len(rows) / clock.seconds


class ServerClock(Clock):
    """CPU seconds of this process and of all processes of a PostgreSQL server beside it."""

    def __init__(self, url: str) -> None:
        import psycopg

        with psycopg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        ) as connection:
            (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        self._postmaster = _stat(backend)[1]

    @contextmanager
    def running(self) -> Iterator[None]:
        start = self._server() + time.process_time()
        yield
        self.seconds += self._server() + time.process_time() - start

    def _server(self) -> float:
        """Of the running processes, and of those that have ended, which the first one inherits."""
        ticks = sum(_stat(self._postmaster)[11:15])
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                stat = _stat(int(process.name))
                if stat[1] == self._postmaster:
                    ticks += sum(stat[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[int]:
    """Fields of /proc/PID/stat after the name (proc_pid_stat(5)); the state, a letter, as 0."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return [0, *map(int, fields[1:])]


def raw_copy_rate(url: str, portion: int) -> float:
    """Rows per CPU-second of COPY into a table of the same columns and indexes."""
    import psycopg

    clock = ServerClock(url)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        rows = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
        connection.execute("CREATE TABLE raw (LIKE event INCLUDING ALL)")
        connection.commit()
        for start in range(0, len(rows), portion):
            with clock.running():
                with connection.cursor().copy("COPY raw FROM STDIN") as copy:
                    for row in rows[start : start + portion]:
                        copy.write_row(row)
                connection.commit()
        connection.execute("DROP TABLE raw")
    return len(rows) / clock.seconds


def single_appends(url: str, key: LedgerKey) -> list[float]:
    """Milliseconds of wall clock for each append of one event, on the disk."""
    times = []
    with Ledger(url, key) as ledger:
        for body in bodies(SINGLE_APPENDS):
            start = time.perf_counter()
            ledger.append([Event("refusal", body)])
            times.append(1e3 * (time.perf_counter() - start))
    return times


def concurrent_rate(url: str, key: LedgerKey) -> tuple[float, float]:
    """Events a second (wall clock) of threads that append one event each time; p99 in ms."""
    times: list[float] = []

    def write(number: int) -> None:
        for body in bodies(APPENDS_EACH):
            start = time.perf_counter()
            ledger.append([Event("refusal", body | {"thread": number})])
            times.append(1e3 * (time.perf_counter() - start))

    with Ledger(url, key) as ledger, ThreadPoolExecutor(WRITERS) as pool:
        start = time.perf_counter()
        list(pool.map(write, range(WRITERS)))
        took = time.perf_counter() - start
    return len(times) / took, quantiles(times, n=100)[98]


def proofs(url: str, key: LedgerKey, count: int) -> tuple[int, int, float, float, float]:
    """Bytes of the longest proof and path; CPU microseconds to make, walk and verify one."""
    making, walking, verifying = Clock(), Clock(), Clock()
    verifier = VerifierKey.parse(key.verifier)
    longest = path_bytes = 0
    with Ledger(url, key) as ledger:
        ids = [
            next(ledger.entries(first=i, limit=1)).id
            for i in range(0, count, max(1, count // PROOFS))
        ]
        for entry_id in ids:
            with making.running():
                proof = ledger.prove(entry_id)
            size = ledger.checkpoint().size
            path, leaf = decode_path(proof.path), proof.leaf.hash()
            with walking.running():
                root_from_inclusion(leaf, proof.index, size, path)
            text = proof.model_dump_json()
            longest = max(longest, len(text))
            path_bytes = max(path_bytes, 32 * len(path))
            with verifying.running():
                verify_inclusion(InclusionProof.model_validate_json(text), verifier)
    micro = 1e6 / len(ids)
    return (
        longest,
        path_bytes,
        micro * making.seconds,
        micro * walking.seconds,
        micro * verifying.seconds,
    )


def on_sqlite(folder: Path, key: LedgerKey, count: int, portion: int) -> None:
    """Print the figures of SQLite."""
    file, batches = folder / "ledger.db", folder / "batches.db"
    url, batched = f"sqlite:///{file}", f"sqlite:///{batches}"
    migrations.upgrade(url)
    migrations.upgrade(batched)
    ours = append_rate(url, key, count // 4, portion)
    raw = raw_rate(file, folder / "raw.db", portion)
    print(f"SQLite, {portion:,} events in an append")
    print(f"  executemany of the same rows     {raw:>10,.0f} rows/CPU-s")
    print(f"  Ledger.append                    {ours:>10,.0f} events/CPU-s   {ours / raw:.2f}")
    ours = batch_rate(batched, key, count, portion, Clock())
    raw = raw_rate(batches, folder / "raw-batches.db", portion)
    print(f"  executemany of the rows of batches {raw:>8,.0f} rows/CPU-s")
    print(f"  Ledger.append_batch              {ours:>10,.0f} events/CPU-s   {ours / raw:.2f}")
    clock = Clock()
    with Ledger(batched, key) as ledger, clock.running():
        report = ledger.verify()
    rate = report.size / clock.seconds
    print(
        f"  Ledger.verify of {report.size:,}: {clock.seconds:.2f} CPU-s, {rate:,.0f} events/CPU-s"
    )
    print(f"  everything fits: {report.ok}")
    json_bytes, path_bytes, make, walk, verify = proofs(batched, key, count)
    print(f"  proof: path {path_bytes} bytes, JSON with event and checkpoint {json_bytes} bytes")
    print(f"  prove {make:,.0f} us, walk the path {walk:,.0f} us, verify the file {verify:,.0f} us")
    waiting(url, key)


def on_postgresql(url: str, key: LedgerKey, count: int, portion: int) -> None:
    """Print the figures of an empty, migrated database on this machine."""
    ours = batch_rate(url, key, count, portion, ServerClock(url))
    raw = raw_copy_rate(url, portion)
    print(f"PostgreSQL, {portion:,} events in an append, client and server counted")
    print(f"  COPY of the same rows            {raw:>10,.0f} rows/CPU-s")
    print(f"  Ledger.append_batch              {ours:>10,.0f} events/CPU-s   {ours / raw:.2f}")
    waiting(url, key)


def waiting(url: str, key: LedgerKey) -> None:
    """Print how long appends of one event take."""
    times = single_appends(url, key)
    p99 = quantiles(times, n=100)[98]
    print(f"  one event in an append: median {median(times):.1f} ms, p99 {p99:.1f} ms (wall clock)")
    together, p99 = concurrent_rate(url, key)
    print(f"  {WRITERS} threads, one event in an append: {together:,.0f}/s, p99 {p99:.0f} ms")


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--portion", type=int, default=5_000, help="events in one append")
    options.add_argument("--postgresql", metavar="URL", help="an empty database on this machine")
    chosen = options.parse_args()
    key = LedgerKey.generate("benchmark.test")
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite(Path(folder), key, chosen.events, chosen.portion)
    if chosen.postgresql:
        migrations.upgrade(chosen.postgresql)
        on_postgresql(chosen.postgresql, key, chosen.events, chosen.portion)


if __name__ == "__main__":
    main()
