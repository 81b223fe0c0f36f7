"""From a scene to its picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.generation.scenes.canvas import Canvas
from guard.generation.scenes.landscape import paint_landscape
from guard.generation.scenes.spec import Landscape, Scene
from guard.generation.scenes.still_life import paint_still_life


class Rendering(NamedTuple):
    """A picture (H, W, 3) uint8 RGB, and where its subject stands: coverage (H, W) in 0..1."""

    pixels: NDArray[np.uint8]
    subject: NDArray[np.float32]


def render(scene: Scene, width: int, height: int) -> Rendering:
    """Render a scene at any size in pixels: the same scene and size give the same bytes."""
    canvas = Canvas(width, height)
    if isinstance(scene, Landscape):
        paint_landscape(canvas, scene)
    else:
        paint_still_life(canvas, scene)
    return Rendering(canvas.pixels(), canvas.subject)
