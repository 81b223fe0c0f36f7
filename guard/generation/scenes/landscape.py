"""Sky, sun or moon, clouds, weather, ridges and ground of a landscape, from far to near."""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from guard.generation.scenes.canvas import CELL, Canvas, Plane, lit, mix
from guard.generation.scenes.palette import (
    GROUND_COLOURS,
    HILLS_ON,
    LIGHTS,
    RIDGE_COLOURS,
    Light,
)
from guard.generation.scenes.spec import Landscape, Place
from guard.generation.scenes.things import paint_thing
from guard.generation.scenes.weather import (
    paint_fog,
    paint_rain,
    paint_rainbow,
    paint_snowfall,
    restyle,
)

BODY_RADIUS: Final = 0.062  # short sides
STAR_SHARE: Final = 0.22  # of the cells of a night sky
HORIZON: Final = 0.6  # of the height, before it snaps to a cell
_COLUMNS: Final[dict[Place, float]] = {"left": 0.25, "middle": 0.5, "right": 0.75}


def paint_landscape(canvas: Canvas, scene: Landscape) -> None:
    """Paint the whole landscape; every chance is drawn from the scene's own seed."""
    rng = random.Random(scene.seed)  # noqa: S311  # pictures, not secrets
    light = LIGHTS[scene.time]
    horizon = _snap(HORIZON * canvas.height) - CELL * rng.randrange(2)
    body = _body_place(canvas, scene, horizon, rng)
    _paint_sky(canvas, light, horizon)
    if scene.time == "night":
        _paint_stars(canvas, horizon, rng)
    if body is not None:
        _paint_body(canvas, scene, light, body, rng)
    if scene.weather == "rainbow":
        paint_rainbow(canvas, horizon)
    if scene.clouds:
        _paint_clouds(canvas, light, rng)
    _paint_ridges(canvas, scene, light, horizon, rng)
    _paint_ground(canvas, scene, light, horizon, body, rng)
    if scene.weather == "fog":
        paint_fog(canvas, light, horizon)
    elif scene.weather == "rain":
        paint_rain(canvas, light)
    for thing in scene.things:
        column = _snap(_COLUMNS[thing.place] * canvas.width) + CELL * rng.choice((-1, 0, 1))
        foot = horizon + CELL * rng.choice((2, 3))
        paint_thing(canvas, thing, scene, column, foot, horizon)
    if scene.weather == "snowfall":
        paint_snowfall(canvas, scene.seed)
    if scene.style != "plain":
        restyle(canvas, scene.style)


def _snap(value: float) -> float:
    return round(value / CELL) * CELL


def _smooth(value: Plane) -> Plane:
    bounded: Plane = np.clip(value, 0.0, 1.0)
    return bounded * bounded * (3.0 - 2.0 * bounded)


def _paint_sky(canvas: Canvas, light: Light, horizon: float) -> None:
    depth = np.clip(canvas.y / horizon, 0.0, 1.0)
    upper = mix(light.zenith, light.middle, np.clip(depth / 0.6, 0.0, 1.0))
    whole = np.where(
        (depth < 0.6)[..., None],
        upper,
        mix(light.middle, light.horizon, np.clip((depth - 0.6) / 0.4, 0.0, 1.0)),
    )
    canvas.rgb[:] = whole


def _paint_stars(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    for row in range(int(horizon * 0.85 / CELL)):
        for column in range(round(canvas.width / CELL)):
            if rng.random() >= STAR_SHARE:
                continue
            # Each on one sample of the 64-pixel proxy that the core draws on.
            x = (column + (rng.choice((1, 3)) - 0.5) / 4) * CELL
            y = (row + (rng.choice((1, 3)) - 0.5) / 4) * CELL
            reach = 0.0042 if rng.random() < 0.3 else 0.0032
            spot = np.exp(-((canvas.x - x) ** 2 + (canvas.y - y) ** 2) / (2 * reach**2))
            canvas.paint(spot * 0.95, (1.0, 1.0, 0.94), subject=True)


def _body_place(
    canvas: Canvas, scene: Landscape, horizon: float, rng: random.Random
) -> tuple[float, float] | None:
    if scene.body is None:
        return None
    x = _snap(_COLUMNS[scene.body] * canvas.width) + CELL * rng.choice((-1, 0))
    low = scene.time in ("sunset", "dawn")
    y = horizon - CELL * rng.choice((2, 3)) if low else CELL * rng.choice((2, 3))
    return x, y


def _paint_body(
    canvas: Canvas,
    scene: Landscape,
    light: Light,
    place: tuple[float, float],
    rng: random.Random,
) -> None:
    x, y = place
    away = np.hypot(canvas.x - x, canvas.y - y)
    night = scene.time == "night"
    canvas.paint(
        np.exp(-((away / (BODY_RADIUS * 2.8)) ** 2)) * (0.22 if night else 0.5), light.body
    )
    disc = canvas.disc(x, y, BODY_RADIUS)
    if night and rng.random() < 0.6:  # a crescent, else full
        bite = canvas.disc(x - BODY_RADIUS * 0.55, y - BODY_RADIUS * 0.15, BODY_RADIUS * 0.9)
        disc = np.maximum(disc, -bite)
    canvas.paint(canvas.inside(disc), light.body, subject=True)


def _paint_clouds(canvas: Canvas, light: Light, rng: random.Random) -> None:
    count = max(2, round(2.5 * canvas.width))
    for index in range(count):
        x = _snap((index + 0.5) * canvas.width / count) + CELL * rng.choice((-1, 0, 1))
        y = CELL * rng.choice((3, 4, 5))
        size = rng.choice((0.8, 1.1))
        lean = rng.choice((-1, 1))
        puffs = [
            canvas.disc(x + lean * dx * size, y + dy * size, radius * size)
            for dx, dy, radius in (
                (0.0, -0.022, 0.052),
                (-0.062, 0.0, 0.036),
                (0.058, -0.004, 0.040),
                (0.108, 0.008, 0.026),
            )
        ]
        shape = np.maximum(np.minimum.reduce(puffs), canvas.y - (y + 0.020 * size))
        shade = _smooth((canvas.y - (y - 0.06 * size)) / (0.09 * size))
        belly = mix(light.cloud, light.middle, 0.45)
        canvas.paint(canvas.inside(shape) * 0.92, mix(light.cloud, belly, shade))


def _paint_ridges(
    canvas: Canvas, scene: Landscape, light: Light, horizon: float, rng: random.Random
) -> None:
    if scene.backdrop == "none":
        return
    colours = RIDGE_COLOURS[scene.backdrop]
    if scene.backdrop == "hills":
        colours = HILLS_ON.get(scene.ground, colours)
    for layer, colour in enumerate(colours):
        air = 0.42 - 0.24 * layer  # the far ridge takes more of the sky's colour
        shade = mix(lit(colour, light.tint), light.horizon, air)
        if scene.backdrop == "mountains":
            _paint_mountains(canvas, shade, light, horizon, layer, rng)
        else:
            crest = _hill_crest(canvas, horizon, layer, rng)
            depth = np.clip((canvas.y - crest) / 0.16, 0.0, 1.0)
            lifted = mix(np.minimum(shade * 1.08, 1.0), shade * 0.94, depth)
            canvas.paint(canvas.inside((crest - canvas.y) * 0.9), lifted)


def _paint_mountains(
    canvas: Canvas, shade: Plane, light: Light, horizon: float, layer: int, rng: random.Random
) -> None:
    step = 4 * CELL
    shift = CELL * rng.choice((-1, 0, 1)) + layer * 2 * CELL
    peaks = [
        (index * step + shift, CELL * rng.choice(((4, 5, 6), (2, 3))[layer]))
        for index in range(-1, round(canvas.width / step) + 2)
    ]
    slope = 0.92
    heights = np.stack([high - np.abs(canvas.x[0] - x) / slope for x, high in peaks])
    tallest = heights.argmax(0)
    crest = horizon - np.maximum(heights.max(0), 0.4 * CELL)[None]
    # The side away from the light is darker, so that each peak reads as a body.
    far_side = np.clip(
        (canvas.x - np.array([peaks[i][0] for i in tallest], np.float32)[None]) / (2 * canvas.pixel)
        + 0.5,
        0.0,
        1.0,
    )
    face = mix(np.minimum(shade * 1.07, 1.0), shade * 0.90, far_side)[0][None]
    coverage = canvas.inside((crest - canvas.y) * 0.68)
    canvas.paint(coverage, face)
    if layer == 0:
        high = np.array([peaks[i][1] for i in tallest], np.float32)
        line = horizon - high + 1.4 * CELL
        zigzag = 0.3 * CELL * np.abs(((canvas.x[0] / (0.5 * CELL)) % 2.0) - 1.0)
        snow = canvas.inside(canvas.y - (line + zigzag)[None].astype(np.float32))
        white = mix(lit((0.97, 0.98, 1.0), light.tint), light.horizon, 0.15)
        canvas.paint(coverage * snow, mix(white, white * 0.90, far_side)[0][None])


def _hill_crest(canvas: Canvas, horizon: float, layer: int, rng: random.Random) -> Plane:
    height = (0.125, 0.065)[layer]
    wave = 8 * CELL if layer else 10 * CELL
    phase = rng.randrange(8) / 8
    bump = 0.5 - 0.5 * np.cos(2 * np.pi * (canvas.x / wave + phase))
    crest: Plane = (horizon - height * (0.35 + 0.65 * bump)).astype(np.float32)
    return crest


def _paint_ground(
    canvas: Canvas,
    scene: Landscape,
    light: Light,
    horizon: float,
    body: tuple[float, float] | None,
    rng: random.Random,
) -> None:
    far, near = (lit(colour, light.tint) for colour in GROUND_COLOURS[scene.ground])
    depth = np.clip((canvas.y - horizon) / (canvas.height - horizon), 0.0, 1.0)
    if scene.ground == "sea":
        water = mix(mix(far, light.horizon, 0.42), near, depth)
        canvas.paint(canvas.inside(horizon - canvas.y), water)
        _paint_waves(canvas, light, horizon, rng)
        if body is not None:
            _paint_glitter(canvas, light, horizon, body[0])
        return
    canvas.paint(canvas.inside(horizon - canvas.y), mix(far, near, depth * 0.75))
    # Two soft folds of the ground: dunes, drifts or the swell of a meadow.
    for start, height, wave, share in ((0.10, 0.022, 14, 0.35), (0.24, 0.040, 18, 0.62)):
        phase = rng.randrange(8) / 8
        swell = np.sin(2 * np.pi * (canvas.x / (wave * CELL) + phase))
        crest = horizon + start + height * swell
        below = np.clip((canvas.y - crest) / 0.22, 0.0, 1.0)
        base = mix(far, near, share)
        lifted = np.minimum(base * 1.10, 1.0)
        canvas.paint(canvas.inside(crest - canvas.y), mix(lifted, base * 0.93, below))


def _paint_waves(canvas: Canvas, light: Light, horizon: float, rng: random.Random) -> None:
    rows = int((canvas.height - horizon) / CELL)
    for row in range(rows):
        y = horizon + (row + 0.625) * CELL
        for column in range(0, round(canvas.width / CELL), 2):
            if rng.random() >= 0.30:
                continue
            x = (column + 1) * CELL
            half = CELL * (0.45 + 0.35 * row / rows)
            dash = np.maximum(np.abs(canvas.x - x) - half, np.abs(canvas.y - y) - 0.0055)
            canvas.paint(canvas.inside(dash.astype(np.float32)) * 0.30, light.horizon)


def _paint_glitter(canvas: Canvas, light: Light, horizon: float, x: float) -> None:
    """The body's path of light on the water: dashes that widen towards the viewer."""
    below = np.clip(canvas.y - horizon, 0.0, None)
    half = 0.035 + 0.22 * below
    column = np.clip(1.0 - np.abs(canvas.x - x) / half, 0.0, 1.0)
    stripes = 0.5 + 0.5 * np.cos(2 * np.pi * (canvas.y - horizon) / (0.5 * CELL))
    fade = np.exp(-below / 0.30) * (canvas.y > horizon)
    canvas.paint((_smooth(column * 1.6) * stripes * fade * 0.8).astype(np.float32), light.body)
