"""The ledger beside plain inserts of the same rows, in one run.

    python benchmarks/ledger.py [--events N] [--portion N]

Rates are per CPU-second of this process (user and system), so they hold on a busy machine; times of
single appends are wall clock and mean little there. The floor is Python's sqlite3 putting the same
rows into the same tables and indexes with ``executemany``: no tree, no signature, no trigger.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import migrations
from provenance.ledger import Event, InclusionProof, Ledger, LedgerKey, verify_inclusion
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


def bodies(count: int) -> list[dict[str, object]]:
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


def ledger_rate(url: str, key: LedgerKey, count: int, portion: int) -> float:
    """Events per CPU-second, from event to acknowledged entry."""
    clock, made = Clock(), bodies(count)
    with Ledger(url, key) as ledger:
        for start in range(0, count, portion):
            with clock.running():
                ledger.append([Event("refusal", body) for body in made[start : start + portion]])
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


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--portion", type=int, default=5_000, help="events in one append")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        url, key = f"sqlite:///{file}", LedgerKey.generate("benchmark.test")
        migrations.upgrade(url)
        ours = ledger_rate(url, key, chosen.events, chosen.portion)
        raw = raw_rate(file, Path(folder) / "raw.db", chosen.portion)
        clock = Clock()
        with Ledger(url, key) as ledger, clock.running():
            report = ledger.verify()
        json_bytes, path_bytes, make, walk, verify = proofs(url, key, chosen.events)
        times = single_appends(url, key)
        together, p99_together = concurrent_rate(url, key)
    print(
        f"{chosen.events:,} events, {chosen.portion:,} in an append; everything fits: {report.ok}"
    )
    print(f"  executemany of the same rows     {raw:>12,.0f} rows/CPU-s")
    print(
        f"  Ledger.append, tree and notes    {ours:>12,.0f} events/CPU-s   {ours / raw:.2f} of raw"
    )
    print(f"  Ledger.verify                    {report.size / clock.seconds:>12,.0f} events/CPU-s")
    print(f"  proof: path {path_bytes} bytes, JSON with event and checkpoint {json_bytes} bytes")
    print(f"  prove {make:,.0f} us, walk the path {walk:,.0f} us, verify the file {verify:,.0f} us")
    p99 = quantiles(times, n=100)[98]
    print(f"  one event in an append: median {median(times):.1f} ms, p99 {p99:.1f} ms (wall clock)")
    print(
        f"  {WRITERS} threads, one event in an append: {together:,.0f}/s, p99 {p99_together:.0f} ms"
    )


if __name__ == "__main__":
    main()
