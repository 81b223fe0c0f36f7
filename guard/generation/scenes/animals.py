"""The animals of a landscape: silhouettes of a few discs and capsules, all looking to the left."""

from __future__ import annotations

import numpy as np

from guard.generation.scenes.canvas import Canvas, Plane, lit, mix
from guard.generation.scenes.palette import RGB, Light

_FACE: RGB = (0.17, 0.16, 0.17)
_SPRAY: RGB = (0.92, 0.97, 1.00)
_BELLY: RGB = (0.93, 0.94, 0.93)


def paint_horse(canvas: Canvas, x: float, foot: float, scale: float, body: RGB) -> None:
    """A standing horse: trunk, neck and head in its colour, mane and tail in a darker one."""

    def limb(ax: float, ay: float, bx: float, by: float, radius: float) -> Plane:
        return canvas.capsule(
            x + ax * scale, foot + ay * scale, x + bx * scale, foot + by * scale, radius * scale
        )

    dark = mix(body, (0.05, 0.05, 0.05), 0.55)
    tail = limb(0.112, -0.165, 0.148, -0.085, 0.014)
    canvas.paint(canvas.inside(tail), dark, subject=True)
    whole = np.minimum.reduce(
        [
            limb(-0.062, -0.158, 0.068, -0.158, 0.050),
            *(limb(leg, -0.13, leg * 1.08, -0.012, 0.0135) for leg in (-0.094, -0.050, 0.056, 0.1)),
            limb(-0.080, -0.172, -0.132, -0.268, 0.029),
            limb(-0.132, -0.272, -0.186, -0.232, 0.021),
            limb(-0.122, -0.290, -0.118, -0.312, 0.009),
        ]
    )
    canvas.paint(canvas.inside(whole), body, subject=True)
    mane = limb(-0.062, -0.205, -0.108, -0.286, 0.011)
    canvas.paint(canvas.inside(mane), dark, subject=True)


def paint_sheep(
    canvas: Canvas, light: Light, x: float, foot: float, scale: float, body: RGB
) -> None:
    """A sheep: wool of its colour, a dark face and dark legs."""
    face = lit(_FACE, light.thing_tint)
    for leg in (-0.068, -0.036, 0.040, 0.072):
        shin = canvas.capsule(
            x + leg * scale, foot - 0.07 * scale, x + leg * scale, foot - 0.01, 0.011 * scale
        )
        canvas.paint(canvas.inside(shin), face, subject=True)
    wool = np.minimum.reduce(
        [
            canvas.disc(x + dx * scale, foot + dy * scale, radius * scale)
            for dx, dy, radius in (
                (-0.080, -0.108, 0.046),
                (-0.042, -0.140, 0.052),
                (0.016, -0.146, 0.054),
                (0.066, -0.130, 0.050),
                (0.092, -0.100, 0.042),
                (0.030, -0.094, 0.052),
                (-0.036, -0.092, 0.050),
            )
        ]
    )
    lift = np.clip(((foot - 0.11 * scale) - canvas.y) / (0.09 * scale), -1.0, 1.0)
    shade = np.clip(np.asarray(body, np.float32) * (1.0 + 0.10 * lift)[..., None], 0.0, 1.0)
    canvas.paint(canvas.inside(wool), shade, subject=True)
    head = canvas.capsule(
        x - 0.112 * scale, foot - 0.150 * scale, x - 0.134 * scale, foot - 0.108 * scale,
        0.026 * scale,
    )  # fmt: skip
    canvas.paint(canvas.inside(head), face, subject=True)


def paint_whale(
    canvas: Canvas, light: Light, x: float, foot: float, scale: float, body: RGB
) -> None:
    """A whale at the surface: a back that falls to the tail, raised flukes and a spout."""
    u, v = (canvas.x - x) / scale, (canvas.y - foot) / scale
    back = np.hypot((u + 0.045) / 1.30, v + 0.012) - np.float32(0.108)
    stem = canvas.capsule(
        x + 0.06 * scale, foot - 0.03 * scale, x + 0.165 * scale, foot - 0.075 * scale,
        0.026 * scale,
    )  # fmt: skip
    flukes = np.minimum(
        canvas.capsule(x + 0.168 * scale, foot - 0.088 * scale, x + 0.128 * scale,
                       foot - 0.150 * scale, 0.019 * scale),
        canvas.capsule(x + 0.172 * scale, foot - 0.088 * scale, x + 0.216 * scale,
                       foot - 0.142 * scale, 0.019 * scale),
    )  # fmt: skip
    whole = np.minimum(np.minimum(back * scale, stem), flukes)
    afloat = np.maximum(whole, canvas.y - foot).astype(np.float32)
    canvas.paint(canvas.inside(afloat), body, subject=True)
    belly = np.maximum(afloat, (foot - 0.022 * scale - 0.10 * (canvas.x - x)) - canvas.y)
    pale = lit(_BELLY, light.thing_tint)
    canvas.paint(canvas.inside(np.maximum(belly, canvas.x - x - 0.02).astype(np.float32)), pale)
    eye = canvas.disc(x - 0.130 * scale, foot - 0.052 * scale, 0.010 * scale)
    canvas.paint(canvas.inside(eye), lit(_FACE, light.thing_tint))
    for lean in (-1.0, 1.0):
        spout = canvas.capsule(
            x - 0.062 * scale, foot - 0.125 * scale,
            x + (-0.062 + 0.036 * lean) * scale, foot - 0.205 * scale, 0.009 * scale,
        )  # fmt: skip
        canvas.paint(canvas.inside(spout) * 0.85, lit(_SPRAY, light.thing_tint), subject=True)
