"""The ledger beside plain inserts of the same rows, in one run.

    python benchmarks/ledger.py [--events N] [--portion N] [--postgresql URL]

Rates are per CPU-second (user and system), so they hold on a busy machine, though caches and cores
that others use cost a third of them; times of single appends are wall clock and mean little there.
The load is printed. The floor of SQLite is Python's sqlite3 putting the same rows
into the same table and indexes with ``executemany``: no tree, no signature, no trigger. The floor
of PostgreSQL is one COPY of the same rows for each portion; there the server's processes are
counted too, so it has to run on this machine, with nothing else to do.
"""

import argparse
import math
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median, quantiles
from typing import TypeVar

from sqlalchemy import make_url

import migrations
from datasets_audit.receipts import join, row_leaf, verify_receipt
from provenance.ledger import Event, InclusionProof, Ledger, LedgerKey, verify_inclusion
from provenance.ledger.bundle import Bundle
from provenance.ledger.event import Json
from provenance.ledger.merkle import (
    ListedLeaves,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    root_of,
)
from provenance.ledger.note import VerifierKey
from provenance.ledger.witness import FileWitness

T = TypeVar("T")

SINGLE_APPENDS = 200
WRITERS = 16
APPENDS_EACH = 50
PROOFS = 200
ROUNDS = 5
SHARD_ROWS = 10_000


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


def batch_rate(
    url: str, key: LedgerKey, count: int, portion: int, clock: Clock, first: Event
) -> float:
    """Events per CPU-second of ``Ledger.append_batch``, behind an entry that stands already."""
    made = bodies(count)
    with Ledger(url, key) as ledger:
        ledger.append([first])
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


def microseconds(work: Callable[[T], object], cases: Sequence[T], rounds: int = ROUNDS) -> float:
    """CPU microseconds of ``work`` on one of ``cases``, in the quickest of some rounds."""
    best = math.inf
    for _ in range(rounds):
        start = time.process_time()
        for case in cases:
            work(case)
        best = min(best, time.process_time() - start)
    return 1e6 * best / len(cases)


def shard_event(count: int) -> tuple[Event, list[bytes]]:
    """What an audit records of one shard, and the leaves of the rows in it."""
    rows = [row_leaf({"key": f"{i:010d}.jpg", "width": 640}) for i in range(SHARD_ROWS)]
    body: dict[str, Json] = {
        "bytes": 123_456_789_012,
        "dataset": {"name": "ten-billion-pictures", "root": sha256(b"version").hexdigest()},
        "root": root_of([leaf_hash(row) for row in rows]).hex(),
        "samples": SHARD_ROWS,
        "shard": count // 3,
    }
    return Event("dataset.shard", body, f"dataset.shard:{'0' * 40}"), rows


def proofs(ledger: Ledger, folder: Path) -> None:
    """Print sizes of proofs and what it costs to make and to check one."""
    size = ledger.size
    ids = [
        next(ledger.entries(first=i, limit=1)).id for i in range(1, size, max(1, size // PROOFS))
    ]
    print(f"Proofs of one in {size:,}; {len(ids)} of them")
    print(f"  {'make one':<35}{microseconds(ledger.prove, ids, 1):>8,.0f} us")
    made = [ledger.prove(entry_id) for entry_id in ids]
    files = [proof.model_dump_json() for proof in made]
    bare = [Bundle.of(proof, with_leaf=False) for proof in made]
    whole = [Bundle.of(proof) for proof in made]
    for number in range(2):
        witness = FileWitness.create(folder / f"witness-{number}", f"witness.test/0{number}")
        witness.trust(ledger.verifier)
        ledger.cosign(witness)
    head = ledger.checkpoint()
    witnessed = [b.model_copy(update={"checkpoint": head.note}) for b in bare]
    complete = [b.model_copy(update={"checkpoint": head.note}) for b in whole]
    for name, found in (
        ("path, longest", max(32 * len(bundle.path) for bundle in bare)),
        ("index, hash of the entry, path", largest(bare) - len(made[0].checkpoint.encode())),
        ("and the checkpoint", largest(bare)),
        ("and two cosignatures", largest(witnessed)),
        ("and the entry in place of its hash", largest(complete)),
        ("as JSON with entry and checkpoint", max(map(len, files))),
    ):
        print(f"  {name:<35}{found:>8,} bytes")

    def walk(bundle: Bundle) -> None:
        root_from_inclusion(bundle.digest, bundle.index, size, bundle.path)

    def check_packed(packed: bytes) -> None:
        Bundle.unpack(packed).verify(ledger.verifier)

    def check(case: tuple[str, VerifierKey]) -> None:
        verify_inclusion(InclusionProof.model_validate_json(case[0]), case[1])

    unseen = []  # each under a signature that was never seen before
    for proof in made:
        key = LedgerKey.generate(ledger.origin)
        note = key.sign_checkpoint(size, bytes.fromhex(head.root)).note
        other = proof.model_copy(update={"checkpoint": note})
        unseen.append((other.model_dump_json(), key.public))
    message = bytes(100)
    signature, public = key.private.sign(message), key.private.public_key()
    known = [(text, ledger.verifier) for text in files]
    for name, took in (
        ("walk the path", microseconds(walk, bare)),
        ("read and check it all, packed", microseconds(check_packed, [b.pack() for b in whole])),
        ("the same, as JSON", microseconds(check, known)),
        ("the first under its checkpoint", microseconds(check, unseen, 1)),
        ("a signature alone", microseconds(lambda _: public.verify(signature, message), ids)),
    ):
        print(f"  {name:<35}{took:>8,.0f} us")


def largest(bundles: Iterable[Bundle]) -> int:
    """Bytes of the longest."""
    return max(len(bundle.pack()) for bundle in bundles)


def receipts(ledger: Ledger, shard: Event, rows: Sequence[bytes]) -> None:
    """Print what a receipt for one sample of that shard takes."""
    row = len(rows) // 3
    path = inclusion_path(ListedLeaves([leaf_hash(leaf) for leaf in rows]), row, len(rows))
    proof = ledger.prove(shard.id)
    receipt = join(row, path, proof)
    packed, leaf = receipt.pack(), rows[row]
    root = bytes.fromhex(ledger.checkpoint().root)
    keys = [LedgerKey.generate(ledger.origin) for _ in range(PROOFS)]
    unseen = [
        (replace(receipt, checkpoint=k.sign_checkpoint(ledger.size, root).note).pack(), k.public)
        for k in keys
    ]
    first = microseconds(lambda case: verify_receipt(case[0], leaf, case[1]), unseen, 1)
    later = microseconds(lambda _: verify_receipt(packed, leaf, ledger.verifier), range(PROOFS))
    print(f"Receipt of one sample of {ledger.size * len(rows):,}: {len(packed):,} bytes")
    print(f"  check the first {first:,.0f} us, later ones under its checkpoint {later:,.0f} us")


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
    shard, rows = shard_event(count)
    ours = batch_rate(batched, key, count, portion, Clock(), shard)
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
    waiting(url, key)
    with Ledger(batched, key) as ledger:
        receipts(ledger, shard, rows)  # before witnesses add their lines to the checkpoint
        proofs(ledger, folder)


def on_postgresql(url: str, key: LedgerKey, count: int, portion: int) -> None:
    """Print the figures of an empty, migrated database on this machine."""
    ours = batch_rate(url, key, count, portion, ServerClock(url), Event("benchmark", {}))
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
    key = LedgerKey.generate("benchmarks.test")
    print(f"Load of the last minute {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite(Path(folder), key, chosen.events, chosen.portion)
    if chosen.postgresql:
        migrations.upgrade(chosen.postgresql)
        on_postgresql(chosen.postgresql, key, chosen.events, chosen.portion)


if __name__ == "__main__":
    main()
