"""Does a picture show what its prompt says? Colours, positions and outlines, with no learned part.

The checker knows the palette, and the outlines of things by templates that go through the same
segmentation as the picture. `evaluate` states how often it is right on true renders: its ceiling.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, NamedTuple

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
    TIMES,
    Colour,
    Ground,
    Landscape,
    Place,
    Scene,
    Shape,
    ShapeKind,
    StillLife,
    Thing,
    ThingKind,
    Time,
)
from provenance.picture import Pixels

Attribute = Literal[
    "time", "ground", "background", "count", "colour", "place", "shape", "binding", "relation"
]
Checks = dict[Attribute, bool]
Mask = NDArray[np.bool_]

SIDE: Final = 128  # pixels on the short side of what is looked at
_TEMPLATE: Final = 32  # pixels on a side of an outline that is compared
_EDGE: Final = 5  # pixels along the border that show a still life's background
_APART: Final = 16.0  # Lab distance from the background at which a shape begins
_STANDS_OUT: Final = 18.0  # Lab distance from its own row at which a thing in a landscape begins
_NEAR: Final = 16.0  # Lab distance up to which a pixel has a thing's colour
_SMALL: Final = 60  # pixels: whatever is smaller is not a thing
_WIDEST: Final = 46  # pixels: no thing is wider, while ridges and dunes are
_LOWEST: Final = 8  # pixels: no thing is lower, while waves and snow caps are
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
    time = time_in(picture)
    if "time" in said:
        checks["time"] = time == scene.time
    if "ground" in said:
        checks["ground"] = ground_in(picture, time) == scene.ground
    if len(scene.things) != 1 or scene.things[0].colour is None or "colour" not in said:
        return checks
    thing = scene.things[0]
    found = thing_in(picture, scene.time)
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
    """What stands in a landscape that has one thing of a colour; None if nothing does."""
    patch = _patch(picture, time)
    if patch is None:
        return None
    rows, columns = np.nonzero(patch.mask)
    return Found(
        _best_match(patch.mask, _thing_templates()),
        patch.colour,
        float(columns.mean() / picture.shape[1]),
        float(rows.mean() / picture.shape[0]),
        int(patch.mask.sum()),
    )


class _Patch(NamedTuple):
    colour: Colour
    mask: Mask


def _patch(picture: NDArray[np.float64], time: Time) -> _Patch | None:
    """The largest patch that has a thing's colour in that light and stands out of its rows."""
    image = lab(picture)
    own_row = np.median(image, axis=1, keepdims=True)
    stands_out = np.linalg.norm(image - own_row, axis=-1) > _STANDS_OUT
    tint = np.array(LIGHTS[time].thing_tint)
    shown = np.stack([lab(np.array(PALETTE[name]) * tint) for name in THING_COLOURS])
    distances = np.linalg.norm(image[:, :, None] - shown, axis=-1)
    nearest = distances.argmin(-1)
    best: _Patch | None = None
    for index, name in enumerate(THING_COLOURS):
        mask = stands_out & (nearest == index) & (distances[..., index] < _NEAR)
        # Closing joins the bands of a lighthouse and the gores of a balloon.
        mask = ndimage.binary_closing(ndimage.binary_opening(mask), iterations=4)
        labels, _ = ndimage.label(mask)
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
            if columns.stop - columns.start > _WIDEST or rows.stop - rows.start < _LOWEST:
                continue  # a ridge, a dune or a wave
            part = labels == number
            # Clouds, snow caps and lanterns are white too: white counts where nothing else does.
            if name == "white" and best is not None:
                continue
            if part.sum() >= max(_SMALL, best.mask.sum() if best else 0):
                best = _Patch(name, part)
    return best


@cache
def _thing_templates() -> tuple[tuple[ThingKind, Mask], ...]:
    templates = []
    kinds: tuple[ThingKind, ...] = ("house", "tree", "boat", "balloon", "lighthouse")
    for kind in kinds:
        for size in ("small", "large"):
            ground: Ground = "sea" if kind == "boat" else "meadow"
            thing = Thing(kind, "red", "middle", size)
            scene = Landscape("day", ground, "none", None, False, (thing,), seed=0)
            patch = _patch(render(scene, SIDE, SIDE).pixels / 255.0, "day")
            assert patch is not None  # noqa: S101  # a red thing by day always stands out
            templates.append((kind, _framed(patch.mask)))
    return tuple(templates)
