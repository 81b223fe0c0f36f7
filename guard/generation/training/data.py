"""The training set: scenes drawn by lot, rendered, reduced to the core's proxy, and put into words.

Everything follows from one seed and the scene's number, so a data set that was lost is made again
byte for byte. Arrays are kept as .npy files in a cache folder, since rendering costs minutes.
"""

from __future__ import annotations

import json
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from guard.generation.scenes.captions import Caption, caption
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import Scene, draw_scene

Format = Literal["square", "wide", "tall"]

PROXY: Final = 64  # pixels on the short side of what the latent encodes
OVERSAMPLING: Final = 2  # scenes are rendered this much larger, then reduced by area
PATCH: Final = 4  # proxy pixels a latent cell
LONG: Final = 96  # proxy pixels on the long side of wide and tall scenes
SIZES: Final[dict[Format, tuple[int, int]]] = {  # (width, height) in proxy pixels
    "square": (PROXY, PROXY),
    "wide": (LONG, PROXY),
    "tall": (PROXY, LONG),
}
CAPTIONS_PER_SCENE: Final = 6
_SHARD: Final = 500  # scenes rendered by one task


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes of one format, in the order of their numbers.

    `proxies` (n, h, w, 3) uint8 RGB; `subject` (n, h/4, w/4) uint8, the share of each latent cell
    that the scene's subject covers, in 0..255; `captions` (n, CAPTIONS_PER_SCENE) texts.
    """

    proxies: NDArray[np.uint8]
    subject: NDArray[np.uint8]
    captions: list[list[str]]


def scene_at(seed: int, number: int, *, held_out: bool = False) -> Scene:
    """The scene of a number: the same for ever, whatever else is drawn."""
    return draw_scene(_lot(f"scene/{seed}/{number}"), held_out=held_out)


def captions_at(seed: int, number: int, scene: Scene, count: int) -> list[Caption]:
    """`count` captions of a scene, each in words of its own."""
    rng = _lot(f"caption/{seed}/{number}")
    return [caption(scene, rng) for _ in range(count)]


def _lot(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311  # pictures, not secrets


def reduce_area(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Reduce (H, W, C) by the mean over factor x factor blocks."""
    height, width, channels = image.shape
    blocks = image.reshape(height // factor, factor, width // factor, factor, channels)
    reduced: NDArray[np.uint8] = (blocks.mean((1, 3), dtype=np.float32) + 0.5).astype(np.uint8)
    return reduced


def scene_set(cache: Path, seed: int, form: Format, count: int, workers: int) -> SceneSet:
    """Load `count` scenes of a format from the cache; render and store what is missing."""
    stem = cache / f"scenes-{seed}-{form}-{count}"
    files = [stem.with_suffix(suffix) for suffix in (".proxies.npy", ".subject.npy", ".json")]
    if not all(path.exists() for path in files):
        cache.mkdir(parents=True, exist_ok=True)
        tasks = [
            (seed, form, start, min(start + _SHARD, count)) for start in range(0, count, _SHARD)
        ]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            shards = list(pool.map(_render_shard, tasks))
        np.save(files[0], np.concatenate([shard[0] for shard in shards]))
        np.save(files[1], np.concatenate([shard[1] for shard in shards]))
        # Written last: its presence says that the two arrays are whole.
        files[2].write_text(json.dumps([texts for shard in shards for texts in shard[2]]))
    return SceneSet(np.load(files[0]), np.load(files[1]), json.loads(files[2].read_text()))


def _render_shard(
    task: tuple[int, Format, int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[list[str]]]:
    seed, form, start, stop = task
    width, height = SIZES[form]
    proxies = np.empty((stop - start, height, width, 3), np.uint8)
    subject = np.empty((stop - start, height // PATCH, width // PATCH), np.uint8)
    texts = []
    # Each format has numbers of its own, so that no scene is seen in two formats.
    offset = list(SIZES).index(form) * 10_000_000
    for row, number in enumerate(range(offset + start, offset + stop)):
        scene = scene_at(seed, number)
        drawn = render(scene, width * OVERSAMPLING, height * OVERSAMPLING)
        proxies[row] = reduce_area(drawn.pixels, OVERSAMPLING)
        coverage = (drawn.subject * 255).astype(np.uint8)[..., None]
        subject[row] = reduce_area(coverage, OVERSAMPLING * PATCH)[..., 0]
        texts.append([c.text for c in captions_at(seed, number, scene, CAPTIONS_PER_SCENE)])
    return proxies, subject, texts
