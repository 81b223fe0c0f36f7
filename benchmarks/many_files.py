"""Many files verified by one process and by two, beside what this machine gives two processes.

    python benchmarks/many_files.py [--files N] [--rounds N]

Half of the files are delivered pictures of 512x512, half are strangers' of the same size. Each row
is a fresh process that has imported the command line and nothing else; its time is that of
``verify_all``, the start of its workers included, the least of several rounds in turn. ``speed-up``
is to one worker. ``halves`` is the peer: two processes with nothing in common that each verify half
of the files in the same time, which is the most that a second worker can bring while the machine
does other things too.

``CPU path`` is the CPU time that cannot overlap: of the first process, and of the workers divided
by their number. Its speed-up is what a machine with two free processors gives.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SIDE = 512  # pixels
CHILD = """
import resource, sys, time
from pathlib import Path
from guard.cli import app
from guard.verification import Asked, verify_all
files = sorted(Path(sys.argv[2]).iterdir())[int(sys.argv[4]) :: int(sys.argv[5])]
workers = int(sys.argv[3])
began, used = time.perf_counter(), time.process_time()
answers = [o.report.verdict for o in verify_all(files, Asked(Path(sys.argv[1])), workers)]
theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
path = time.process_time() - used + (theirs.ru_utime + theirs.ru_stime) / workers
print(time.perf_counter() - began, path, sum(verdict.answers for verdict in answers))
"""


def make(folder: Path, files: int) -> tuple[Path, Path]:
    """A home and a folder of ``files`` pictures, half of them by it."""
    from guard.pipeline import ImageRequest, deliver
    from provenance.home import Home
    from provenance.picture import encode
    from tests.support.core import textured_picture
    from tests.support.deployment import pipeline_of

    home = Home.create(folder / "home", provider="Example", version="0")
    pictures = folder / "pictures"
    pictures.mkdir()
    pipeline = pipeline_of(home)
    for number in range(files // 2):
        asked = ImageRequest(prompt=f"scene {number}", seed=number, width=SIDE, height=SIDE)
        (released,) = pipeline.run(asked).released
        (pictures / f"{number:04}-ours.png").write_bytes(deliver(released))
        strange = textured_picture("a stranger's", SIDE, SIDE, number)
        (pictures / f"{number:04}-strange.png").write_bytes(encode(strange, "png"))
    home.ledger.close()
    return home.path, pictures


def start(home: Path, pictures: Path, workers: int, part: int, parts: int) -> subprocess.Popen[str]:
    arguments = [str(home), str(pictures), str(workers), str(part), str(parts)]
    command = [sys.executable, "-c", CHILD, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


class Took(NamedTuple):
    """Of the slowest process: seconds, and seconds of CPU that cannot overlap."""

    seconds: float
    path: float


def finished(children: list[subprocess.Popen[str]], known: int) -> Took:
    """How long it took; ends the benchmark unless they know where ``known`` files come from."""
    said = [child.communicate()[0].split() for child in children]
    if sum(int(count) for _, _, count in said) != known:
        sys.exit(f"not the right answers: {said}")
    return Took(max(float(s) for s, _, _ in said), max(float(p) for _, p, _ in said))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    least: dict[str, Took] = {}
    with tempfile.TemporaryDirectory() as folder:
        home, pictures = make(Path(folder), asked.files)
        for _ in range(asked.rounds):
            for name, workers, parts in (("one", 1, 1), ("two", 2, 1), ("halves", 1, 2)):
                children = [start(home, pictures, workers, part, parts) for part in range(parts)]
                took = finished(children, asked.files // 2)
                best = least.get(name, took)
                least[name] = Took(min(best.seconds, took.seconds), min(best.path, took.path))
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    print(f"{asked.files} files, {processors} processors, load {load:.1f}")
    one = least["one"]
    for name, took in least.items():
        print(
            f"{name:7} {took.seconds:6.2f} s  {1000 * took.seconds / asked.files:5.1f} ms a file"
            f"  speed-up {one.seconds / took.seconds:4.2f}x"
            f"  CPU path {took.path:5.2f} s  speed-up {one.path / took.path:4.2f}x"
        )


if __name__ == "__main__":
    main()
