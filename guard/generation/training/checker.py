"""Does a picture show what its prompt says? Colours, positions and outlines, with no learned part.

The checker knows the palette, and the outlines of things by templates that go through the same
segmentation as the picture. `evaluate` states how often it is right on true renders: its ceiling.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from guard.generation.scenes.captions import Fact
from guard.generation.scenes.palette import GROUND_COLOURS, LIGHTS, PALETTE, RGB
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import (
    COLOURS,
    GROUNDS,
    SHAPES,
    THING_COLOURS,
    THINGS,
    TIMES,
    TREE_COLOURS,
    Colour,
    Ground,
    Landscape,
    Place,
    Scene,
    Shape,
    ShapeKind,
    Size,
    StillLife,
    Style,
    Thing,
    ThingKind,
    Time,
)
from guard.generation.scenes.weather import SEPIA_MIDDLE
from provenance.picture import Pixels

Attribute = Literal[
    "time", "ground", "style", "background", "count", "colour", "place", "shape", "binding",
    "pair", "relation",
]  # fmt: skip
Checks = dict[Attribute, bool]
Mask = NDArray[np.bool_]

SIDE: Final = 128  # pixels on the short side of what is looked at
_TEMPLATE: Final = 32  # pixels on a side of an outline that is compared
_EDGE: Final = 5  # pixels along the border that show a still life's background
_APART: Final = 16.0  # Lab distance from the background at which a shape begins
_SMALL: Final = 60  # pixels: whatever is smaller is not a shape
_INK_CHROMA: Final = 4.7  # Lab, on average: the palest pastel has 5.3, ink 4.0
_SEPIA_OFF: Final = 0.26  # of the colour that is off sepia's hue: pastel has 0.35, sepia 0.18
_PASTEL_DARKEST: Final = 0.36  # brightest channel of the darkest pixels
_MISSED_WEIGHT: Final = 4.0  # of what a thing leaves unexplained, against what it explains
_THERE_WEIGHT: Final = 2.0  # the same, where the question is whether there is anything
_DRAWN_SIZES: Final = (0.92, 1.0, 1.09)  # of a thing: hands are not that steady
# Lightness tells less than hue: shading changes it.
_LAB_WEIGHTS: Final = np.array([0.55, 1.0, 1.0])


class Found(NamedTuple):
    """An outline: its best template, its colour, its middle (shares of the sides), its pixels."""

    kind: str
    colour: Colour
    x: float
    y: float
    area: int


def check(scene: Scene, said: frozenset[Fact], pixels: Pixels) -> Checks:
    """Which of the facts that the prompt stated the picture shows; the others are left out."""
    small = _reduce(pixels)
    if isinstance(scene, StillLife):
        return _check_still_life(scene, said, small)
    return _check_landscape(scene, said, small)


def lab(rgb: NDArray[np.floating] | RGB) -> NDArray[np.float64]:
    """sRGB in 0..1 to CIE Lab (D65), weighted for comparing hues under shading."""
    values = np.asarray(rgb, np.float64)
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    plain = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)
    weighted: NDArray[np.float64] = plain * _LAB_WEIGHTS
    return weighted


def _reduce(pixels: Pixels) -> NDArray[np.float64]:
    factor = min(pixels.shape[:2]) // SIDE
    height, width = (side // factor * factor for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    reduced: NDArray[np.float64] = blocks.mean((1, 3)) / 255.0
    return reduced


# --- still lifes ---------------------------------------------------------------------------------


def _check_still_life(
    scene: StillLife, said: frozenset[Fact], picture: NDArray[np.float64]
) -> Checks:
    background, found = shapes_in(picture)
    wanted = sorted((shape.kind, shape.colour) for shape in scene.shapes)
    shown = sorted((f.kind, f.colour) for f in found)
    checks: Checks = {
        "background": background == scene.background,
        "count": len(found) == len(scene.shapes),
        "shape": sorted(f.kind for f in found) == sorted(s.kind for s in scene.shapes),
        "colour": sorted(f.colour for f in found) == sorted(s.colour for s in scene.shapes),
        "binding": shown == [tuple(pair) for pair in wanted],
    }
    if "place" in said and len(found) == len(scene.shapes):
        if scene.arrangement == "beside":
            ordered = sorted(found, key=lambda f: f.x)
            checks["relation"] = [f.colour for f in ordered] == [s.colour for s in scene.shapes]
        elif scene.arrangement == "above":
            ordered = sorted(found, key=lambda f: f.y)
            checks["relation"] = [f.colour for f in ordered] == [s.colour for s in scene.shapes]
        elif len(found) == 1:
            checks["place"] = place_of(found[0].x) == scene.arrangement
    return checks


def shapes_in(picture: NDArray[np.float64]) -> tuple[Colour, list[Found]]:
    """The background's colour, and the shapes on it, the largest first."""
    border = np.concatenate(
        [
            picture[:_EDGE].reshape(-1, 3),
            picture[-_EDGE:].reshape(-1, 3),
            picture[:, :_EDGE].reshape(-1, 3),
            picture[:, -_EDGE:].reshape(-1, 3),
        ]
    )
    ground = np.median(border, 0)
    # Hue alone for most backgrounds, so that a shadow does not count as part of a shape.
    apart = np.linalg.norm(lab(picture) - lab(ground), axis=-1) > _APART
    shadow = _is_shadow(picture, ground)
    mask = ndimage.binary_opening(apart & ~shadow, iterations=1)
    found = [f for f in _components(mask, picture) if f is not None]
    return _nearest(ground, COLOURS), sorted(found, key=lambda f: -f.area)


def _is_shadow(picture: NDArray[np.float64], ground: NDArray[np.float64]) -> Mask:
    """Pixels that are the background, only darker: the same share of each channel is left."""
    share = picture / np.maximum(ground, 0.02)
    mean = share.mean(-1)
    even = np.abs(share - mean[..., None]).max(-1) < 0.10
    shadow: Mask = even & (mean > 0.62) & (mean < 1.12)
    return shadow


def _components(mask: Mask, picture: NDArray[np.float64]) -> list[Found]:
    labels, count = ndimage.label(mask)
    found = []
    for number in range(1, count + 1):
        part = labels == number
        area = int(part.sum())
        if area < _SMALL:
            continue
        core = ndimage.binary_erosion(part, iterations=2)
        colour = np.median(picture[core if core.sum() > _SMALL // 4 else part], 0)
        rows, columns = np.nonzero(part)
        found.append(
            Found(
                _best_match(part, _shape_templates()),
                _nearest(colour, COLOURS),
                float(columns.mean() / picture.shape[1]),
                float(rows.mean() / picture.shape[0]),
                area,
            )
        )
    return found


@cache
def _shape_templates() -> tuple[tuple[ShapeKind, Mask], ...]:
    templates = []
    for kind in SHAPES:
        for size in ("small", "large"):
            scene = StillLife("white", (Shape(kind, "blue"),), "middle", size, seed=0)
            drawn = render(scene, SIDE, SIDE)
            templates.append((kind, _framed(drawn.subject > 0.5)))
    return tuple(templates)


def _framed(mask: Mask) -> Mask:
    """A mask cut to its bounds and brought to the templates' size."""
    rows, columns = np.nonzero(mask)
    cut = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)
    zoomed = ndimage.zoom(cut, (_TEMPLATE / cut.shape[0], _TEMPLATE / cut.shape[1]), order=1)
    framed: Mask = zoomed > 0.5
    return framed


def _best_match(mask: Mask, templates: tuple[tuple[str, Mask], ...]) -> str:
    """The template with the greatest intersection over union."""
    framed = _framed(mask)
    scores = [(framed & other).sum() / (framed | other).sum() for _, other in templates]
    return templates[int(np.argmax(scores))][0]


def _nearest(colour: NDArray[np.float64], among: tuple[Colour, ...]) -> Colour:
    distances = [np.linalg.norm(lab(PALETTE[name]) - lab(colour)) for name in among]
    return among[int(np.argmin(distances))]


def place_of(x: float) -> Place:
    """The third of the picture in which a share of its width lies."""
    return "left" if x < 0.4 else "right" if x > 0.6 else "middle"


# --- landscapes ----------------------------------------------------------------------------------


def _check_landscape(
    scene: Landscape, said: frozenset[Fact], picture: NDArray[np.float64]
) -> Checks:
    checks: Checks = {}
    if scene.style != "plain":
        if "style" in said:
            checks["style"] = style_in(picture) == scene.style
        return checks
    time = time_in(picture)
    if "time" in said:
        checks["time"] = time == scene.time
    if "ground" in said:
        checks["ground"] = ground_in(picture, time) == scene.ground
    if len(scene.things) == 2 and "things" in said:
        shown = sorted(things_in(picture, time, 2), key=lambda thing: thing.x)
        wanted = [thing.kind for thing in scene.things]  # the left one first
        kinds = [thing.kind for thing in shown]
        checks["pair"] = kinds == wanted if "place" in said else sorted(kinds) == sorted(wanted)
    if len(scene.things) != 1 or scene.things[0].colour is None or "colour" not in said:
        return checks
    thing = scene.things[0]
    found = thing_in(picture, time)
    checks["colour"] = found is not None and found.colour == thing.colour
    checks["shape"] = found is not None and found.kind == thing.kind
    checks["binding"] = checks["colour"] and checks["shape"]
    if "place" in said:
        checks["place"] = found is not None and place_of(found.x) == thing.place
    return checks


def time_in(picture: NDArray[np.float64]) -> Time:
    """The time of day, by the colour of the uppermost sky."""
    sky = lab(np.median(picture[: SIDE // 16].reshape(-1, 3), 0))
    return min(TIMES, key=lambda time: float(np.linalg.norm(lab(LIGHTS[time].zenith) - sky)))


def style_in(picture: NDArray[np.float64]) -> Style:
    """The style of a landscape, by how much colour it has and how pale it is at its darkest."""
    image = lab(picture)[..., 1:]
    if float(np.linalg.norm(image, axis=-1).mean()) < _INK_CHROMA:
        return "ink"
    sepia = lab(SEPIA_MIDDLE)[1:]
    sepia /= np.linalg.norm(sepia)
    along = image @ sepia
    off = np.abs(image @ np.array([-sepia[1], sepia[0]]))
    if float(off.mean()) < _SEPIA_OFF * float(along.mean()):
        return "sepia"
    darkest = float(np.percentile(picture.max(-1), 5))
    return "pastel" if darkest > _PASTEL_DARKEST else "plain"


def ground_in(picture: NDArray[np.float64], time: Time) -> Ground:
    """The ground, by the colour of the lowest rows under the light of that time."""
    low = lab(np.median(picture[-SIDE // 12 :].reshape(-1, 3), 0))
    tint = np.array(LIGHTS[time].tint)

    def distance(ground: Ground) -> float:
        far, near = (np.array(colour) * tint for colour in GROUND_COLOURS[ground])
        shown = near if ground == "sea" else 0.38 * far + 0.62 * near
        return float(np.linalg.norm(lab(shown) - low))

    return min(GROUNDS, key=distance)


def thing_in(picture: NDArray[np.float64], time: Time) -> Found | None:
    """What stands out most in a landscape; None if nothing does."""
    found = things_in(picture, time, 1)
    return found[0] if found else None


def things_in(picture: NDArray[np.float64], time: Time, most: int) -> list[Found]:
    """Up to `most` things of a landscape, the one that stands out most first.

    Every thing in every colour and size, lit as at that time, is laid on every place; the one that
    explains most of what stands out of its own rows is what is shown there, if anything is: if it
    explains more than twice what it leaves unexplained.
    """
    image = lab(picture).astype(np.float32)
    own_row = np.median(image, axis=1, keepdims=True)
    found: list[Found] = []
    while len(found) < most:
        placed = _most_explained(image, own_row, time)
        if placed is None:
            break
        thing, covered, mask = placed
        found.append(thing)
        # Where a thing was found there is only its row's ground now.
        np.copyto(image[covered], own_row[covered[0]], where=mask[..., None] > 0)
    return found


def _most_explained(
    image: NDArray[np.float32], own_row: NDArray[np.float32], time: Time
) -> tuple[Found, tuple[slice, slice], NDArray[np.float32]] | None:
    energy = np.square(image - own_row).sum(-1)
    best: tuple[Found, tuple[slice, slice], NDArray[np.float32]] | None = None
    most = -np.inf
    for template in _things(time):
        height, width = template.mask.shape
        if height > image.shape[0] or width > image.shape[1]:
            continue
        standing = cv2.matchTemplate(energy, template.mask, cv2.TM_CCORR)
        missed = cv2.matchTemplate(image, template.lab, cv2.TM_SQDIFF, mask=template.masks)
        explained = standing - _MISSED_WEIGHT * missed
        row, column = np.unravel_index(int(explained.argmax()), explained.shape)
        if explained[row, column] > most:
            most = float(explained[row, column])
            there = float((standing - _THERE_WEIGHT * missed)[row, column]) > 0
            thing = Found(
                template.kind,
                template.colour,
                float((column + width / 2) / image.shape[1]),
                float((row + height / 2) / image.shape[0]),
                int(template.mask.sum()),
            )
            covered = (slice(row, row + height), slice(column, column + width))
            best = (thing, covered, template.mask) if there else None
    return best


class _Thing(NamedTuple):
    """A thing as it is drawn: Lab colours (h, w, 3), its pixels (h, w), and (h, w, 3) again."""

    kind: ThingKind
    colour: Colour
    lab: NDArray[np.float32]
    mask: NDArray[np.float32]
    masks: NDArray[np.float32]


@cache
def _things(time: Time) -> tuple[_Thing, ...]:
    made = []
    sizes: tuple[Size, ...] = ("small", "large")
    for kind, size in itertools.product(THINGS, sizes):
        colours = TREE_COLOURS if kind == "tree" else THING_COLOURS
        ground: Ground = "sea" if kind in ("boat", "whale") else "meadow"
        for colour in colours if kind != "pine" else (None,):
            thing = Thing(kind, colour, "middle", size)
            scene = Landscape(time, ground, "none", None, False, (thing,), seed=0)
            drawn = render(scene, SIDE, SIDE)
            covered = drawn.subject > 0.5
            rows, columns = (np.flatnonzero(covered.any(axis)) for axis in (1, 0))
            cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            shown = lab(drawn.pixels[cut] / 255.0).astype(np.float32), covered[cut]
            made += [_Thing(kind, colour or "green", *_scaled(*shown, by)) for by in _DRAWN_SIZES]
    return tuple(made)


def _scaled(
    colours: NDArray[np.float32], covered: Mask, by: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The Lab colours, the mask and the masks of a thing that is drawn that much larger."""
    size = (round(covered.shape[1] * by), round(covered.shape[0] * by))
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR
    mask = (cv2.resize(covered.astype(np.float32), size, interpolation=way) > 0.5).astype(
        np.float32
    )
    return cv2.resize(colours, size, interpolation=way), mask, np.repeat(mask[..., None], 3, -1)
