"""Edits by the embedded core: how often they do what was asked, and their time beside drawing.

    nice -n 10 python benchmarks/editing.py [--pictures N]

Originals are true renders of the scenes' own renderer; results are judged by the checker without a
learned part that judges the core (docs/model-cards/scenes-core.md). The floor of each row is the
same check on the unedited original. Wilson 95 % intervals; CPU seconds of one thread.
"""

import argparse
import random
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from guard.generation import Original, load_core
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import (
    COLOURS,
    GROUNDS,
    HELD_OUT,
    PLACES,
    SHAPES,
    Landscape,
    Shape,
    StillLife,
    Thing,
)
from guard.generation.training.checker import ground_in, shapes_in, thing_in, time_in
from guard.generation.training.evaluate import wilson
from provenance.picture import Pixels

SIDE = 512  # px
MARGIN = 24  # px around what is to be changed: masks are drawn by hand
STRENGTHS = (0.7, 0.8, 0.85, 0.9, 0.95)


class Task(NamedTuple):
    """A picture, what is asked of it, and whether a picture shows that."""

    original: Original
    prompt: str
    done: Callable[[Pixels], bool]


def small(picture: Pixels) -> np.ndarray:
    return picture.reshape(128, SIDE // 128, 128, SIDE // 128, 3).mean((1, 3)) / 255.0


def around(subject: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(subject > 0.5)
    mask = np.zeros((SIDE, SIDE), bool)
    low, high = (
        np.maximum([rows.min(), columns.min()], MARGIN) - MARGIN,
        [rows.max(), columns.max()],
    )
    mask[low[0] : high[0] + MARGIN, low[1] : high[1] + MARGIN] = True
    return mask


def shape_tasks(count: int, rng: random.Random) -> tuple[list[Task], list[Task]]:
    """Single shapes, to be taken away and to be given another colour."""
    removals, colours = [], []
    while len(removals) < count:
        kind, (background, colour, other) = rng.choice(SHAPES), rng.sample(COLOURS, 3)
        if {(kind, colour), (kind, other)} & HELD_OUT:
            continue
        scene = StillLife(
            background, (Shape(kind, colour),), "middle", "large", rng.randrange(2**31)
        )
        drawn = render(scene, SIDE, SIDE)
        original = Original(drawn.pixels, around(drawn.subject), 1.0)

        def is_empty(picture: Pixels, background: str = background) -> bool:
            shown, found = shapes_in(small(picture))
            return shown == background and not found

        def is_other(picture: Pixels, kind: str = kind, other: str = other) -> bool:
            return [(f.kind, f.colour) for f in shapes_in(small(picture))[1]] == [(kind, other)]

        removals.append(Task(original, f"a {background} background", is_empty))
        prompt = f"a {other} {kind} on a {background} background"
        colours.append(Task(original, prompt, is_other))
    return removals, colours


WHERE = {"sea": "the sea", "meadow": "a meadow", "desert": "a desert", "snow": "a snowy field"}


def removal_tasks(count: int, rng: random.Random) -> list[Task]:
    """Landscapes with one thing, to be taken away."""
    tasks = []
    for _ in range(count):
        ground = rng.choice(GROUNDS)
        kind = "boat" if ground == "sea" else "house"
        thing = Thing(kind, "red", rng.choice(PLACES), "large")
        scene = Landscape("day", ground, "none", None, False, (thing,), rng.randrange(2**31))
        picture = render(scene, SIDE, SIDE)

        def is_gone(picture: Pixels, ground: str = ground) -> bool:
            shown = small(picture)
            return ground_in(shown, "day") == ground and thing_in(shown, "day") is None

        original = Original(picture.pixels, around(picture.subject), 1.0)
        tasks.append(Task(original, f"{WHERE[ground]} on a sunny day", is_gone))
    return tasks


def night_tasks(count: int, rng: random.Random, strength: float) -> list[Task]:
    """Landscapes by day that are to be at night, on the same ground."""
    tasks = []
    for _ in range(count):
        ground = rng.choice(GROUNDS)
        scene = Landscape("day", ground, "mountains", None, False, (), rng.randrange(2**31))
        original = Original(render(scene, SIDE, SIDE).pixels, None, strength)

        def is_night(picture: Pixels, ground: str = ground) -> bool:
            return (
                time_in(small(picture)) == "night" and ground_in(small(picture), "night") == ground
            )

        tasks.append(Task(original, f"{WHERE[ground]} at night with mountains", is_night))
    return tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=40)
    count = parser.parse_args().pictures
    torch.set_num_threads(1)
    core = load_core("scenes")
    info = core.info

    def drawn(task: Task, seed: int, *, edit: bool = True) -> Pixels:
        own = {"width": SIDE, "height": SIDE, "original": task.original if edit else None}
        return core.generate(info.request(task.prompt, seed=seed).model_copy(update=own))[0]

    removals, colours = shape_tasks(count, random.Random(1))
    rows = {
        "thing taken out of a landscape, masked": removal_tasks(count, random.Random(3)),
        "shape taken off its background, masked": removals,
        "shape given another colour, masked": colours,
    }
    for strength in STRENGTHS:
        rows[f"day to night, strength {strength}"] = night_tasks(count, random.Random(2), strength)
    drawn(removals[0], 1, edit=False)  # loads
    began = time.process_time()
    for seed, task in enumerate(removals):
        drawn(task, seed, edit=False)
    plain = (time.process_time() - began) / count
    print(
        f"{info.name}@{info.version}, {SIDE} x {SIDE}, {info.default_steps} steps; drawing anew: "
        f"{plain:.3f} CPU-s a picture"
    )
    print("| edit | done | original passes | outside the mask | CPU-s | of drawing anew |")
    print("|---|---|---|---|---|---|")
    for name, tasks in rows.items():
        began = time.process_time()
        pictures = [drawn(task, seed) for seed, task in enumerate(tasks)]
        cost = (time.process_time() - began) / count
        done = wilson(sum(t.done(p) for t, p in zip(tasks, pictures, strict=True)), count)
        before = sum(task.done(task.original.pixels) for task in tasks)
        masks = [task.original.mask for task in tasks]
        strayed = sum(
            int((p[~m] != t.original.pixels[~m]).any(axis=1).sum())
            for t, p, m in zip(tasks, pictures, masks, strict=True)
            if m is not None
        )
        outside = "no mask" if masks[0] is None else f"{strayed} px changed"
        share = f"{done.share:.0%} ({done.low:.0%} to {done.high:.0%}, n {count})"
        print(f"| {name} | {share} | {before} | {outside} | {cost:.3f} | {cost / plain:.2f} |")


if __name__ == "__main__":
    main()
