"""A canvas measured in short sides, and the signed-distance shapes that are painted on it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from guard.generation.scenes.palette import RGB

Plane = NDArray[np.floating]
"""float32 (H, W), or anything that broadcasts to it."""

Paint = RGB | Plane
"""One colour, or (H, W, 3)."""

# The embedded core's latent has 16 cells a short side. Positions that stand on this grid are
# learnt many times sooner than free ones, since an outline then meets the cells in one way only.
CELLS: Final = 16
CELL: Final = 1.0 / CELLS


class Canvas:
    """An RGB picture in 0..1, addressed in short sides: x to the right, y downwards.

    `subject` (H, W) gathers the coverage of what the scene is about, so that training can weigh it.
    """

    def __init__(self, width: int, height: int) -> None:
        short = min(width, height)
        self.width = width / short
        self.height = height / short
        self.pixel = 1.0 / short
        self.x: Plane = ((np.arange(width, dtype=np.float32) + 0.5) / short)[None, :]
        self.y: Plane = ((np.arange(height, dtype=np.float32) + 0.5) / short)[:, None]
        self.rgb: Plane = np.zeros((height, width, 3), np.float32)
        self.subject: Plane = np.zeros((height, width), np.float32)

    def inside(self, distance: Plane) -> Plane:
        """Coverage in 0..1 of a signed distance (negative inside), one pixel wide at the edge."""
        coverage: Plane = np.clip(0.5 - distance / self.pixel, 0.0, 1.0, dtype=np.float32)
        return coverage

    def paint(self, coverage: Plane, colour: Paint, *, subject: bool = False) -> None:
        """Lay `colour` over the canvas where `coverage` says."""
        over = np.broadcast_to(coverage, self.subject.shape)
        self.rgb += (np.asarray(colour, np.float32) - self.rgb) * over[..., None]
        if subject:
            np.maximum(self.subject, over, out=self.subject)

    def dim(self, coverage: Plane) -> None:
        """Darken, as a shadow does: a coverage of 0.3 takes 30 % of the light."""
        self.rgb *= (1.0 - np.broadcast_to(coverage, self.subject.shape))[..., None]

    def pixels(self) -> NDArray[np.uint8]:
        """The picture as (H, W, 3) uint8 RGB."""
        return (np.clip(self.rgb, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    def box(self, left: float, right: float, top: float, bottom: float) -> Plane:
        """Signed distance to an upright box."""
        across = np.maximum(left - self.x, self.x - right)
        distance: Plane = np.maximum(across, np.maximum(top - self.y, self.y - bottom))
        return distance

    def disc(self, x: float, y: float, radius: float) -> Plane:
        """Signed distance to a disc."""
        distance: Plane = np.hypot(self.x - x, self.y - y) - np.float32(radius)
        return distance

    def capsule(self, ax: float, ay: float, bx: float, by: float, radius: float) -> Plane:
        """Signed distance to a line from a to b that is `radius` thick on each side."""
        across, down = bx - ax, by - ay
        u, v = self.x - ax, self.y - ay
        along = np.clip((u * across + v * down) / (across * across + down * down), 0.0, 1.0)
        distance: Plane = np.hypot(u - along * across, v - along * down) - np.float32(radius)
        return distance.astype(np.float32)

    def wedge(self, x: float, base: float, half_width: float, height: float) -> Plane:
        """Signed distance to an upright isosceles triangle, its base at `base`, its tip above."""
        slope = half_width / height
        sides = (np.abs(self.x - x) - (half_width - (base - self.y) * slope)) / np.hypot(1.0, slope)
        distance: Plane = np.maximum(self.y - base, sides).astype(np.float32)
        return distance


def mix(a: Paint, b: Paint, share: float | Plane) -> Plane:
    """The colour `share` of the way from a to b; a plane of shares gives a plane of colours."""
    start, end = np.asarray(a, np.float32), np.asarray(b, np.float32)
    weight = np.asarray(share, np.float32)
    if weight.ndim:
        weight = weight[..., None]
    return start + (end - start) * weight


def lit(colour: RGB, tint: RGB) -> RGB:
    """A colour under a light."""
    return (colour[0] * tint[0], colour[1] * tint[1], colour[2] * tint[2])
