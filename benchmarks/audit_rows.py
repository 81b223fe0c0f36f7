"""Rows of a large audit, made instead of measured, and what an audit asks of them.

    python benchmarks/audit_rows.py FOLDER     asks, and prints the largest resident set

``benchmarks/audit.py --part rows`` makes them and runs this in a process of its own.
"""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datasets_audit.audit import write_attribution
from datasets_audit.copies import find_copies
from datasets_audit.coverage import measure_balance
from datasets_audit.figures import QUESTIONS, ask, balance_questions, database
from datasets_audit.poison import poison_findings
from datasets_audit.sample import schema
from datasets_audit.shards import SHARD_SAMPLES, write_findings
from datasets_audit.tallies import consent_counts, finding_groups, host_counts, licence_counts

ATTRIBUTES = ("age", "gender", "race")
CATEGORIES = (9, 2, 7)  # of each attribute
NEAR = 20  # one picture in so many has a copy that differs in two bits
CORNERS = 10  # one picture in so many has corners that are not plain
AT_ONCE = 32 * SHARD_SAMPLES


def make_rows(folder: Path, count: int) -> None:
    """Sample rows and a finding for each, as the pass leaves them: every picture another one."""
    rng = np.random.default_rng(3)
    (folder / "samples").mkdir(parents=True)
    (folder / "findings").mkdir()
    for first in range(0, count, AT_ONCE):
        table = _table(range(first, min(first + AT_ONCE, count)), rng)
        for at in range(0, len(table), SHARD_SAMPLES):
            rows = table.slice(at, SHARD_SAMPLES)
            name = f"part-{(first + at) // SHARD_SAMPLES:05d}.parquet"
            pq.write_table(rows, folder / "samples" / name, compression="zstd")
            found = {
                "code": ["exif_gps"] * len(rows),
                "key": rows["key"],
                "row": pa.nulls(len(rows), pa.int64()),
                "detail": pa.nulls(len(rows), pa.string()),
            }
            pq.write_table(pa.table(found), folder / "findings" / name, compression="zstd")


def _table(numbers: range, rng: np.random.Generator) -> pa.Table:
    count = len(numbers)
    hashes = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    copies = hashes[1 :: 2][: count // NEAR]
    copies[:] = hashes[::2][: len(copies)]
    copies[:, 7] ^= 0x11
    corners = rng.integers(0, 256, (count, 4, 8), dtype=np.uint8)
    given = {
        "key": [f"folder/of/pictures/{number:010d}.jpg" for number in numbers],
        "sha256": _hex(rng.integers(0, 256, (count, 32), dtype=np.uint8)),
        "pdq": _hex(hashes),
        "salt": _hex(rng.integers(0, 256, (count, 16), dtype=np.uint8)),
        "subject": _hex(rng.integers(0, 256, (count, 32), dtype=np.uint8)),
        "corners": [
            " ".join(_hex(corners[at])) if number % CORNERS == 0 else "- - - -"
            for at, number in enumerate(numbers)
        ],
        "pdq_quality": np.full(count, 100),
        "bytes": np.full(count, 300_000),
        "gps": [True] * count,
        "attribution": [True] * count,
        "share_alike": [False] * count,
        "consent": ["declared"] * count,
        "standing": ["permitted"] * count,
        "licence_use": ["any"] * count,
        "licence_expression": ["CC-BY-4.0"] * count,
        "creator": [f"creator {number % 5000}" for number in numbers],
        "caption": [f"a caption of some length, the {number // 20}th" for number in numbers],
        "split": ["train" if number % 10 else "test" for number in numbers],
        "source_url": [f"https://host{number % 997}.example/{number}.jpg" for number in numbers],
        "label": [f"label {number % 50}" for number in numbers],
    }
    for name, several in zip(ATTRIBUTES, CATEGORIES, strict=True):
        given[f"attr.{name}"] = rng.integers(0, several, count).astype(str)
    columns = schema(ATTRIBUTES)
    filled = [
        pa.array(given[one.name], one.type) if one.name in given else pa.nulls(count, one.type)
        for one in columns
    ]
    return pa.table(filled, schema=columns)


def _hex(rows: np.ndarray) -> Sequence[str]:
    text, width = rows.tobytes().hex(), 2 * rows.shape[-1]
    return [text[at : at + width] for at in range(0, len(text), width)]


def held() -> int:
    """The largest resident set of this process so far, MB.

    getrusage would count what the process that started this one held (Linux keeps it over exec).
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


def ask_everything(folder: Path) -> None:
    """What an audit does once the pass is over, stage by stage; prints CPU-seconds and memory."""
    started = time.process_time()

    def done(stage: str) -> None:
        nonlocal started
        spent, started = time.process_time() - started, time.process_time()
        print(f"  {stage:32} {spent:8.1f} CPU-s   at most {held()} MB so far", flush=True)

    with database(folder) as connection:
        balance = measure_balance(connection, ATTRIBUTES, None)
        done("balance")
        write_findings(find_copies(connection, folder), folder / "findings" / "copies.parquet")
        done("copies and near copies")
        findings = poison_findings(connection, folder)
        write_findings(findings, folder / "findings" / "poison.parquet")
        done("signs of poisoning")
        tables = (*balance.intersections, *balance.attributes)
        ask(connection, [*QUESTIONS, *(q for t in tables for q in balance_questions(t.attributes))])
        done("figures")
        consent_counts(connection)
        licence_counts(connection)
        host_counts(connection)
        groups = finding_groups(connection)
        done(f"{sum(group.count for group in groups):,} findings grouped")
        write_attribution(connection, folder)
        done("list of attributions")


if __name__ == "__main__":
    ask_everything(Path(sys.argv[1]))
