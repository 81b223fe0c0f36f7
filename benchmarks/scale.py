"""What an audit of 10^10 pictures would take, from rates that are measured now.

    python benchmarks/scale.py [--pictures N] [--shards N] [--total N] [--days D]

Each stage of an audit is run by itself, and its rate is per CPU-second of this one process, beside
a floor of the same run: the pass beside reading and decoding alone, rows beside hashing and writing
them, events beside hashing their bodies. The projection is those rates times the number of
pictures and nothing else: no machine of that size was measured.
"""

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import orjson
import simplejpeg
from audit import QUALITY, pictures, rate

import migrations
from datasets_audit.declaration import Terms
from datasets_audit.figures import database
from datasets_audit.inspection import Inspection, inspect
from datasets_audit.shards import SHARD_SAMPLES, Inspected, ShardWriter, load_sketch, write_findings
from datasets_audit.sketch import Sketch, merge
from provenance.ledger import Event, Ledger, LedgerKey

PART = 10_000_000  # pictures of one audit: its report names each shard
DAY = 86_400
MERGED = 200  # sketches, to time one
T = TypeVar("T")


class Rates(NamedTuple):
    """CPU-seconds and bytes, each for one picture, or for one shard where it says so."""

    read: float  # and decoded, which is the floor
    passed: float
    picture: float  # bytes
    row: float
    row_floor: float
    row_bytes: float
    merge: float  # of a shard's sketch
    event: float  # of a shard: its event and its sketch's
    event_floor: float
    event_bytes: float
    grouped: float  # of one question over the rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--total", type=float, default=1e10)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--data", type=Path, default=os.environ.get("WARDMARK_DATA"))
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        rates = measure(Path(name), given.data and Path(given.data), given.pictures, given.shards)
    show(rates)
    project(rates, given.total, given.days)


def measure(folder: Path, data: Path | None, count: int, shards: int) -> Rates:
    files = [folder / f"{number:05d}.jpg" for number in range(count)]
    for path, pixels in zip(files, pictures(data), strict=False):
        path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=QUALITY))

    def decode(path: Path) -> object:
        return simplejpeg.decode_jpeg(
            path.read_bytes(), "GRAY", fastdct=True, min_height=256, min_width=256
        )

    read = 1 / rate(decode, files)
    passed = 1 / rate(lambda path: inspect(path.read_bytes()), files)
    bytes_each = sum(path.stat().st_size for path in files) / count
    samples = inspected([inspect(path.read_bytes()) for path in files], shards * SHARD_SAMPLES)

    out = folder / "out"
    (out / "sketches").mkdir(parents=True)
    writer = ShardWriter(out, None, Terms(date(2026, 1, 1), None, bytes(32)))
    parts = [samples[at : at + SHARD_SAMPLES] for at in range(0, len(samples), SHARD_SAMPLES)]
    writer.write(0, parts[0])  # imports
    took, written = timed(lambda: [writer.write(n, part) for n, part in enumerate(parts)])
    stored = sum(path.stat().st_size for path in (out / "samples").iterdir())
    floor, _ = timed(lambda: floor_of_rows(out))
    sketches = [load_sketch(out, shard) for shard in written]
    merging, _ = timed(lambda: merge(sketches * (MERGED // len(sketches))))
    write_findings([], out / "findings" / "set.parquet")
    with database(out) as connection:
        query = (
            f"SELECT media_type, width, c2pa, count(*) FROM '{out}/samples/*.parquet' "  # noqa: S608
            "GROUP BY ALL"
        )
        connection.sql(query).fetchall()
        grouping, _ = timed(lambda: connection.sql(query).fetchall())
    event, event_floor, event_bytes = events(folder, sketches, MERGED)
    return Rates(
        read, passed, bytes_each, took / len(samples), floor / len(samples),
        stored / len(samples), merging / MERGED, event, event_floor, event_bytes,
        grouping / len(samples),
    )  # fmt: skip


def inspected(measured: list[Inspection], count: int) -> list[Inspected]:
    """``count`` pictures like a few that were measured, each with hashes and figures of its own."""
    rng = np.random.default_rng(5)
    return [
        Inspected(
            f"{number // 1000:07d}/{number:010d}.jpg",
            replace(
                measured[number % len(measured)],
                sha256=rng.bytes(32).hex(),
                pdq=rng.bytes(32).hex(),
                bytes=int(rng.integers(50_000, 500_000)),
                sharpness=round(float(rng.uniform(10, 5_000)), 1),
                entropy=round(float(rng.uniform(4, 8)), 3),
                brightness=round(float(rng.uniform(40, 220)), 1),
            ),
        )
        for number in range(count)
    ]


def floor_of_rows(out: Path) -> None:
    """Read the rows that were written, hash each once, and write the tables again."""
    import pyarrow.parquet as pq

    for path in (out / "samples").iterdir():
        table = pq.read_table(path)
        for row in table.to_pylist():
            hashlib.sha256(orjson.dumps(row, default=str)).digest()
        pq.write_table(table, out / "again.parquet", compression="zstd")


def events(folder: Path, sketches: list[Sketch], shards: int) -> tuple[float, float, float]:
    """CPU-seconds, of which hashing, and bytes of the database, for the two events of a shard."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    migrations.upgrade(url)
    bodies = [
        body
        for number in range(shards)
        for body in (
            {"dataset": {"name": "x", "root": "ab" * 32}, "shard": number, "root": "cd" * 32},
            {"shard": number, "sketch": sketches[number % len(sketches)].model_dump(mode="json")},
        )
    ]
    kinds = ("dataset.shard", "dataset.sketch")
    given = [Event(kinds[n % 2], body, f"event-{n}") for n, body in enumerate(bodies)]
    with Ledger(url, LedgerKey.generate("bench.test/scale")) as ledger:
        ledger.append([Event("begin", {})])
        before = (folder / "ledger.db").stat().st_size
        took, _ = timed(lambda: ledger.append(given))
        ledger.close()
        grown = (folder / "ledger.db").stat().st_size - before
    hashing, _ = timed(lambda: [hashlib.sha256(orjson.dumps(body)).digest() for body in bodies])
    return took / shards, hashing / shards, grown / shards


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU-seconds of this process, and what came of them."""
    started = time.process_time()
    done = work()
    return time.process_time() - started, done


def show(rates: Rates) -> None:
    print(f"{'stage':44}{'per CPU-second':>16}{'of its floor':>14}")
    lines = (
        ("the pass over a picture", 1 / rates.passed, rates.read / rates.passed),
        ("a row: annotate, hash, sketch, write", 1 / rates.row, rates.row_floor / rates.row),
        ("a shard's two events in the ledger", 1 / rates.event, rates.event_floor / rates.event),
        ("a shard's sketch into a sum", 1 / rates.merge, None),
        ("rows grouped by three columns", 1 / rates.grouped, None),
    )
    for stage, each, share in lines:
        print(f"{stage:44}{each:16,.0f}{'' if share is None else f'{share:14.2f}'}")
    print(f"{'bytes of a picture, of its row, of a shard in the ledger':58}"
          f"{rates.picture:,.0f}, {rates.row_bytes:,.0f}, {rates.event_bytes:,.0f}\n")  # fmt: skip


def project(rates: Rates, total: float, days: float) -> None:
    window, shards, parts = days * DAY, total / SHARD_SAMPLES, max(total / PART, 1)
    cores = total * rates.passed / window
    rows = total * rates.row
    print(f"{total:,.0f} pictures in {days:g} days, as {parts:,.0f} audits of {PART:,}:")
    print(f"  cores for the pass                     {cores:12,.0f}")
    print(f"  cores for rows, one to an audit at once{rows / window:12,.2f}")
    print(f"  cores for the pass to one for rows     {rates.passed / rates.row:12,.1f}")
    print(f"  read from storage                      {total * rates.picture / 1e15:12,.2f} PB,"
          f" {total * rates.picture / window / 1e9:,.2f} GB/s")  # fmt: skip
    print(f"  rows                                   {total * rates.row_bytes / 1e12:12,.2f} TB")
    print(f"  shards                                 {shards:12,.0f}")
    print(f"  in the ledger                          {shards * rates.event_bytes / 1e9:12,.1f} GB,"
          f" {shards * rates.event / 60:,.1f} CPU-minutes")  # fmt: skip
    merging, asking = shards * rates.merge / 60, total * rates.grouped / 60
    print(f"  all sketches into one                  {merging:12,.1f} CPU-minutes")
    print(f"  a question by three columns            {asking:12,.1f} CPU-minutes")


if __name__ == "__main__":
    main()
