"""What happens to a picture after it was marked, in the rows that recovery is stated for.

An attack is a pure function ``attack(image, rng) -> image`` on (H, W, 3) uint8 RGB; each draws its
parameters from the stated range, and crops lie anywhere, not in the middle.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import cv2
import numpy as np
from PIL import Image

from provenance.picture import Format, Pixels, decode, encode

Attack = Callable[[Pixels, np.random.Generator], Pixels]

_SMOOTHING: Final = (  # how programs reduce a picture; all of these average, none skips pixels
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


class Row(NamedTuple):
    """Attacks that share a target: the least share of pictures whose whole payload comes back."""

    name: str
    target: float | None
    attacks: dict[str, Attack]


def bytes_of(values: np.ndarray) -> Pixels:
    """Rounded and cut off to 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def resized(image: Pixels, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """To a size in pixels, by one of the usual filters."""
    method = _SMOOTHING[int(rng.integers(len(_SMOOTHING)))]
    if width > image.shape[1] and method is Image.Resampling.BOX:  # nobody enlarges by blocks
        method = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(image).resize((width, height), method))


def scaled(image: Pixels, factor: float, rng: np.random.Generator) -> Pixels:
    """By ``factor`` on both sides."""
    height, width = image.shape[:2]
    return resized(image, max(1, round(width * factor)), max(1, round(height * factor)), rng)


def compressed(format: Format, low: int, high: int | None = None) -> Attack:
    """Through JPEG or WebP at a quality from ``low`` to ``high``."""

    def attack(image: Pixels, rng: np.random.Generator) -> Pixels:
        quality = int(rng.integers(low, (high or low) + 1))
        return decode(encode(image, format, quality=quality)).pixels

    return attack


def unchanged(image: Pixels, _: np.random.Generator) -> Pixels:
    return image


def flip(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Left to right, top to bottom, or both."""
    return np.ascontiguousarray((image[:, ::-1], image[::-1], image[::-1, ::-1])[rng.integers(3)])


def brightness(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Times 0.6 to 1.4."""
    return bytes_of(image * rng.uniform(0.6, 1.4))


def contrast(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Times 0.6 to 1.4 about the mean."""
    mean = image.mean()
    return bytes_of((image - mean) * rng.uniform(0.6, 1.4) + mean)


def gamma(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Exponent 0.65 to 1.5."""
    return bytes_of(255.0 * (image / 255.0) ** rng.uniform(0.65, 1.5))


def _hsv(image: Pixels, saturation: float, hue: float) -> Pixels:
    values = cv2.cvtColor(image.astype(np.float32) / 255.0, cv2.COLOR_RGB2HSV)
    values[..., 1] = np.clip(values[..., 1] * saturation, 0.0, 1.0)
    values[..., 0] = (values[..., 0] + hue) % 360.0
    return bytes_of(cv2.cvtColor(values, cv2.COLOR_HSV2RGB) * 255.0)


def saturation(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Times 0 (grey) to 2."""
    return _hsv(image, rng.uniform(0.0, 2.0), 0.0)


def hue(image: Pixels, rng: np.random.Generator) -> Pixels:
    """By up to 30 degrees either way."""
    return _hsv(image, 1.0, rng.uniform(-30.0, 30.0))


def noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Normal, of a deviation of 1 to 20 levels, in each channel of its own."""
    return bytes_of(image + rng.normal(0.0, rng.uniform(1.0, 20.0), image.shape))


def social(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Scaled to 0.7, JPEG 70."""
    return compressed("jpeg", 70)(scaled(image, 0.7, rng), rng)


def turned(image: Pixels, degrees: float, canvas: str, rng: np.random.Generator) -> Pixels:
    """Rotated counter-clockwise; ``canvas``: "kept" (corners are lost), "expanded" or "inside"
    (cut to the largest rectangle that shows no border)."""
    height, width = image.shape[:2]
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    fill = tuple(int(v) for v in (rng.choice([0, 255]) * np.ones(3)))
    out_w, out_h = width, height
    if canvas == "expanded":
        out_w, out_h = round(width * cos + height * sin), round(width * sin + height * cos)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += ((out_w - width) / 2, (out_h - height) / 2)
    method = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[int(rng.integers(3))]
    out = cv2.warpAffine(image, matrix, (out_w, out_h), flags=method, borderValue=fill)
    if canvas != "inside":
        return out
    in_w, in_h = _inner_rectangle(width, height, cos, sin)
    left, top = (width - in_w) // 2, (height - in_h) // 2
    return np.ascontiguousarray(out[max(top, 0) : top + in_h, max(left, 0) : left + in_w])


def _inner_rectangle(width: int, height: int, cos: float, sin: float) -> tuple[int, int]:
    """The largest upright rectangle in a turned one, no wider or higher than it was unturned."""
    long, short = max(width, height), min(width, height)
    if short <= 2.0 * sin * cos * long or abs(sin - cos) < 1e-9:  # two corners on the long sides
        half = 0.5 * short
        pair = (half / sin, half / cos) if width >= height else (half / cos, half / sin)
    else:
        both = cos * cos - sin * sin
        pair = ((width * cos - height * sin) / both, (height * cos - width * sin) / both)
    return min(width, int(pair[0]) - 2), min(height, int(pair[1]) - 2)


def rotation(canvas: str) -> Attack:
    """By any angle."""
    return lambda image, rng: turned(image, rng.uniform(0.0, 360.0), canvas, rng)


def quarter_turn(image: Pixels, rng: np.random.Generator) -> Pixels:
    """90, 180 or 270 degrees, half of them mirrored."""
    out = np.rot90(image, int(rng.integers(1, 4)))
    return np.ascontiguousarray(out[:, ::-1] if rng.random() < 0.5 else out)


def crop(low: float, high: float, rescaled: bool) -> Attack:
    """Anywhere, keeping ``low`` to ``high`` of the area, its aspect changed by up to 25 %.

    ``rescaled``: enlarged to the longer side that the picture had.
    """

    def attack(image: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        share = rng.uniform(low, high)
        stretch = rng.uniform(0.8, 1.25) ** 0.5
        wide = min(1.0, max(share, share**0.5 * stretch))
        out_w, out_h = round(width * wide), round(height * share / wide)
        left, top = int(rng.integers(width - out_w + 1)), int(rng.integers(height - out_h + 1))
        part = np.ascontiguousarray(image[top : top + out_h, left : left + out_w])
        return scaled(part, max(width, height) / max(out_w, out_h), rng) if rescaled else part

    return attack


def screenshot(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Up to 8 % cut off each side, scaled to 0.6..1.3, on half of them a frame, JPEG 60."""
    height, width = image.shape[:2]
    left, right, top, bottom = rng.uniform(0.0, 0.08, 4)
    part = image[round(height * top) : height - round(height * bottom)]
    part = part[:, round(width * left) : width - round(width * right)]
    part = scaled(np.ascontiguousarray(part), rng.uniform(0.6, 1.3), rng)
    if rng.random() < 0.5:
        margins = [int(m) for m in rng.integers(0, 60, 4)]  # pixels
        colour = [int(v) for v in rng.integers(0, 256, 3)]
        part = cv2.copyMakeBorder(part, *margins, cv2.BORDER_CONSTANT, value=colour)
    return compressed("jpeg", 60)(part, rng)


def perspective_by(strength: float) -> Attack:
    """Each corner moved by up to ``strength`` of the sides; what leaves the frame is lost."""

    def attack(image: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        moved = corners + rng.uniform(-strength, strength, (4, 2)) * (width, height)
        matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
        return cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )

    return attack


def print_scan(image: Pixels, rng: np.random.Generator) -> Pixels:
    """As a scanner sees a print: askew by up to 3 degrees, out of square by 1 %, scaled to
    0.8..1.25, blurred, flatter, a colour cast, grain, JPEG 80."""
    out = turned(image, rng.uniform(-3.0, 3.0), "inside", rng)
    out = scaled(perspective_by(0.01)(out, rng), rng.uniform(0.8, 1.25), rng)
    values = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 0.8)).astype(np.float64)
    values = 255.0 * (values / 255.0) ** rng.uniform(0.9, 1.15)
    values = (values - 128.0) * rng.uniform(0.8, 1.0) + 128.0
    values = values * rng.uniform(0.95, 1.05, 3) + rng.normal(0.0, rng.uniform(1, 4), out.shape)
    return compressed("jpeg", 80)(bytes_of(values), rng)


def aspect(image: Pixels, rng: np.random.Generator) -> Pixels:
    """One side scaled to 0.9..1.1."""
    height, width = image.shape[:2]
    factor = rng.uniform(0.9, 1.1)
    if rng.random() < 0.5:
        return resized(image, round(width * factor), height, rng)
    return resized(image, width, round(height * factor), rng)


def quartered(back: bool) -> Attack:
    """Scaled to 0.25, and ``back`` to the size it had."""

    def attack(image: Pixels, rng: np.random.Generator) -> Pixels:
        small = scaled(image, 0.25, rng)
        return resized(small, image.shape[1], image.shape[0], rng) if back else small

    return attack


def chain(*attacks: Attack) -> Attack:
    """One after the other."""

    def attack(image: Pixels, rng: np.random.Generator) -> Pixels:
        for each in attacks:
            image = each(image, rng)
        return image

    return attack


ROWS: Final = (
    Row(
        "clean, JPEG 50-95, flips, colours, noise",
        0.995,
        {
            "clean": unchanged,
            "JPEG 50-95": compressed("jpeg", 50, 95),
            "JPEG 50": compressed("jpeg", 50),
            "flip": flip,
            "brightness x0.6-1.4": brightness,
            "contrast x0.6-1.4": contrast,
            "gamma 0.65-1.5": gamma,
            "saturation x0-2": saturation,
            "hue by 30 degrees": hue,
            "noise, sigma 1-20": noise,
        },
    ),
    Row(
        "JPEG 30, social media",
        0.99,
        {"JPEG 30": compressed("jpeg", 30), "resize .7, JPEG 70": social},
    ),
    Row(
        "any rotation, crop to 50-100 %",
        0.98,
        {
            "rotation, cut to the inside": rotation("inside"),
            "rotation, canvas kept": rotation("kept"),
            "rotation, canvas expanded": rotation("expanded"),
            "quarter turn": quarter_turn,
            "crop to 50-100 %": crop(0.5, 1.0, rescaled=False),
            "crop to 50-100 %, rescaled": crop(0.5, 1.0, rescaled=True),
        },
    ),
    Row(
        "crop to 25-50 %, screenshot, print and scan, perspective, aspect",
        0.95,
        {
            "crop to 25-50 %": crop(0.25, 0.5, rescaled=False),
            "crop to 25-50 %, rescaled": crop(0.25, 0.5, rescaled=True),
            "crop to 25 %": crop(0.25, 0.25, rescaled=False),
            "screenshot": screenshot,
            "print and scan": print_scan,
            "perspective by 3 %": perspective_by(0.03),
            "aspect to 10 %": aspect,
        },
    ),
    Row(
        "WebP 50, resize to .25",
        0.90,
        {
            "WebP 50": compressed("webp", 50),
            "resize .25": quartered(back=False),
            "resize .25 and back": quartered(back=True),
        },
    ),
    Row("JPEG 10", 0.50, {"JPEG 10": compressed("jpeg", 10)}),
    Row(
        "several at once (no target)",
        None,
        {
            "crop 50-100 %, JPEG 60-90": chain(crop(0.5, 1.0, True), compressed("jpeg", 60, 90)),
            "rotation, JPEG 60-90": chain(rotation("inside"), compressed("jpeg", 60, 90)),
            "flip, aspect, JPEG 60-90": chain(flip, aspect, compressed("jpeg", 60, 90)),
            "brightness, noise, JPEG 70": chain(brightness, noise, compressed("jpeg", 70)),
            "social media twice": chain(social, social),
            "screenshot, turned": chain(screenshot, rotation("kept")),
        },
    ),
)
