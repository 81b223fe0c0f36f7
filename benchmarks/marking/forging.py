"""How far somebody gets who has marked pictures and no key: removing, moving and mixing marks.

The attacker knows the code of the scheme, so for lattice also the plane and the size of its tiles.
All pictures are marked under one key, as those of one deployment are.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from marking.attacks import bytes_of
from marking.pictures import cut
from marking.recovery import Share, psnr
from provenance.picture import Pixels
from provenance.watermark.lattice import PUBLIC_KEY, Lattice
from provenance.watermark.lattice.carrier import TILE, carrier
from provenance.watermark.lattice.plane import Plane, fold, plane, residual

COLLUDERS = 10
COPIED_AT = 41.0  # dB: what a copied mark may cost the picture it is put on
WEAKEST, STRONGEST = 52.0, 34.0  # dB of change that is tried to take a mark out


def folded(marked: Pixels) -> Plane:
    """The picture's tiles laid on one another, of unit deviation: mostly the mark."""
    tile = fold(residual(plane(marked)))
    tile = tile - tile.mean()
    unit: Plane = tile / tile.std()
    return unit


def pasted(picture: Pixels, tile: Plane, decibels: float) -> Pixels:
    """``picture`` with ``tile`` added all over (negative: taken out), where it is busy the more,
    so strongly that the change measures ``decibels``."""
    surface = plane(picture)
    height, width = surface.shape
    repeats = (-(-height // TILE), -(-width // TILE))
    detail = (surface - cv2.blur(surface, (9, 9))) ** 2
    busy = np.sqrt(np.maximum(cv2.blur(detail, (11, 11)), 0.0)) + 1.0
    pattern = np.tile(tile, repeats)[:height, :width] * busy**0.6
    pattern = cv2.resize(pattern, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    pattern *= 255.0 / 10 ** (decibels / 20) / np.sqrt(np.mean(pattern**2))
    return bytes_of(picture + pattern[..., None])


def likeness(tile: Plane) -> float:
    """Correlation, 0..1, of an estimated tile's pilots with the secret ones."""
    secret = carrier(PUBLIC_KEY)
    waves = secret.waves(np.fft.fft2(tile).astype(np.complex64))[: secret.pilots]
    return float(abs(waves.sum()) / (np.sqrt(len(waves)) * np.linalg.norm(waves)))


def forging(pictures: Sequence[Pixels], seed: int, trials: int = 20) -> None:
    """The table of attacks by who has no key; ``pictures`` are used in turn."""
    rng = np.random.default_rng(seed)
    scheme = Lattice()
    cuts = [cut(p) for p in pictures]
    print("\nWithout the key (lattice, 512x512)\n\n| attack | outcome |\n|---|---|")

    def chosen() -> Pixels:
        return cuts[int(rng.integers(len(cuts)))]

    def marked(picture: Pixels) -> tuple[Pixels, bytes]:
        payload = rng.bytes(8)
        return scheme.embed(picture, payload), payload

    def counted(trial: Callable[[], bool]) -> Share:
        return Share(sum(trial() for _ in range(trials)), trials)

    still, quality = [], []
    for _ in range(trials):
        picture = chosen()
        copies, payloads = zip(*(marked(picture) for _ in range(COLLUDERS)), strict=True)
        mean = bytes_of(np.mean(np.stack(copies), axis=0))
        found = scheme.detect(mean)
        still.append(found is not None and found.payload in payloads)
        quality.append(psnr(picture, mean))
    print(
        f"| {COLLUDERS} differently marked copies of one picture averaged: one of their payloads"
        f" is still read | {Share(sum(still), trials)}, at {np.mean(quality):.1f} dB |"
    )

    def copied() -> bool:
        source, payload = marked(chosen())
        found = scheme.detect(pasted(chosen(), folded(source), COPIED_AT))
        return found is not None and found.payload == payload

    print(
        f"| one picture's folded tile put on another at {COPIED_AT:g} dB: its payload is read"
        f" there | {counted(copied)} |"
    )

    def forged() -> bool:
        tile = sum(folded(marked(chosen())[0]) for _ in range(COLLUDERS))
        return scheme.detect(pasted(chosen(), tile, COPIED_AT)) is not None

    print(
        f"| the mean folded tile of {COLLUDERS} pictures put on another: any payload is read"
        f" there | {counted(forged)} |"
    )
    likenesses = [
        [likeness(sum(folded(marked(chosen())[0]) for _ in range(n))) for _ in range(trials)]
        for n in (1, COLLUDERS)
    ]
    print(
        f"| correlation of a folded tile's pilots with the secret ones, one picture and the mean of"
        f" {COLLUDERS} | {np.mean(likenesses[0]):.2f} and {np.mean(likenesses[1]):.2f} |"
    )
    for name, count in (
        ("its own folded tile", 0),
        (f"the mean tile of {COLLUDERS} others", COLLUDERS),
    ):
        costs = []
        for _ in range(trials):
            source, _ = marked(chosen())
            others = [folded(marked(chosen())[0]) for _ in range(count)]
            tile = sum(others) if others else folded(source)
            costs.append(removed_at(scheme, source, tile))
        gone = [c for c in costs if c is not None]
        at = f", at {np.median(gone):.0f} dB (median)" if gone else ""
        print(
            f"| {name} taken out, as gently as removes the mark, to {STRONGEST:g} dB: removed |"
            f" {Share(len(gone), trials)}{at} |"
        )


def removed_at(scheme: Lattice, marked: Pixels, tile: Plane) -> float | None:
    """The least change, in decibels, by which taking ``tile`` out removes the mark."""
    for decibels in np.arange(WEAKEST, STRONGEST - 0.5, -1.0):
        if scheme.detect(pasted(marked, -tile, float(decibels))) is None:
            return float(decibels)
    return None
