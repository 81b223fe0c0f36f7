"""The colours of the scenes, and what the time of day does to them. All are sRGB in 0..1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guard.generation.scenes.spec import Backdrop, Colour, Ground, Time

RGB = tuple[float, float, float]

PALETTE: Final[dict[Colour, RGB]] = {
    "red": (0.84, 0.14, 0.13),
    "orange": (0.96, 0.53, 0.10),
    "yellow": (0.98, 0.84, 0.20),
    "green": (0.17, 0.60, 0.27),
    "blue": (0.14, 0.34, 0.82),
    "purple": (0.52, 0.21, 0.67),
    "pink": (0.97, 0.56, 0.72),
    "white": (0.96, 0.96, 0.95),
    "black": (0.10, 0.10, 0.12),
}


@dataclass(frozen=True, slots=True)
class Light:
    """One time of day: the sky from zenith to horizon, the body in it, and how it tints things."""

    zenith: RGB
    middle: RGB
    horizon: RGB
    body: RGB
    cloud: RGB
    tint: RGB  # multiplies the colour of ground and backdrop
    thing_tint: RGB  # multiplies the colour of things: weaker, so that their colour can be named
    window: RGB


LIGHTS: Final[dict[Time, Light]] = {
    "day": Light(
        zenith=(0.24, 0.52, 0.90),
        middle=(0.50, 0.74, 0.96),
        horizon=(0.80, 0.92, 0.98),
        body=(1.00, 0.93, 0.55),
        cloud=(1.00, 1.00, 1.00),
        tint=(1.00, 1.00, 1.00),
        thing_tint=(1.00, 1.00, 1.00),
        window=(0.36, 0.46, 0.58),
    ),
    "sunset": Light(
        zenith=(0.27, 0.19, 0.48),
        middle=(0.84, 0.38, 0.44),
        horizon=(1.00, 0.72, 0.38),
        body=(1.00, 0.88, 0.56),
        cloud=(0.98, 0.66, 0.58),
        tint=(0.86, 0.66, 0.64),
        thing_tint=(0.94, 0.84, 0.80),
        window=(1.00, 0.86, 0.42),
    ),
    "night": Light(
        zenith=(0.03, 0.04, 0.15),
        middle=(0.07, 0.10, 0.27),
        horizon=(0.15, 0.20, 0.42),
        body=(0.96, 0.95, 0.84),
        cloud=(0.22, 0.26, 0.42),
        tint=(0.36, 0.43, 0.68),
        thing_tint=(0.66, 0.70, 0.86),
        window=(1.00, 0.86, 0.42),
    ),
    "dawn": Light(
        zenith=(0.56, 0.66, 0.86),
        middle=(0.90, 0.78, 0.86),
        horizon=(1.00, 0.90, 0.80),
        body=(1.00, 0.95, 0.80),
        cloud=(1.00, 0.93, 0.93),
        tint=(0.92, 0.87, 0.92),
        thing_tint=(0.98, 0.94, 0.95),
        window=(1.00, 0.88, 0.52),
    ),
}

# Far (at the horizon) and near (at the picture's lower edge), by day.
GROUND_COLOURS: Final[dict[Ground, tuple[RGB, RGB]]] = {
    "sea": ((0.36, 0.68, 0.84), (0.06, 0.28, 0.52)),
    "meadow": ((0.56, 0.76, 0.34), (0.20, 0.50, 0.18)),
    "desert": ((0.97, 0.83, 0.56), (0.84, 0.58, 0.30)),
    "snow": ((0.96, 0.98, 1.00), (0.78, 0.86, 0.96)),
}

# Far and near ridge, by day.
RIDGE_COLOURS: Final[dict[Backdrop, tuple[RGB, RGB]]] = {
    "mountains": ((0.50, 0.55, 0.70), (0.34, 0.39, 0.53)),
    "hills": ((0.50, 0.68, 0.52), (0.34, 0.56, 0.38)),
}
HILLS_ON: Final[dict[Ground, tuple[RGB, RGB]]] = {
    "desert": ((0.88, 0.68, 0.46), (0.76, 0.52, 0.34)),
    "snow": ((0.80, 0.87, 0.95), (0.68, 0.78, 0.90)),
}
