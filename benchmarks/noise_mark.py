"""The mark in the starting noise: read after what happens to pictures, and by chance.

    python benchmarks/noise_mark.py [--pictures 100] [--unmarked 100000] [--core DIRECTORY]

Pictures of prompts that the embedded core was made for, at its default settings, each with its own
payload. *Read*: the very payload, found with a false-positive probability of at most 1e-6. The
floor beside it is the same reader under another key, on the same pictures. Unmarked latents are
pieces of 256 numbers of what inversion makes of unmarked pictures, each read under its own key: a
hit is a probability of at most 1e-6, and the bound is Clopper and Pearson's, one-sided, 95 %.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import beta

from guard.generation.core import MarkedNoise
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.embedded import load_embedded
from guard.generation.noise_mark import NoiseMark
from guard.generation.scenes.captions import caption
from guard.generation.scenes.spec import draw_scene
from guard.generation.training.evaluate import wilson
from provenance.picture import Pixels, decode, encode
from provenance.watermark import FALSE_POSITIVE_LIMIT

MARK, OTHER = NoiseMark(b"m" * 32), NoiseMark(b"o" * 32)
BATCH = 4
PIECE = 256  # numbers of a piece of a latent


def jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    return lambda image: decode(encode(image, "jpeg", quality=quality)).pixels


def noisy(image: Pixels) -> Pixels:
    grain = np.random.default_rng(0).normal(0.0, 13.0, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def halved(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(half, (width, height), interpolation=cv2.INTER_CUBIC)


def cropped(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    part = image[height // 20 : -height // 20, width // 20 : -width // 20]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)


ATTACKS: dict[str, Callable[[Pixels], Pixels]] = {
    "as drawn": lambda image: image,
    "JPEG 75": jpeg(75),
    "JPEG 50": jpeg(50),
    "blur, 2 px": lambda image: cv2.GaussianBlur(image, (0, 0), 2.0),
    "noise, 13 of 255": noisy,
    "half the size and back": halved,
    "a tenth cropped away": cropped,
}


def drawn(core: DiffusersCore, count: int, *, marked: bool) -> Iterator[tuple[bytes, Pixels]]:
    """Pictures, each with the payload that it carries if they are ``marked``."""
    lot, chance, info = random.Random(11), np.random.default_rng(11), core.info
    for first in range(0, count, BATCH):
        batch, payloads = [], [chance.bytes(8) for _ in range(min(BATCH, count - first))]
        for number, payload in enumerate(payloads):
            plain = info.request(caption(draw_scene(lot), lot).text, seed=first + number)
            noise = MarkedNoise(MARK, (payload,)) if marked else None
            batch.append(plain.model_copy(update={"noise": noise}))
        for payload, (picture,) in zip(payloads, core.generate_batch(batch), strict=True):
            yield payload, picture


def survival(core: DiffusersCore, count: int) -> None:
    read = dict.fromkeys(ATTACKS, 0)
    wrong, by_chance, agree = dict(read), dict(read), dict.fromkeys(ATTACKS, 0.0)
    seconds = [0.0, 0.0]
    for payload, picture in drawn(core, count, marked=True):
        for name, attack in ATTACKS.items():
            began = time.process_time()
            noise = core.starting_noise(attack(picture))
            turned = time.process_time()
            found, chance = MARK.read(noise), OTHER.read(noise)
            seconds[0] += turned - began
            seconds[1] += (time.process_time() - turned) / 2
            signs = MARK.signs(payload, noise.size)
            agree[name] += float((np.sign(noise) == signs).mean()) / count
            if found is not None and found.false_positive_probability <= FALSE_POSITIVE_LIMIT:
                read[name] += found.payload == payload
                wrong[name] += found.payload != payload
            by_chance[name] += (
                chance is not None and chance.false_positive_probability <= FALSE_POSITIVE_LIMIT
            )
    print(f"{core.info.name} ({core.info.digest[:8]}), {count} pictures, {noise.size} numbers each")
    print("| | signs that agree | read (95 % Wilson) | read wrongly | under another key |")
    print("|---|---|---|---|---|")
    for name in ATTACKS:
        share = wilson(read[name], count)
        interval = f"{read[name] / count:.2f} ({share.low:.2f} to {share.high:.2f})"
        print(f"| {name} | {agree[name]:.3f} | {interval} | {wrong[name]} | {by_chance[name]} |")
    each = [second / count / len(ATTACKS) for second in seconds]
    print(f"CPU-s to read a picture: {each[0]:.2f} back to its noise, {each[1]:.2f} for a key")


def false_positives(core: DiffusersCore, count: int) -> None:
    noises = np.concatenate(
        [core.starting_noise(picture) for _, picture in drawn(core, 24, marked=False)]
    )
    pieces = noises[: noises.size // PIECE * PIECE].reshape(-1, PIECE)
    hits, least = 0, 1.0
    for number in range(count):
        found = NoiseMark(number.to_bytes(32)).read(pieces[number % len(pieces)])
        if found is not None:
            hits += found.false_positive_probability <= FALSE_POSITIVE_LIMIT
            least = min(least, found.false_positive_probability)
    most = 1.0 if hits == count else float(beta.ppf(0.95, hits + 1, count - hits))
    print(f"unmarked: {hits} of {count:,} latents read as marked, at most {most:.1e};", end=" ")
    print(f"the least false-positive probability was {least:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--unmarked", type=int, default=100_000)
    parser.add_argument("--core", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    core = DiffusersCore(options.core, device="cpu") if options.core else load_embedded()
    if options.pictures:
        survival(core, options.pictures)
    if options.unmarked:
        false_positives(core, options.unmarked)


if __name__ == "__main__":
    main()
