"""Finding a decision in a large ledger, beside finding one entry by its id in the same run.

    python benchmarks/decision_lookup.py [--entries 1000000]

Fills a ledger, records one request with a refusal and a delivery in the middle of it, and prints
CPU and wall microseconds of ``find_decision`` (its endings with their reasons, out of some forty
possible ids and the table of records), of one that is not there, and of the floor: one entry by its
id.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from guard.assessment import Region
from guard.decisions import find_decision
from guard.errors import DecisionNotFound
from guard.pipeline import ImageRequest
from provenance.home import Home

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the core and the assessors in memory of the tests
BATCH = 50_000  # entries appended together
ROUNDS = 200
BLOCKED: tuple[dict[str, float], tuple[Region, ...]] = ({"violence": 0.97}, ())


def microseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Median CPU and wall time of ``work``."""
    cpu, wall = [], []
    for _ in range(ROUNDS):
        began, at = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - at)
    return median(cpu) * 1e6, median(wall) * 1e6


def fill(home: Home, name: str, entries: int) -> None:
    """Append so many entries that are nobody's decision."""
    for first in range(0, entries, BATCH):
        number = min(BATCH, entries - first)
        bodies = [{"decision_id": f"dec_{first + n:016x}"} for n in range(number)]
        home.ledger.append_batch(f"{name}-{first}", "filler", bodies)


def missing(home: Home) -> None:
    """Ask for a decision that is not there."""
    try:
        find_decision(home.ledger, "dec_ffffffffffffffff")
    except DecisionNotFound:
        return
    raise AssertionError("it was found")


def main() -> None:
    """Print the figures."""
    from tests.support.assessors import ScriptedImageAssessor
    from tests.support.deployment import pipeline_of

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        home = Home.create(Path(folder) / "home", provider="Benchmark", version="0")
        fill(home, "before", entries // 2)
        pipeline = replace(pipeline_of(home), image_assessor=ScriptedImageAssessor(BLOCKED))
        outcome = pipeline.run(ImageRequest(prompt="a calm sea", count=2))
        fill(home, "after", entries // 2)
        entry = outcome.released[0].content_id
        assert len(find_decision(home.ledger, outcome.decision_id).record.endings) == 2
        print(f"{home.ledger.size:,} entries, median of {ROUNDS}, microseconds of CPU / wall")
        floor, seen = microseconds(lambda: home.ledger.find([entry]))
        print(f"  one entry by its id       {floor:8.0f} / {seen:.0f}")
        for what, work in (
            ("a decision", lambda: find_decision(home.ledger, outcome.decision_id)),
            ("one that is not there", lambda: missing(home)),
        ):
            cpu, wall = microseconds(work)
            print(f"  {what:25} {cpu:8.0f} / {wall:.0f}   {cpu / floor:.1f} times the floor")
        home.ledger.close()


if __name__ == "__main__":
    main()
