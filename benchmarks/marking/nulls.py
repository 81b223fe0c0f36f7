"""What unrelated pictures have in common by chance: fingerprints, and rivaGan's outputs."""

import random
from collections.abc import Sequence

import numpy as np

from guard.generation.scenes.render import render
from guard.generation.scenes.spec import draw_scene
from marking.unmarked import unmarked
from provenance.fingerprint import MIN_QUALITY, fingerprint
from provenance.picture import Pixels
from provenance.watermark.rivagan import EVIDENCE, RivaGan

SCENES = 250
CROPS_EACH = 12
SCENE_SIDE = 256  # pixels
AT_MOST = (31, 61, 82)  # bits


def bits(pdq: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(pdq), dtype=np.uint8))


def fingerprints(pictures: Sequence[Pixels], seed: int) -> None:
    """Distances between the PDQ of unrelated pictures, both of usable quality."""
    print("\nPDQ of unrelated pairs, both of a quality to be matched\n")
    print(
        "| pictures | usable | pairs | least | mean, deviation | "
        + " | ".join(f"at most {d}" for d in AT_MOST)
        + " |"
    )
    print("|---|---|---|---|---|" + "---|" * len(AT_MOST))
    rng = np.random.default_rng(seed)
    crops = [(number, crop(p, rng)) for number, p in enumerate(pictures) for _ in range(CROPS_EACH)]
    table(f"{len(crops)} crops of {len(pictures)} photographs", crops)
    lots = random.Random(seed)
    scenes = [(n, render(draw_scene(lots), SCENE_SIDE, SCENE_SIDE).pixels) for n in range(SCENES)]
    table(f"{SCENES} rendered scenes, {SCENE_SIDE}x{SCENE_SIDE}", scenes)


def crop(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A square of 0.4 to 1 of the shorter side, anywhere."""
    side = int(rng.uniform(0.4, 1.0) * min(picture.shape[:2]))
    top = int(rng.integers(picture.shape[0] - side + 1))
    left = int(rng.integers(picture.shape[1] - side + 1))
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def table(name: str, pictures: Sequence[tuple[int, Pixels]]) -> None:
    """One row. Pairs of one source (the number) are related, and left out."""
    prints = [(source, fingerprint(pixels)) for source, pixels in pictures]
    usable = [(source, bits(print_.pdq)) for source, print_ in prints if print_.usable]
    sources = np.array([source for source, _ in usable])
    values = np.stack([value for _, value in usable]).astype(np.int16)
    apart = values.sum(1)[:, None] + values.sum(1)[None] - 2 * values @ values.T
    pairs = apart[np.triu(sources[:, None] != sources[None], 1)]
    shares = " | ".join(f"{np.mean(pairs <= limit):.1e}" for limit in AT_MOST)
    print(
        f"| {name} | {len(usable)} (quality >= {MIN_QUALITY}) | {len(pairs):,} | {pairs.min()} |"
        f" {pairs.mean():.1f}, {pairs.std():.1f} | {shares} |"
    )


def riva_gan(pictures: list[Pixels], count: int, seed: int) -> None:
    """How far rivaGan's outputs are from their threshold on pictures without a mark."""
    scheme = RivaGan()
    quarter = scheme.payload_bits // 4
    reached = [
        float(np.sort(np.abs(scheme.margins(unmarked(pictures, seed, n)[1])))[quarter])
        for n in range(count)
    ]
    above = sum(value >= EVIDENCE for value in reached)
    print(
        f"\nrivaGan: of {count} unmarked pictures {above} had three outputs in four at least"
        f" {EVIDENCE:g} from the threshold; the most that one reached was {max(reached):.1f}"
    )
