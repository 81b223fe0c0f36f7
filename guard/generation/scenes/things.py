"""The things that stand in a landscape: each is a few signed-distance shapes, flat and lit."""

from __future__ import annotations

import numpy as np

from guard.generation.scenes.animals import paint_horse, paint_sheep, paint_whale
from guard.generation.scenes.canvas import CELL, Canvas, Plane, lit, mix
from guard.generation.scenes.palette import LIGHTS, PALETTE, RGB, Light
from guard.generation.scenes.spec import Landscape, Size, Thing

_SCALES: dict[Size, float] = {"small": 0.8, "large": 1.15}
_WOOD: RGB = (0.40, 0.26, 0.16)
_BARK: RGB = (0.36, 0.24, 0.15)
_ROOF: RGB = (0.42, 0.23, 0.19)
_DOOR: RGB = (0.30, 0.18, 0.12)
_NEEDLES: RGB = (0.11, 0.40, 0.24)
_STONE: RGB = (0.42, 0.40, 0.40)
_IRON: RGB = (0.20, 0.20, 0.23)
_LAMP: RGB = (1.00, 0.93, 0.60)


def paint_thing(
    canvas: Canvas, thing: Thing, scene: Landscape, x: float, foot: float, horizon: float
) -> None:
    """Paint a thing that is centred on `x` and stands on `foot` (short sides)."""
    light = LIGHTS[scene.time]
    scale = _SCALES[thing.size]
    if thing.kind in ("horse", "sheep"):
        _shadow(canvas, x, foot, 0.13 * scale)
    colour = PALETTE[thing.colour] if thing.colour is not None else _NEEDLES
    body = lit(colour, light.thing_tint)
    match thing.kind:
        case "house":
            _paint_house(canvas, light, x, foot, scale, body)
        case "tree":
            _paint_tree(canvas, light, x, foot, scale, body)
        case "pine":
            _paint_pine(canvas, light, x, foot, scale, body, snowy=scene.ground == "snow")
        case "boat":
            _paint_boat(canvas, light, x, foot, scale, body)
        case "balloon":
            _paint_balloon(canvas, light, x, horizon, scale, body)
        case "lighthouse":
            _paint_lighthouse(canvas, light, x, foot, scale, body, scene)
        case "horse":
            paint_horse(canvas, x, foot, scale, body)
        case "sheep":
            paint_sheep(canvas, light, x, foot, scale, body)
        case "whale":
            paint_whale(canvas, light, x, foot, scale, body)


def _shadow(canvas: Canvas, x: float, foot: float, half: float) -> None:
    away = np.hypot((canvas.x - x - 0.02) / half, (canvas.y - foot) / 0.02)
    canvas.dim(0.30 * np.clip(1.0 - away, 0.0, 1.0))


def _round(canvas: Canvas, x: float, half: float, body: RGB, depth: float = 0.16) -> Plane:
    """A colour that falls off from left to right, as on a rounded side."""
    across = np.clip((canvas.x - x) / half, -1.0, 1.0)
    shaded: Plane = np.asarray(body, np.float32) * (1.0 - depth * across)[..., None]
    return np.clip(shaded, 0.0, 1.0)


def _paint_house(
    canvas: Canvas, light: Light, x: float, foot: float, scale: float, body: RGB
) -> None:
    half, wall, roof = 0.125 * scale, 0.135 * scale, 0.11 * scale
    _shadow(canvas, x, foot, half * 1.5)
    front = canvas.inside(canvas.box(x - half, x + half, foot - wall, foot))
    canvas.paint(front, _round(canvas, x, half, body), subject=True)
    chimney = canvas.box(x + 0.5 * half, x + 0.72 * half, foot - wall - roof, foot - wall)
    canvas.paint(canvas.inside(chimney), lit(_ROOF, light.thing_tint), subject=True)
    gable = canvas.wedge(x, foot - wall + 0.004, half * 1.22, roof)
    canvas.paint(canvas.inside(gable), lit(_ROOF, light.thing_tint), subject=True)
    door = canvas.box(x - 0.024 * scale, x + 0.024 * scale, foot - 0.082 * scale, foot)
    canvas.paint(canvas.inside(door), lit(_DOOR, light.thing_tint))
    for side in (-1, 1):
        centre = x + side * 0.075 * scale
        pane = canvas.box(
            centre - 0.023 * scale,
            centre + 0.023 * scale,
            foot - 0.105 * scale,
            foot - 0.058 * scale,
        )
        canvas.paint(canvas.inside(pane), light.window)


def _paint_tree(
    canvas: Canvas, light: Light, x: float, foot: float, scale: float, body: RGB
) -> None:
    _shadow(canvas, x, foot, 0.13 * scale)
    trunk = canvas.box(x - 0.017 * scale, x + 0.017 * scale, foot - 0.16 * scale, foot)
    canvas.paint(canvas.inside(trunk), lit(_BARK, light.thing_tint), subject=True)
    crown = np.minimum.reduce(
        [
            canvas.disc(x + dx * scale, foot + dy * scale, radius * scale)
            for dx, dy, radius in (
                (0.0, -0.262, 0.098),
                (-0.075, -0.205, 0.072),
                (0.075, -0.205, 0.072),
                (0.0, -0.175, 0.078),
            )
        ]
    )
    lift = np.clip(
        ((foot - 0.21 * scale) - canvas.y) / (0.18 * scale) - (canvas.x - x) * 2.0, -1.0, 1.0
    )
    leaves = np.clip(np.asarray(body, np.float32) * (1.0 + 0.22 * lift)[..., None], 0.0, 1.0)
    canvas.paint(canvas.inside(crown), leaves, subject=True)


def _paint_pine(
    canvas: Canvas,
    light: Light,
    x: float,
    foot: float,
    scale: float,
    body: RGB,
    *,
    snowy: bool,
) -> None:
    _shadow(canvas, x, foot, 0.11 * scale)
    trunk = canvas.box(x - 0.014 * scale, x + 0.014 * scale, foot - 0.07 * scale, foot)
    canvas.paint(canvas.inside(trunk), lit(_BARK, light.thing_tint), subject=True)
    for tier in range(3):
        base = foot - (0.045 + 0.085 * tier) * scale
        half, height = (0.118 - 0.026 * tier) * scale, 0.14 * scale
        branch = canvas.wedge(x, base, half, height)
        shade = _round(canvas, x, half, body, 0.22) * (0.92 + 0.10 * tier)
        canvas.paint(canvas.inside(branch), np.clip(shade, 0.0, 1.0), subject=True)
        if snowy:
            cap = np.maximum(branch, canvas.y - (base - 0.55 * height))
            white = lit((0.96, 0.98, 1.0), light.thing_tint)
            canvas.paint(canvas.inside(cap) * 0.9, white)


def _paint_boat(
    canvas: Canvas, light: Light, x: float, foot: float, scale: float, body: RGB
) -> None:
    half, deck = 0.15 * scale, foot - 0.048 * scale
    away = np.hypot((canvas.x - x) / (half * 1.1), (canvas.y - foot - 0.02) / 0.03)
    canvas.dim(0.35 * np.clip(1.0 - away, 0.0, 1.0))
    mast = canvas.box(x - 0.006, x + 0.006, foot - 0.32 * scale, deck)
    canvas.paint(canvas.inside(mast), lit(_WOOD, light.thing_tint), subject=True)
    paler = np.asarray(body, np.float32) * 0.82 + 0.12
    for side, width, sail in ((1, 0.125, np.asarray(body, np.float32)), (-1, 0.092, paler)):
        u = (canvas.x - x - 0.010 * side) * side
        low, high = foot - 0.068 * scale, 0.235 * scale
        slant = (u - width * scale * (1.0 - (low - canvas.y) / high)) * 0.86
        cloth = np.maximum(np.maximum(-u, canvas.y - low), slant)
        canvas.paint(canvas.inside(cloth.astype(np.float32)), sail, subject=True)
    flank = (np.abs(canvas.x - x) - (half - (canvas.y - deck) * 0.9)) * 0.75
    hull = np.maximum(np.maximum(deck - canvas.y, canvas.y - foot), flank)
    canvas.paint(
        canvas.inside(hull.astype(np.float32)),
        _round(canvas, x, half, lit(_WOOD, light.thing_tint)),
        subject=True,
    )


def _paint_balloon(
    canvas: Canvas, light: Light, x: float, horizon: float, scale: float, body: RGB
) -> None:
    radius = 0.135 * scale
    centre = round((horizon - 0.30) / CELL) * CELL
    v = (canvas.y - centre) / radius
    # A sphere above its middle, tapering to the mouth below it.
    taper = radius * np.sqrt(np.clip(1.0 - 0.66 * np.abs(v) ** 1.5, 0.0, 1.0))
    belly = np.where(
        v < 0,
        np.hypot(canvas.x - x, canvas.y - centre) - radius,
        (np.abs(canvas.x - x) - taper) * 0.85,
    )
    envelope = np.maximum(belly, canvas.y - (centre + radius * 1.25)).astype(np.float32)
    bulge = np.sqrt(np.clip(1.0 - (v / 1.5) ** 2, 0.06, 1.0))
    across = np.clip((canvas.x - x) / (radius * bulge), -1.0, 1.0)
    gore = np.sin(np.arcsin(across) * 5.0) > 0
    dark = sum(body) / 3 < 0.25
    second = mix(body, (1.0, 1.0, 1.0), 0.22) if dark else np.asarray(body, np.float32) * 0.80
    stripes = np.where(gore[..., None], np.asarray(body, np.float32), second)
    shade = 1.04 - 0.14 * across[..., None]
    canvas.paint(canvas.inside(envelope), np.clip(stripes * shade, 0.0, 1.0), subject=True)
    for side in (-1, 1):
        rope = x + side * 0.020 * scale
        line = canvas.box(rope - 0.002, rope + 0.002, centre + radius * 1.2, centre + radius * 1.6)
        canvas.paint(canvas.inside(line), lit(_BARK, light.thing_tint))
    basket = canvas.box(
        x - 0.028 * scale, x + 0.028 * scale, centre + radius * 1.5, centre + radius * 1.82
    )
    canvas.paint(canvas.inside(basket), lit(_WOOD, light.thing_tint), subject=True)


def _paint_lighthouse(
    canvas: Canvas,
    light: Light,
    x: float,
    foot: float,
    scale: float,
    body: RGB,
    scene: Landscape,
) -> None:
    if scene.ground == "sea":
        rock = np.hypot((canvas.x - x) / 2.4, canvas.y - foot - 0.02) - 0.048
        canvas.paint(canvas.inside(rock.astype(np.float32)), lit(_STONE, light.thing_tint))
    else:
        _shadow(canvas, x, foot, 0.11 * scale)
    height = 0.36 * scale
    top = foot - height
    rise = np.clip((foot - canvas.y) / height, 0.0, 1.0)
    tower = np.maximum(
        np.maximum(top - canvas.y, canvas.y - foot),
        np.abs(canvas.x - x) - (0.056 - 0.020 * rise) * scale,
    ).astype(np.float32)
    pale = (0.72, 0.72, 0.75) if min(body) > 0.6 else (0.95, 0.95, 0.94)
    bands = ((rise * 5).astype(int) % 2 == 0)[..., None]
    plain = np.asarray(lit(pale, light.thing_tint), np.float32)
    striped = np.where(bands, np.asarray(body, np.float32), plain)
    across = np.clip((canvas.x - x) / (0.056 * scale), -1.0, 1.0)[..., None]
    canvas.paint(
        canvas.inside(tower), np.clip(striped * (1.0 - 0.16 * across), 0.0, 1.0), subject=True
    )
    gallery = canvas.box(x - 0.048 * scale, x + 0.048 * scale, top - 0.012 * scale, top)
    canvas.paint(canvas.inside(gallery), lit(_IRON, light.thing_tint), subject=True)
    lantern = canvas.box(x - 0.026 * scale, x + 0.026 * scale, top - 0.058 * scale, top - 0.012)
    canvas.paint(canvas.inside(lantern), _LAMP, subject=True)
    roof = canvas.wedge(x, top - 0.056 * scale, 0.04 * scale, 0.045 * scale)
    canvas.paint(canvas.inside(roof), lit((0.60, 0.15, 0.14), light.thing_tint), subject=True)
    if scene.time != "day":
        glow = np.exp(-((np.hypot(canvas.x - x, canvas.y - top + 0.033 * scale) / 0.085) ** 2))
        canvas.paint(glow.astype(np.float32) * 0.5, _LAMP)
