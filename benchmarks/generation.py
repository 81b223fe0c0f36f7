"""The embedded core beside its bare networks, and what stands around a core beside the core.

    python benchmarks/generation.py [--repeats N] [--threads N] [--pictures N]

The core: the floor is what cannot be saved, the denoiser's forward passes (two a step, for
guidance) and one decoding, without a scheduler, a pipeline or a check. Times are CPU seconds of
this process a picture, the median over the repeats; the first, which loads the weights, is told
apart.

The gateway's own work: photographs of 1024 x 1024 that a core in memory hands over at once, from
the prompt to the signed and recorded file, in CPU milliseconds of each step. Text in pictures is
looked for in the last row only, since the aim of 60 is without it. The floor is the encoding alone.

Throughput: --pictures of the embedded core, of prompts as its training had them (how much of a
picture is read hangs on what it shows), asked for by as many threads as the gateway has places and
drawn in batches by a process of its own, as the gateway has it, with all guards and without, in
turns; at last with all guards and the core in the guards' process. Guards look at one batch while
the next is drawn, which takes a second CPU core that is free. "At best" is what the CPU seconds
allow: no CPU core ever waits, and the guards look at the last batch when nothing is left to draw.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import psutil
import torch

from guard.assessment import Assessment
from guard.deployment import build_pipeline
from guard.generation import load_core
from guard.generation.batching import BatchingCore
from guard.generation.core import Core
from guard.generation.embedded import CHECKPOINTS
from guard.generation.process_core import ProcessCore
from guard.generation.training.data import captions_at, scene_at
from guard.images.assessor import PictureAssessor
from guard.images.codes import Codes
from guard.images.known import KnownContent
from guard.pipeline import ImageRequest, Pipeline
from guard.pipeline.observing import observing
from policies.decision import Decision
from provenance.home import Home
from provenance.picture import Format, Pixels, encode
from provenance.work import WorkSettings

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.core import InMemoryCore

AIM, SHARE_AIM = 60.0, 0.95  # CPU-ms of the gateway's own work; throughput with the guards
SIDE = 1024
THREADS = WorkSettings().running
WAIT = 0.02  # seconds in which a batch gathers
SCENES = 777  # seed of the prompts: that of the core's evaluation
PROMPT = "a red house in a meadow at sunset with mountains"


def cpu_seconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return median(times)


def floor(steps: int, batch: int, repeats: int) -> float:
    """CPU seconds a picture of the networks alone at 512 x 512."""
    from diffusers import UNet2DConditionModel

    from guard.generation.autoencoder import PatchAutoencoder

    unet = UNet2DConditionModel.from_pretrained(CHECKPOINTS / "scenes" / "unet").float()
    vae = PatchAutoencoder.from_pretrained(CHECKPOINTS / "scenes" / "vae").float()
    cells, channels = unet.config.sample_size, unet.config.in_channels
    latent = torch.randn(2 * batch, channels, cells, cells)
    words = torch.randn(2 * batch, 32, unet.config.cross_attention_dim)

    @torch.no_grad()
    def draw() -> None:
        for _ in range(steps):
            unet(latent, 500, words)
        vae.decode(latent[:batch])

    draw()
    return cpu_seconds(draw, repeats) / batch


class Stages:
    """Observes the CPU milliseconds of each step, with what was done since the one before."""

    def __init__(self) -> None:
        self.took: dict[str, float] = defaultdict(float)
        self._at = time.process_time()

    def began(self, decision_id: str) -> None:
        pass

    def ran(self, step: str, seconds: float) -> None:  # noqa: ARG002  # of the wall clock
        now = time.process_time()
        self.took[step] += 1e3 * (now - self._at)
        self._at = now

    def decided(self, assessment: Assessment, decision: Decision) -> None:
        pass


def photographs() -> list[Pixels]:
    from skimage import data

    found = [data.astronaut(), data.coffee()[:400, :400], data.chelsea()[:300, 75:375]]
    return [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in found]


def own_work(whole: Pipeline, repeats: int) -> None:
    pictures = photographs()
    core = InMemoryCore(draw=lambda _prompt, _width, _height, seed: pictures[seed % len(pictures)])
    whole = replace(whole, core=core)
    gated = PictureAssessor((KnownContent([]), Codes()), whole.prompt_assessor)
    unread = replace(whole, image_assessor=gated)
    print(f"\nthe gateway's own work on a picture of {SIDE} x {SIDE}, CPU-ms")
    heading = False
    rows: list[tuple[str, Format, Pipeline]] = [
        ("png", "png", unread),
        ("jpeg", "jpeg", unread),
        ("png, text looked for", "png", whole),
    ]
    for name, kind, pipeline in rows:
        totals, steps = [], defaultdict(list)
        for seed in range(3 + 3 * repeats):  # the first of each picture warm up
            asked = ImageRequest(prompt=PROMPT, width=SIDE, height=SIDE, format=kind, seed=seed)
            stages, began = Stages(), time.process_time()
            with observing(stages):
                pipeline.run(asked)
            if seed >= 3:
                totals.append(1e3 * (time.process_time() - began))
                for step, took in stages.took.items():
                    steps[step].append(took)
        bare = median(
            1e3 * cpu_seconds(lambda one=one, kind=kind: encode(one, kind), repeats)
            for one in pictures
        )
        if not heading:
            print("| | " + " | ".join(steps) + " | all | encoding alone | ratio | aim |")
            print("|---" * (len(steps) + 5) + "|")
            heading = True
        total = median(totals)
        cells = " | ".join(f"{median(took):.1f}" for took in steps.values())
        kept = "kept" if total <= AIM else f"ABOVE {AIM:.0f}"
        print(f"| {name} | {cells} | {total:.0f} | {bare:.0f} | {total / bare:.1f} | {kept} |")


def drawing_on(threads: int) -> Core:
    """The embedded core, in a process that draws on so many threads."""
    torch.set_num_threads(threads)
    return load_core("scenes")


def cpu_of_all() -> float:
    """CPU seconds of this process and of those that it began."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def throughput(whole: Pipeline, pictures: int) -> None:
    info, threads = whole.core.info, torch.get_num_threads()
    apart = ProcessCore(info, partial(drawing_on, threads))
    core, inside = BatchingCore(apart, WAIT), BatchingCore(whole.core, WAIT)
    whole = replace(whole, core=core)
    gated = PictureAssessor((KnownContent([]), Codes()), whole.prompt_assessor)
    scenes = ((number, scene_at(SCENES, number)) for number in range(pictures))
    prompts = [captions_at(SCENES, number, scene, 1)[0].text for number, scene in scenes]

    def bare(number: int) -> None:
        core.generate(info.request(prompts[number], seed=number))

    def behind(pipeline: Pipeline) -> Callable[[int], None]:
        return lambda number: void(pipeline.run(ImageRequest(prompt=prompts[number], seed=number)))

    ways = {
        "core alone": bare,
        "text not looked for": behind(replace(whole, image_assessor=gated)),
        "all guards": behind(whole),
        "all guards, in one process": behind(replace(whole, core=inside)),
    }
    took: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for turn in range(4):  # the first warms up
        for name, draw in ways.items():
            wall, cpu = time.perf_counter(), cpu_of_all()
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(draw, range(pictures)))
            if turn:
                took[name].append((time.perf_counter() - wall, cpu_of_all() - cpu))
    apart.close()
    cores = len(os.sched_getaffinity(0))
    print(f"\n{info.name}, {pictures} pictures asked for by {THREADS} threads, in turns;", end=" ")
    print(f"{cores} CPU cores, of which the core draws on {threads}")
    print("| | pictures a second | of the core alone | at best | CPU-s a picture | of it guards |")
    print("|---|---|---|---|---|---|")
    alone, core_cpu = (median(each) / pictures for each in zip(*took["core alone"], strict=True))
    for name, times in took.items():
        wall, cpu = (median(each) / pictures for each in zip(*times, strict=True))
        guards = max(0.0, cpu - core_cpu)
        best = at_best(core_cpu, guards, cores, threads, last=info.max_batch / pictures)
        shares = f"{alone / wall:.2f} | {best:.2f}"
        print(f"| {name} | {1 / wall:.2f} | {shares} | {cpu:.3f} | {guards:.3f} |")
    print(f"(the aim is {SHARE_AIM})")


def at_best(core: float, guards: float, cores: int, threads: int, *, last: float) -> float:
    """The highest share of a core's throughput that guards can leave it. ``core``, ``guards``: CPU
    seconds a picture; ``last``: the share of the pictures that are of the last batch."""
    alone = core / threads
    return alone / max(alone + last * guards / cores, (core + guards) / cores)


def void(_: object) -> None:
    """What was drawn is not kept."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=96)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    core = load_core("scenes")
    info = core.info

    def draw(count: int) -> None:
        core.generate(info.request(PROMPT, seed=1).model_copy(update={"count": count}))

    first = cpu_seconds(lambda: draw(1), 1)
    print(f"{info.name}@{info.version}, {info.default_width} x {info.default_height},", end=" ")
    print(f"{info.default_steps} steps, {options.threads} thread(s); first picture {first:.2f} s")
    print("| batch | CPU-s a picture | networks alone | ratio |\n|---|---|---|---|")
    for batch in (1, 4, 8):
        ours = cpu_seconds(lambda count=batch: draw(count), options.repeats) / batch
        bare = floor(info.default_steps, batch, options.repeats)
        print(f"| {batch} | {ours:.3f} | {bare:.3f} | {ours / bare:.2f} |")
    with tempfile.TemporaryDirectory() as folder:
        home = Home.create(Path(folder) / "home", provider="Benchmark", version="0")
        whole = build_pipeline(home)
        own_work(whole, options.repeats)
        throughput(whole, options.pictures)
        home.ledger.close()


if __name__ == "__main__":
    main()
