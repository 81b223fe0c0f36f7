"""Renders as a less steady hand would draw them, to hold the checker against.

A core's drawings are right long before they are exact. Whoever judges them has to be right about
drawings that are not exact either, and about these it is known what they show.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from guard.generation.scenes.render import render
from guard.generation.scenes.spec import Scene
from guard.generation.training.data import PROXY
from provenance.picture import Pixels

SIDE: Final = 256  # pixels, at which it is drawn
SHADE: Final = 0.15  # by which a thing may be lighter or darker
HUE: Final = 0.05  # by which each of its channels may be, besides
SIZE: Final = 0.08  # by which all may be larger or smaller
TREMBLE: Final = 3.0  # pixels by which an outline strays
TREMBLE_ACROSS: Final = 10.0  # pixels over which it strays the same way


def unsteady(scene: Scene, side: int, seed: int) -> Pixels:
    """``scene`` with its things in another shade, all a little larger or smaller, outlines that
    tremble, and no finer than a core sees it: (side, side, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    drawn = render(scene, SIDE, SIDE)
    shade = rng.uniform(1 - SHADE, 1 + SHADE) * rng.uniform(1 - HUE, 1 + HUE, 3)
    plain = drawn.pixels.astype(np.float32)
    covered = drawn.subject[..., None]
    picture = plain * (1 - covered) + np.clip(plain * shade, 0, 255) * covered
    by, middle = rng.uniform(1 - SIZE, 1 + SIZE), SIDE / 2
    rows, columns = (
        ((at - middle) / by + middle + _tremble(rng)).astype(np.float32)
        for at in np.mgrid[:SIDE, :SIDE]
    )
    moved = cv2.remap(
        picture.astype(np.float32), columns, rows, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    coarse = cv2.resize(moved, (PROXY, PROXY), interpolation=cv2.INTER_AREA)
    whole = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    pixels: Pixels = np.clip(whole, 0, 255).astype(np.uint8)
    return pixels


def _tremble(rng: np.random.Generator) -> NDArray[np.float32]:
    """(SIDE, SIDE): how far each pixel strays one way."""
    noise = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), TREMBLE_ACROSS)
    strayed: NDArray[np.float32] = smooth * np.float32(TREMBLE / smooth.std())
    return strayed
