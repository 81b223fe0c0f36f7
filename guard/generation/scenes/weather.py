"""What lies over a landscape: fog, rain, falling snow, a rainbow; and styles of a whole picture.

Flakes stand on the grid of the latent's cells, as everything does that is to be learnt.
"""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from guard.generation.scenes.canvas import CELL, Canvas, mix
from guard.generation.scenes.palette import RGB, Light
from guard.generation.scenes.spec import Style

_BOW: Final[tuple[RGB, ...]] = (  # from the outer edge inwards
    (0.90, 0.20, 0.20),
    (0.98, 0.88, 0.25),
    (0.25, 0.70, 0.35),
    (0.22, 0.42, 0.88),
    (0.55, 0.28, 0.72),
)
_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
_PAPER: Final = np.array([0.97, 0.96, 0.93], np.float32)
_SEPIA_DARK: Final = (0.22, 0.13, 0.06)
_SEPIA_PALE: Final = (0.97, 0.89, 0.72)
SEPIA_MIDDLE: Final[RGB] = (0.60, 0.51, 0.39)


def paint_rainbow(canvas: Canvas, horizon: float) -> None:
    """An arc of five bands across the sky, its foot behind the horizon."""
    away = np.hypot(canvas.x - canvas.width / 2, canvas.y - horizon - CELL)
    band = CELL * 0.5
    for place, colour in enumerate(_BOW):
        radius = canvas.width * 0.42 - place * band
        arc = np.abs(away - radius) - band * 0.5
        canvas.paint(canvas.inside(arc.astype(np.float32)) * 0.62, colour)


def paint_fog(canvas: Canvas, light: Light, horizon: float) -> None:
    """Fog that swallows ridges and the far ground; what stands near is painted over it."""
    above = np.exp(-((np.clip(horizon - canvas.y, 0.0, None) / 0.26) ** 2))
    below = np.exp(-((np.clip(canvas.y - horizon, 0.0, None) / 0.16) ** 2))
    density = 0.88 * np.where(canvas.y < horizon, above, below)
    canvas.paint(density.astype(np.float32), mix(light.horizon, light.cloud, 0.35))


def paint_rain(canvas: Canvas, light: Light) -> None:
    """Slanting sheets of rain behind what stands near, wide enough for the latent to carry them."""
    depth = canvas.y / canvas.height
    fade = np.clip(np.minimum(depth / 0.22, (1.0 - depth) / 0.22) - 0.3, 0.0, 1.0)
    across = canvas.x + 0.32 * canvas.y
    sheets = 0.5 + 0.5 * np.cos(2 * np.pi * across / (2 * CELL))
    gusts = 0.5 + 0.5 * np.cos(2 * np.pi * (across / (5 * CELL) - canvas.y / (12 * CELL)))
    veil = 0.55 * fade * sheets**2 * (0.35 + 0.65 * gusts)
    canvas.paint(veil.astype(np.float32), mix(light.horizon, (1.0, 1.0, 1.0), 0.25))


def paint_snowfall(canvas: Canvas, seed: int) -> None:
    """A flake in two of nine cells."""
    rng = random.Random(seed + 1)  # noqa: S311  # pictures, not secrets
    for row in range(round(canvas.height / CELL)):
        for column in range(round(canvas.width / CELL)):
            if rng.random() >= 0.22:
                continue
            # On a sample of the proxy, not between samples: the core would learn a smear.
            x = (column + (rng.choice((1, 3)) - 0.5) / 4) * CELL
            y = (row + (rng.choice((1, 3)) - 0.5) / 4) * CELL
            flake = canvas.inside(canvas.disc(x, y, 0.0105))
            canvas.paint(flake * 0.9, (1.0, 1.0, 1.0), subject=True)


def restyle(canvas: Canvas, style: Style) -> None:
    """Turn the whole picture into pastel colours, black ink or a sepia photograph."""
    grey = np.clip(canvas.rgb, 0.0, 1.0) @ _LUMINANCE
    match style:
        case "plain":
            return
        case "pastel":
            muted = 0.75 * canvas.rgb + 0.25 * grey[..., None]
            canvas.rgb[:] = 0.64 * muted + 0.36 * _PAPER
        case "ink":
            firm = np.clip(1.45 * (np.sqrt(grey) - 0.5) + 0.42, 0.0, 1.0)[..., None]
            canvas.rgb[:] = firm * _PAPER
        case "sepia":
            firm = np.clip(1.35 * (np.sqrt(grey) - 0.5) + 0.45, 0.0, 1.0)
            canvas.rgb[:] = mix(_SEPIA_DARK, _SEPIA_PALE, firm.astype(np.float32))
