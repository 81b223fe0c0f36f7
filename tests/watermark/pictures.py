"""Pictures that the watermark tests mark: bundled photographs and made ones."""

from functools import cache

import numpy as np

from provenance.picture import Pixels


@cache
def photographs() -> dict[str, Pixels]:
    """Photographs that come with scikit-image, at their own sizes."""
    from skimage import data

    return {name: np.asarray(getattr(data, name)()) for name in ("astronaut", "coffee", "chelsea")}


def textured(width: int, height: int, seed: int) -> Pixels:
    """Coloured waves and grain over a gradient: something for a mark to hide in."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = rng.uniform(80, 170, 3) + np.zeros((height, width, 3))
    for _ in range(5):
        (fx, fy), phase = rng.uniform(-0.1, 0.1, 2), rng.uniform(0, 6.3)
        picture += np.sin(fx * x + fy * y + phase)[..., None] * rng.uniform(4, 14, 3)
    picture += rng.normal(0, 4, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def flat(width: int, height: int, colour: tuple[int, int, int]) -> Pixels:
    """One colour."""
    return np.full((height, width, 3), colour, dtype=np.uint8)
