"""Speed of the audit beside cleanvision and plain scaled decoding of the same files, in one run.

    python benchmarks/audit.py [--part NAME] [--pictures N] [--data DIR] [--join N] [--rows N]

Rates are pictures per CPU-second (user and system), so that a busy machine does not spoil them.
With photographs in DATA/photos (or $WARDMARK_DATA) the pictures are made of them, else they are
drawn. cleanvision is measured where it can be imported (pip install --target DIR --no-deps
cleanvision imagehash tabulate, then PYTHONPATH=DIR), FairFace's labels where DATA has them.
"""

import argparse
import contextlib
import csv
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
from audit_rows import held, make_rows

from datasets_audit.annotations import load_annotations
from datasets_audit.coverage import measure_balance
from datasets_audit.declaration import Terms
from datasets_audit.duplicates import near_groups
from datasets_audit.engine import LocalEngine
from datasets_audit.figures import SAMPLES, database
from datasets_audit.inspection import Inspection, inspect
from datasets_audit.shards import (
    Inspected,
    ShardWriter,
    in_shards,
    inspect_batch,
    write_findings,
)
from datasets_audit.sources.folder import BATCH_PICTURES, Folder
from datasets_audit.withdrawals import withdrawn_rows, withdrawn_subjects
from provenance.home import Home

SIDE = 1024  # pixels
QUALITY = 90  # JPEG
PAIRS = 300  # planted at each distance
DISTANCES = (10, 16, 20, 25, 28, 31)  # bits
PARTS = ("pass", "join", "queries", "memory", "rows", "fairface")
FAIRFACE = ("fairface_label_train.csv", "fairface_label_val.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="one of them; all without")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=os.environ.get("WARDMARK_DATA"))
    parser.add_argument("--join", type=int, default=1_000_000, help="hashes in the near-copy join")
    parser.add_argument("--rows", type=int, default=1_000_000, help="sample rows that are queried")
    parser.add_argument("--paths", type=int, default=100_000, help="rows of the audit for memory")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    data = Path(given.data) if given.data else None
    parts = {
        "pass": lambda: measure_pictures(given.pictures, data),
        "join": lambda: measure_join(given.join),
        "queries": lambda: measure_queries(given.rows),
        "memory": lambda: measure_memory(given.paths),
        "rows": lambda: measure_rows(given.rows),
        "fairface": lambda: measure_fairface(data),
    }
    for name in [given.part] if given.part else PARTS:
        parts[name]()


def measure_pictures(count: int, data: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{number:05d}.jpg" for number in range(count)]
        for path, pixels in zip(files, pictures(data), strict=False):
            path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=QUALITY))
        whole = measure_pass(files)
        measure_cleanvision(folder, len(files), whole)
        measure_two_processes(folder, len(files))


def pictures(data: Path | None) -> Iterator[np.ndarray]:
    """Squares cut at random out of mosaics of photographs, or drawn blocks with grain."""
    rng = np.random.default_rng(1)
    found = (
        sorted(data.rglob("photos/**/*.png")) + sorted(data.rglob("photos/**/*.jpg"))
        if data
        else []
    )
    photos = [photo for path in found if (photo := cv2.imread(str(path))) is not None]
    print(f"pictures: {SIDE}x{SIDE} JPEG q{QUALITY} of {len(photos) or 'no'} photographs")
    while True:
        if photos:
            quarters = [
                cv2.resize(photos[at][:, :, ::-1], (SIDE // 2, SIDE // 2))
                for at in rng.integers(0, len(photos), 4)
            ]
            top, bottom = np.hstack(quarters[:2]), np.hstack(quarters[2:])
            yield np.ascontiguousarray(np.roll(np.vstack([top, bottom]), rng.integers(0, SIDE), 1))
        else:
            blocks = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            grain = rng.normal(0, 8, (SIDE, SIDE, 1))
            large = np.repeat(np.repeat(blocks, SIDE // 32, 0), SIDE // 32, 1)
            yield np.clip(large + grain, 0, 255).astype(np.uint8)


def rate(work: Callable[[Path], object], files: list[Path]) -> float:
    for path in files[:3]:
        work(path)  # imports and caches
    started = time.process_time()
    for path in files:
        work(path)
    return len(files) / (time.process_time() - started)


def measure_pass(files: list[Path]) -> float:
    def decode_eighth(path: Path) -> object:
        return simplejpeg.decode_jpeg(path.read_bytes(), "GRAY", fastdct=True, min_factor=8)

    def decode_as_the_pass_does(path: Path) -> object:
        return simplejpeg.decode_jpeg(
            path.read_bytes(), "GRAY", fastdct=True, min_height=256, min_width=256
        )

    eighth = rate(decode_eighth, files)
    same = rate(decode_as_the_pass_does, files)
    whole = rate(lambda path: inspect(path.read_bytes()), files)
    print(f"read and decode at 1/8       {eighth:8.0f} pictures/CPU-s")
    print(f"read and decode at 256 px    {same:8.0f}")
    print(f"the whole pass               {whole:8.0f}   {whole / eighth:.2f} of the former, "
          f"{whole / same:.2f} of the latter")  # fmt: skip
    return whole


def measure_cleanvision(folder: Path, count: int, ours: float) -> None:
    try:
        from cleanvision import Imagelab
    except ImportError as error:
        print(f"cleanvision                  not measured: {error}")
        return
    started = cpu_seconds()
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        Imagelab(data_path=str(folder)).find_issues(n_jobs=1, verbose=False)
    theirs = count / (cpu_seconds() - started)
    print(f"cleanvision, default set     {theirs:8.1f}   "
          f"the pass is {ours / theirs:.1f} times that")  # fmt: skip


def measure_two_processes(folder: Path, count: int) -> None:
    """What the second half of the files costs, so that starting processes is not in it.

    On two idle cores the time is half of the CPU-seconds of all processes together.
    """

    def cost(files: int, workers: int) -> float:
        batches = islice(Folder(folder).batches(), files // BATCH_PICTURES)
        started = cpu_seconds()
        for _ in LocalEngine(workers).map(inspect_batch, batches):
            pass
        return cpu_seconds() - started

    one, two = (cost(count, workers) - cost(count // 2, workers) for workers in (1, 2))
    print(f"on two processes             {2 * one / two:8.2f} times as fast by CPU-seconds: "
          f"{one:.2f} alone, {two:.2f} together")  # fmt: skip


def cpu_seconds() -> float:
    """User and system time of this process and of those children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure_join(count: int) -> None:
    """Random hashes, with pairs planted whose bits differ at random."""
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    planted = {bits: plant(hashes, bits, at * 2 * PAIRS, rng) for at, bits in enumerate(DISTANCES)}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "hashes"
        file.write_bytes(hashes.tobytes())
        del hashes
        started = time.process_time()
        group = np.concatenate(list(near_groups(file)))
        spent = time.process_time() - started
    recall = ", ".join(
        f"{bits} bits {np.mean([group[a] == group[b] for a, b in pairs]):.3f}"
        for bits, pairs in planted.items()
    )
    print(f"near-copy join of {count:,} hashes: {spent:.2f} CPU-s, at most {held()} MB; "
          f"recall at {recall}")  # fmt: skip


def plant(
    hashes: np.ndarray, bits: int, first: int, rng: np.random.Generator
) -> set[tuple[int, int]]:
    pairs = set()
    for left in range(first, first + 2 * PAIRS, 2):
        unpacked = np.unpackbits(hashes[left])
        unpacked[rng.choice(256, bits, replace=False)] ^= 1
        hashes[left + 1] = np.packbits(unpacked)
        pairs.add((left, left + 1))
    return pairs


def measure_queries(rows: int) -> None:
    """An intersection of three attributes, and a withdrawal, over sample rows in Parquet."""
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples").mkdir()
        per_file = 250_000
        for number, first in enumerate(range(0, rows, per_file)):
            count = min(per_file, rows - first)
            subjects = [f"{one:064x}" for one in rng.integers(0, rows // 4, count)]
            table = pa.table(
                {
                    "key": [f"{at:09d}.jpg" for at in range(first, first + count)],
                    "consent": pa.array(["declared"] * count).dictionary_encode(),
                    "subject": subjects,
                    "attr.age": pa.array(rng.integers(0, 9, count).astype(str)),
                    "attr.gender": pa.array(rng.integers(0, 2, count).astype(str)),
                    "attr.region": pa.array(rng.integers(0, 7, count).astype(str)),
                }
            )
            pq.write_table(table, folder / f"samples/part-{number:05d}.parquet", compression="zstd")
        with database(folder) as connection:
            columns = '"attr.age", "attr.gender", "attr.region"'
            query = f"SELECT {columns}, count(*) FROM {SAMPLES} GROUP BY ALL"  # noqa: S608 - ours
            connection.execute(query).fetchall()
            times = []
            for _ in range(5):
                started, cpu = time.perf_counter(), time.process_time()
                cells = len(connection.execute(query).fetchall())
                times.append((time.perf_counter() - started, time.process_time() - cpu))
        wall, spent = min(times)
        print(f"{cells} cells of three attributes over {rows:,} rows: {wall * 1e3:.0f} ms, "
              f"{spent * 1e3:.0f} CPU-ms")  # fmt: skip
        home = Home.create(folder / "home", provider="Benchmark", version="0")
        started = time.perf_counter()
        home.subjects.withdraw("somebody")
        subjects_ = withdrawn_subjects(home.ledger) | {f"{7:064x}"}
        found = withdrawn_rows(sorted((folder / "samples").iterdir()), subjects_)
        print(f"a withdrawal, recorded and looked up in {rows:,} rows: "
              f"{time.perf_counter() - started:.2f} s, {found.samples} samples")  # fmt: skip
        home.ledger.close()


def measure_memory(rows: int) -> None:
    """The largest resident set of a whole audit of rows, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, pixels in zip(range(16), pictures(None), strict=False):
            small = np.ascontiguousarray(cv2.resize(pixels, (96, 96)))
            (folder / f"{number}.jpg").write_bytes(simplejpeg.encode_jpeg(small))
        paths = [f"{number % 16}.jpg" for number in range(rows)]
        keys = [f"{number:09d}" for number in range(rows)]
        pq.write_table(pa.table({"key": keys, "path": paths}), folder / "rows.parquet")
        program = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "from audit_rows import held; from datasets_audit import audit\n"
            "audit(sys.argv[1], name='x', out=sys.argv[2], workers=1)\n"
            "print(held())"
        )
        arguments = (str(folder / "rows.parquet"), str(folder / "out"))
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(f"an audit of {rows:,} rows holds at most {int(done.stdout)} MB")


def measure_rows(count: int) -> None:
    """What follows the pass, over rows that are made: of 10^7 nobody has the pictures here."""
    with tempfile.TemporaryDirectory() as name:
        make_rows(Path(name), count)
        print(f"after the pass, {count:,} rows of as many pictures:", flush=True)
        program = Path(__file__).with_name("audit_rows.py")
        subprocess.run([sys.executable, program, name], check=True)


def measure_fairface(data: Path | None) -> None:
    """FairFace's labels as declared attributes of pictures that are not there."""
    folder = data / "labels" / "fairface" if data else Path()
    if not all((folder / file).is_file() for file in FAIRFACE):
        print("FairFace                     not measured: its labels are not in --data")
        return
    rows = [row for file in FAIRFACE for row in csv.DictReader((folder / file).open())]
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        annotations = out / "fairface.csv"
        names = ("age", "gender", "race")
        with annotations.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["file", *(f"attr.{n}" for n in names), *(f"attr_origin.{n}" for n in names)]
            )
            for row in rows:
                writer.writerow(
                    [row["file"], *(row[n] for n in names), *["annotator-perceived"] * 3]
                )
        started = time.process_time()
        with load_annotations(annotations, out) as stated:
            writer_ = ShardWriter(out, stated, Terms(date(2026, 1, 1), None, bytes(32)))
            missing = [Inspected(row["file"], Inspection(0, None)) for row in rows]
            for number, shard in enumerate(in_shards([missing])):
                writer_.write(number, shard)
            write_findings([], out / "findings" / "set.parquet")
        written = time.process_time()
        with database(out) as connection:
            balance = measure_balance(connection, names, None)
        done = time.process_time()
    print(f"FairFace, {len(rows):,} rows: annotated and written {written - started:.1f} CPU-s, "
          f"balance in {done - written:.2f} CPU-s")  # fmt: skip
    for table in (*balance.attributes, *balance.intersections):
        imbalance = f"{table.imbalance:.2f}" if table.imbalance else "-"
        smallest = table.smallest
        print(
            f"  {' x '.join(table.attributes):20} entropy {table.entropy:.3f} "
            f"evenness {table.evenness:.3f} imbalance {imbalance:>6} cells {table.cells_total} "
            f"thin {table.thin} empty {table.empty}"
            + (f" smallest {smallest.count} ({smallest.low:.1e} to {smallest.high:.1e})"
               if smallest else "")
        )  # fmt: skip


if __name__ == "__main__":
    main()
