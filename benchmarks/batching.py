"""The embedded core under several threads at once: each drawn alone, and drawn in batches.

    python benchmarks/batching.py [--threads 8] [--rounds 2] [--steps 8] [--core DIRECTORY]

Both ask the same core for the same pictures in the same run; printed are pictures a second of
wall-clock time, CPU seconds a picture, and the ratio. On a CPU a batch saves little, since one
picture keeps it busy; on an accelerator (--core, with CUDA) it is what fills it.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from guard.generation import Core, load_core
from guard.generation.batching import BatchingCore

WAIT = 0.02  # seconds in which a batch gathers
PROMPT = "a red house in a meadow at sunset with mountains"


class Took(NamedTuple):
    """Of one picture, in seconds; and the pictures, by their seeds."""

    wall: float
    cpu: float
    drawn: dict[int, np.ndarray]


def draw(core: Core, threads: int, rounds: int, steps: int) -> Took:
    """Let ``threads`` ask for one picture each, ``rounds`` times."""
    info = core.info

    def one(seed: int) -> tuple[int, np.ndarray]:
        request = info.request(PROMPT, seed=seed).model_copy(update={"steps": steps})
        return seed, core.generate(request)[0]

    one(0)  # loads the weights
    wall, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        drawn = dict(pool.map(one, range(threads * rounds)))
    count = len(drawn)
    return Took((time.monotonic() - wall) / count, (time.process_time() - cpu) / count, drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--core", default="scenes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    core = load_core(options.core)
    asked = (options.threads, options.rounds, options.steps)
    alone = draw(core, *asked)
    together = draw(BatchingCore(core, WAIT), *asked)
    apart = max(
        int(np.abs(together.drawn[seed].astype(int) - pixels.astype(int)).max())
        for seed, pixels in alone.drawn.items()
    )
    print(f"{options.threads} threads, {core.info.name}, {options.steps} steps, one CPU thread")
    print("                pictures/s   CPU-s a picture")
    print(f"  each alone    {1 / alone.wall:10.3f}   {alone.cpu:15.2f}")
    print(f"  in batches    {1 / together.wall:10.3f}   {together.cpu:15.2f}")
    print(f"  ratio         {alone.wall / together.wall:10.2f}   {alone.cpu / together.cpu:15.2f}")
    print(f"  the same pictures within {apart} of 255")


if __name__ == "__main__":
    main()
