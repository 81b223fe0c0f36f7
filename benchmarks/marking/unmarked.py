"""Pictures without a mark, as many as are asked for: how many are taken for marked?

Picture number n of a seed is always the same one, so a run can be cut short, continued and spread
over processes. Each is a crop of a photograph, wallpaper, generated or synthetic picture, scaled
to a usual size, flipped or not, and changed in a way that may look like a mark.
"""

import json
import math
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from marking.attacks import compressed, noise
from provenance.picture import Pixels
from provenance.watermark import FALSE_POSITIVE_LIMIT, load_scheme
from provenance.watermark.dwt import DWT_DCT, DWT_DCT_SVD
from provenance.watermark.known import recognise

SIZES: Final = ((512, 512), (256, 256), (1024, 512), (512, 384), (400, 300), (768, 768))
CHANGES: Final = ("none", "JPEG", "noise", "16 levels", "one row repeated", "false colour", "tiled")
SYNTHETIC_SHARE: Final = 0.2
CHUNK: Final = 50  # pictures a task

_pictures: list[Pixels] = []


class Tally(NamedTuple):
    """How far a run has come. ``found``: numbers of the pictures that were taken for marked."""

    scheme: str
    seed: int
    pictures: int
    done: int
    found: tuple[int, ...]


def synthetic(rng: np.random.Generator) -> Pixels:
    """Textures of no photograph: gratings, checks, screens of dots, coloured noise, gradients."""
    y, x = np.mgrid[0:768, 0:768].astype(np.float32)
    turn = rng.uniform(0, math.pi)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    period = rng.uniform(3, 120)
    kind = int(rng.integers(5))
    if kind == 0:
        plane = np.sin(2 * math.pi * u / period)
    elif kind == 1:
        plane = np.sign(np.sin(2 * math.pi * u / period) * np.sin(2 * math.pi * v / period))
    elif kind == 2:
        plane = np.cos(2 * math.pi * u / period) + np.cos(2 * math.pi * v / period)
    elif kind == 3:
        grain = rng.normal(0, 1, (768, 768)).astype(np.float32)
        plane = cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(0.3, 8)))
        plane /= plane.std() + 1e-6
    else:
        plane = (u / 768) * rng.uniform(0, 2) + rng.normal(0, 0.02, u.shape)
    colour = rng.uniform(20, 235, 3) + plane[..., None] * rng.uniform(-60, 60, 3)
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)


def unmarked(pictures: list[Pixels], seed: int, number: int) -> tuple[str, Pixels]:
    """Picture ``number`` and how it was changed."""
    rng = np.random.default_rng([seed, number])
    if rng.random() < SYNTHETIC_SHARE:
        whole = synthetic(rng)
    else:
        whole = pictures[int(rng.integers(len(pictures)))]
    side = int(rng.uniform(0.3, 1.0) * min(whole.shape[:2]))
    top = int(rng.integers(0, whole.shape[0] - side + 1))
    left = int(rng.integers(0, whole.shape[1] - side + 1))
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    part = np.ascontiguousarray(whole[top : top + side, left : left + side])
    if rng.random() < 0.5:
        part = np.ascontiguousarray(part[:, ::-1])
    part = cv2.resize(part, (width, height), interpolation=int(rng.integers(0, 4)))
    change = CHANGES[int(rng.integers(len(CHANGES)))]
    if change == "JPEG":
        part = compressed("jpeg", 30, 90)(part, rng)
    elif change == "noise":
        part = noise(part, rng)
    elif change == "16 levels":
        part = (part // 16 * 16).astype(np.uint8)
    elif change == "one row repeated":
        part = np.repeat(part[height // 2 : height // 2 + 1], height, axis=0)
    elif change == "false colour":
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
        part = cv2.applyColorMap(grey, int(rng.integers(0, 12)))
    elif change == "tiled":
        cell = int(rng.integers(16, 129))
        shape = (math.ceil(height / cell), math.ceil(width / cell), 1)
        part = np.tile(part[:cell, :cell], shape)[:height, :width]
    return change, np.ascontiguousarray(part)


def _begin(pictures: list[Pixels]) -> None:
    _pictures[:] = pictures
    cv2.setNumThreads(1)


def _search(task: tuple[str, int, int, int]) -> list[int]:
    name, seed, start, stop = task
    scheme = load_scheme(name)
    return [
        number
        for number in range(start, stop)
        if scheme.detect(unmarked(_pictures, seed, number)[1]) is not None
    ]


def false_positives(
    name: str, pictures: list[Pixels], count: int, *, seed: int, jobs: int, state: Path | None
) -> None:
    """Looks for marks where there are none. ``state``: a file from which a run goes on."""
    tally = Tally(name, seed, len(pictures), 0, ())
    if state is not None and state.exists():
        kept = Tally(**json.loads(state.read_text()))
        if kept[:3] != tally[:3]:
            raise SystemExit(f"{state} is of another scheme, seed or set of pictures: {kept[:3]}")
        tally = kept._replace(found=tuple(kept.found))
    starts = range(tally.done, count, CHUNK)
    tasks = [(name, seed, start, min(start + CHUNK, count)) for start in starts]
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(pictures,)) as pool:
        for task, found in zip(tasks, pool.map(_search, tasks), strict=True):
            tally = tally._replace(done=task[3], found=(*tally.found, *found))
            if state is not None:
                state.write_text(json.dumps(tally._asdict()))
            if sys.stderr.isatty():
                print(f"\r{name}: {tally.done}/{count} unmarked", end="", file=sys.stderr)
    wrong = len(tally.found)
    limit = "" if wrong else f", so less than {3.0 / max(tally.done, 1):.1g} with 95 % confidence"
    print(f"\n{name}: of {tally.done:,} unmarked pictures {wrong} were taken for marked{limit}")
    if wrong:
        changes = Counter(unmarked(pictures, seed, number)[0] for number in tally.found)
        print(f"  by change: {dict(changes)}; numbers {tally.found[:20]}")


def claims(pictures: list[Pixels], count: int, seed: int) -> None:
    """How often the probability that dwtDctSvd, dwtDct and the recognition of known marks claim
    falls below a limit on pictures without a mark."""
    claimed: dict[str, list[float]] = {"dwtDctSvd": [], "dwtDct": [], "known marks": []}
    for number in range(count):
        _, pixels = unmarked(pictures, seed, number)
        for scheme in (DWT_DCT_SVD, DWT_DCT):
            claimed[scheme.name].append(scheme.read(pixels, 64).false_positive_probability)
        claimed["known marks"].append(recognise(pixels).false_positive_probability)
    print(f"\nWhat is claimed of {count} unmarked pictures\n")
    print("| claimed at most | " + " | ".join(f"{n}: observed" for n in claimed) + " |")
    print("|---|" + "---|" * len(claimed))
    for limit in (0.5, 0.1, 0.01, 0.001, FALSE_POSITIVE_LIMIT):
        shares = [f"{np.mean(np.array(values) <= limit):.5f}" for values in claimed.values()]
        print(f"| {limit:g} | " + " | ".join(shares) + " |")
    print("| least claimed | " + " | ".join(f"{min(v):.2g}" for v in claimed.values()) + " |")
