"""What marking and looking cost: CPU time beside invisible-watermark's dwtDctSvd, and memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from marking.attacks import crop, turned
from marking.contestants import PACKAGE, contestant
from marking.pictures import cut
from provenance.picture import Pixels

LARGE = 4096  # pixels a side
GIB = 2**30


def cpu_ms(task: Callable[[], object]) -> float:
    """CPU milliseconds of this process."""
    start = time.process_time()
    task()
    return (time.process_time() - start) * 1e3


def cost(pictures: Sequence[Pixels], name: str, seed: int) -> None:
    """The table of times: medians over the pictures, and their ratios to the package's."""
    ours, package = contestant(name), contestant(PACKAGE + "dwtDctSvd")
    print(f"\nCPU milliseconds on one thread, median of {len(pictures)} pictures\n")
    print(f"| | {name} | {PACKAGE}dwtDctSvd | ratio |\n|---|---|---|---|")
    for side, goals in ((512, ("0.30", "0.15", "1.0", "1.5")), (1024, ("0.25", "", "", ""))):
        rng = np.random.default_rng(seed)
        rows: dict[str, list[float]] = {}
        for number, picture in enumerate(pictures):
            pixels, payload = cut(picture, side, side), rng.bytes(ours.payload_bytes)
            if number == 0:  # tables are made at the first call
                ours.read(ours.write(pixels, payload))
                package.read(package.write(pixels, bytes(range(8))))
            marked = ours.write(pixels, payload)
            theirs = package.write(pixels, rng.bytes(8))
            askew = crop(0.6, 0.9, False)(turned(marked, rng.uniform(3, 87), "inside", rng), rng)
            for row, task in {
                "write": lambda p=pixels, v=payload: ours.write(p, v),
                "package writes": lambda p=pixels: package.write(
                    p, b"\x5a\x3c\x69\x0f\xa5\xc3\x96\xf0"
                ),
                "package reads": lambda t=theirs: package.read(t),
                "read, as it was": lambda m=marked: ours.read(m),
                "read, turned and cropped": lambda a=askew: ours.read(a),
                "look at an unmarked one": lambda p=pixels: ours.read(p),
            }.items():
                rows.setdefault(row, []).append(cpu_ms(task))
        ms = {row: median(values) for row, values in rows.items()}
        for row, goal in zip(
            ("write", "read, as it was", "read, turned and cropped", "look at an unmarked one"),
            goals,
            strict=True,
        ):
            floor = ms["package writes" if row == "write" else "package reads"]
            aim = f" (target {goal})" if goal else ""
            print(
                f"| {row}, {side}x{side} | {ms[row]:.1f} | {floor:.1f} |"
                f" {ms[row] / floor:.2f}{aim} |"
            )


def memory(name: str) -> None:
    """Peak memory of a process that marks a large picture and finds the mark."""
    program = Path(__file__)
    peaks = []
    for side in (256, LARGE):
        done = subprocess.run(  # a process of its own, whose peak is not ours
            [sys.executable, str(program), name, str(side)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(program.parent.parent)},
        )
        peaks.append(int(done.stdout))
    small, large = peaks
    print(
        f"\n{name}: {LARGE}x{LARGE} marked and found within {large / GIB:.2f} GiB"
        f" (target < 1; the process takes {small / GIB:.2f} for 256x256)"
    )


def _mark_and_find(name: str, side: int) -> int:
    """Peak resident bytes of this process after a mark was written and read."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(1)
    small = rng.integers(30, 225, (side // 64, side // 64, 3)).astype(np.uint8)
    pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    marker = contestant(name)
    payload = bytes(range(16, 16 + marker.payload_bytes))
    marked = marker.write(pixels, payload)
    del pixels
    if marker.read(marked) != payload:
        raise SystemExit(f"the mark was not found at {side}x{side}")
    status = Path("/proc/self/status").read_text()  # ru_maxrss counts the parent's before exec
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    print(_mark_and_find(sys.argv[1], int(sys.argv[2])))
