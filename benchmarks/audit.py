"""Speed of the audit's one pass, beside plain scaled decoding of the same files in the same run.

    python benchmarks/audit.py [--pictures N] [--data DIR] [--join N]

Rates are pictures per CPU-second of this one process (user and system), so that a busy machine
does not spoil them. With photographs in DATA/photos (or $WARDMARK_DATA) the pictures are made of
them, else they are drawn. cleanvision is measured beside where it is installed, FairFace's labels
where DATA has them.
"""

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from datasets_audit.annotations import load_annotations
from datasets_audit.coverage import measure_balance
from datasets_audit.declaration import Terms
from datasets_audit.duplicates import near_pairs
from datasets_audit.figures import database
from datasets_audit.inspection import Inspection, inspect
from datasets_audit.shards import Inspected, ShardWriter, in_shards, write_findings

SIDE = 1024  # pixels
QUALITY = 90  # JPEG
FAIRFACE = ("fairface_label_train.csv", "fairface_label_val.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--data", type=Path, default=os.environ.get("WARDMARK_DATA"))
    parser.add_argument("--join", type=int, default=100_000, help="hashes in the near-copy join")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    data = Path(given.data) if given.data else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{number:05d}.jpg" for number in range(given.pictures)]
        for path, pixels in zip(files, pictures(data), strict=False):
            path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=QUALITY))
        measure_pass(files)
        measure_cleanvision(folder, len(files))
    measure_join(given.join)
    if data and all((data / "labels" / "fairface" / file).is_file() for file in FAIRFACE):
        measure_fairface(data / "labels" / "fairface")


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


def measure_pass(files: list[Path]) -> None:
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


def measure_cleanvision(folder: Path, count: int) -> None:
    try:
        from cleanvision import Imagelab
    except ImportError:
        print("cleanvision                  not installed")
        return
    started = time.process_time()
    Imagelab(data_path=str(folder)).find_issues(n_jobs=1, verbose=False)
    print(f"cleanvision, default set     {count / (time.process_time() - started):8.0f}")


def measure_join(count: int) -> None:
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    started = time.process_time()
    near_pairs(hashes)
    print(f"near-copy join of {count:,} hashes: {time.process_time() - started:.2f} CPU-s")


def measure_fairface(folder: Path) -> None:
    """FairFace's labels as declared attributes of pictures that are not there."""
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
