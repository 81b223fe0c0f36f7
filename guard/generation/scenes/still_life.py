"""Coloured shapes on a coloured background, with a soft light from the upper left."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

import numpy as np

from guard.generation.scenes.canvas import CELL, Canvas, Plane
from guard.generation.scenes.palette import PALETTE
from guard.generation.scenes.spec import ShapeKind, Size, StillLife

_ALONE: Final[dict[Size, float]] = {"small": 2 * CELL, "large": 4 * CELL}
_PAIRED: Final[dict[Size, float]] = {"small": 2 * CELL, "large": 3 * CELL}


class _Spot(NamedTuple):
    x: float
    y: float
    radius: float


def paint_still_life(canvas: Canvas, scene: StillLife) -> None:
    """Paint the background, then each shape with its shadow and its highlight."""
    rng = random.Random(scene.seed)  # noqa: S311  # pictures, not secrets
    base = np.asarray(PALETTE[scene.background], np.float32) * 0.88 + 0.08
    slope = 1.0 + 0.16 * (0.5 - canvas.y / canvas.height) + 0.08 * (0.5 - canvas.x / canvas.width)
    canvas.rgb[:] = base * slope[..., None]
    for shape, spot in zip(scene.shapes, _spots(canvas, scene, rng), strict=True):
        shadow = _distance(canvas, shape.kind, spot.x + 0.016, spot.y + 0.024, spot.radius)
        canvas.dim(0.32 * np.clip(0.5 - shadow / 0.045, 0.0, 1.0))
        colour = np.asarray(PALETTE[shape.colour], np.float32)
        near = (canvas.x - spot.x + spot.radius * 0.4) ** 2
        near = near + (canvas.y - spot.y + spot.radius * 0.45) ** 2
        gleam = np.exp(-near / (spot.radius**2 * 0.5))[..., None]
        face = colour * (0.90 + 0.08 * gleam) + 0.13 * gleam * (1.0 - colour)
        outline = _distance(canvas, shape.kind, spot.x, spot.y, spot.radius)
        canvas.paint(canvas.inside(outline), face, subject=True)


def _spots(canvas: Canvas, scene: StillLife, rng: random.Random) -> list[_Spot]:
    """Where each shape stands, on the cells' grid."""

    def column(share: float) -> float:
        return round(share * canvas.width / CELL) * CELL

    def row(share: float) -> float:
        return round(share * canvas.height / CELL) * CELL

    def nudge() -> float:
        return CELL * rng.choice((-1, 0, 1))

    if scene.arrangement == "row":
        count = len(scene.shapes)
        radius = 2 * CELL
        y = row(0.5) + nudge()
        shares = {2: (0.3125, 0.6875), 3: (0.1875, 0.5, 0.8125)}[count]
        return [_Spot(column(share), y, radius) for share in shares]
    if scene.arrangement == "beside":
        radius = _PAIRED[scene.size]
        return [_Spot(column(share), row(0.5) + nudge(), radius) for share in (0.25, 0.75)]
    if scene.arrangement == "above":
        radius = _PAIRED[scene.size]
        return [_Spot(column(0.5) + nudge(), row(share), radius) for share in (0.25, 0.75)]
    radius = _ALONE[scene.size]
    share = {"left": 0.3125, "middle": 0.5, "right": 0.6875}[scene.arrangement]
    return [_Spot(column(share), row(0.5) + nudge(), radius)]


def _distance(canvas: Canvas, kind: ShapeKind, x: float, y: float, radius: float) -> Plane:
    """Signed distance to the outline of a shape whose circumscribed circle has about `radius`."""
    u, v = canvas.x - x, canvas.y - y
    match kind:
        case "circle":
            away: Plane = np.hypot(u, v) - np.float32(radius)
            return away
        case "ring":
            band: Plane = np.abs(np.hypot(u, v) - radius * 0.78) - np.float32(radius * 0.24)
            return band
        case "square":
            side: Plane = np.maximum(np.abs(u), np.abs(v)) - np.float32(radius * 0.86)
            return side
        case "triangle":
            return canvas.wedge(x, y + radius * 0.75, radius, radius * 1.65)
        case "star":
            return _star(u, v, radius * 1.08)


def _star(u: Plane, v: Plane, radius: float) -> Plane:
    """A five-pointed star: the folded sector's edge from the outer to the inner point."""
    turn = 2 * np.pi / 5
    angle = np.arctan2(u, -v)
    folded = np.abs((angle + turn / 2) % turn - turn / 2)
    away = np.hypot(u, v)
    p, q = away * np.cos(folded), away * np.sin(folded)
    inner_x = radius * 0.44 * np.cos(turn / 2)
    inner_y = radius * 0.44 * np.sin(turn / 2)
    normal_x, normal_y = inner_y, radius - inner_x
    length = np.hypot(normal_x, normal_y)
    edge: Plane = (((p - radius) * normal_x + q * normal_y) / length).astype(np.float32)
    return edge
