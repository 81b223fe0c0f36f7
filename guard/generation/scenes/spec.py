"""What a scene is: the facts that a picture shows, as values, and how they are drawn by lot.

Two kinds: a `Landscape` (time, weather, ground, backdrop, sky, up to two things, a style) and a
`StillLife` (coloured shapes on a coloured background). A scene and its seed determine its picture
byte for byte.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal, get_args

Colour = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black"]
Time = Literal["day", "sunset", "night", "dawn"]
Ground = Literal["sea", "meadow", "desert", "snow"]
Backdrop = Literal["none", "mountains", "hills"]
Place = Literal["left", "middle", "right"]
Size = Literal["small", "large"]
Weather = Literal["clear", "fog", "rain", "snowfall", "rainbow"]
Style = Literal["plain", "pastel", "ink", "sepia"]
ThingKind = Literal[
    "house", "tree", "pine", "boat", "balloon", "lighthouse", "horse", "sheep", "whale"
]
ShapeKind = Literal["circle", "square", "triangle", "star", "ring"]
Arrangement = Literal["left", "middle", "right", "beside", "above", "row"]

COLOURS: Final[tuple[Colour, ...]] = get_args(Colour)
TIMES: Final[tuple[Time, ...]] = get_args(Time)
GROUNDS: Final[tuple[Ground, ...]] = get_args(Ground)
BACKDROPS: Final[tuple[Backdrop, ...]] = get_args(Backdrop)
WEATHERS: Final[tuple[Weather, ...]] = get_args(Weather)
STYLES: Final[tuple[Style, ...]] = get_args(Style)
PLACES: Final[tuple[Place, ...]] = get_args(Place)
THINGS: Final[tuple[ThingKind, ...]] = get_args(ThingKind)
SHAPES: Final[tuple[ShapeKind, ...]] = get_args(ShapeKind)

TREE_COLOURS: Final[tuple[Colour, ...]] = ("green", "orange", "pink", "red", "yellow", "white")
# A black thing in a night scene cannot be told from its surroundings.
THING_COLOURS: Final[tuple[Colour, ...]] = tuple(c for c in COLOURS if c != "black")

# Pairs that training never shows, so that the evaluation can ask whether colour and outline
# were learnt apart from each other.
HELD_OUT: Final[frozenset[tuple[str, Colour]]] = frozenset(
    {
        ("house", "purple"),
        ("boat", "green"),
        ("balloon", "orange"),
        ("lighthouse", "blue"),
        ("tree", "red"),
        ("horse", "pink"),
        ("sheep", "blue"),
        ("whale", "orange"),
        ("circle", "green"),
        ("square", "pink"),
        ("triangle", "purple"),
        ("star", "black"),
        ("ring", "orange"),
    }
)

LANDSCAPE_SHARE: Final = 0.7  # of all scenes; the rest are still lifes
_SEED_LIMIT: Final = 2**31


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands in a landscape. A pine has no colour of its own: it is always green."""

    kind: ThingKind
    colour: Colour | None
    place: Place
    size: Size


@dataclass(frozen=True, slots=True)
class Landscape:
    time: Time
    ground: Ground
    backdrop: Backdrop
    body: Place | None  # where sun or moon stands; None: not in the picture
    clouds: bool
    things: tuple[Thing, ...]  # at most two, then left and right
    seed: int
    weather: Weather = "clear"
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Shape:
    kind: ShapeKind
    colour: Colour


@dataclass(frozen=True, slots=True)
class StillLife:
    """One shape at a place, two beside or above each other, or two to three equal ones in a row."""

    background: Colour
    shapes: tuple[Shape, ...]
    arrangement: Arrangement
    size: Size
    seed: int


Scene = Landscape | StillLife


def pairs_of(scene: Scene) -> set[tuple[str, Colour]]:
    """The (outline, colour) pairs that a scene shows; pines, which have one colour, left out."""
    shown = scene.things if isinstance(scene, Landscape) else scene.shapes
    return {(item.kind, item.colour) for item in shown if item.colour is not None}


def is_held_out(scene: Scene) -> bool:
    """Whether the scene shows a pair that training must not see."""
    return not HELD_OUT.isdisjoint(pairs_of(scene))


def draw_scene(rng: random.Random, *, held_out: bool = False) -> Scene:
    """Draw a scene by lot: one that training may see, or (`held_out`) one that it may not."""
    while True:
        drawn: Scene
        drawn = draw_landscape(rng) if rng.random() < LANDSCAPE_SHARE else draw_still_life(rng)
        if is_held_out(drawn) == held_out:
            return drawn


def draw_landscape(rng: random.Random) -> Landscape:
    """Draw a landscape; what goes unsaid (day, clear weather, no style) is the most common."""
    ground = rng.choice(GROUNDS)
    count = rng.choices((0, 1, 2), weights=(6, 62, 32))[0]
    # Two things stand left and right: neighbouring places would let them overlap.
    places: list[Place] = ["left", "right"] if count == 2 else [rng.choice(PLACES)][:count]
    things = [_draw_thing(rng, ground, place) for place in places]
    if count == 2 and (things[0].kind == things[1].kind or "balloon" in {t.kind for t in things}):
        # Two of a kind look alike; a balloon hangs where the other's top may be, so it goes alone.
        twin = things[0].kind != "balloon"
        things = [things[0], _twin(things[0], places[1])] if twin else things[:1]
    time = rng.choices(TIMES, weights=(2, 1, 1, 1))[0]
    # There is no rainbow at night.
    shares = (66, 9, 9, 9, 0 if time == "night" else 7)
    return Landscape(
        time=time,
        ground=ground,
        backdrop=rng.choices(BACKDROPS, weights=(4, 3, 3))[0],
        body=rng.choices((None, "left", "right", "middle"), weights=(4, 3, 3, 1))[0],
        clouds=rng.random() < 0.35,
        things=tuple(things),
        seed=rng.randrange(_SEED_LIMIT),
        weather=rng.choices(WEATHERS, weights=shares)[0],
        style=rng.choices(STYLES, weights=(82, 6, 6, 6))[0],
    )


_KINDS_ON: Final[dict[Ground, tuple[ThingKind, ...]]] = {
    "sea": ("boat", "boat", "boat", "whale", "whale", "whale", "balloon", "lighthouse"),
    "meadow": ("house", "tree", "pine", "balloon", "lighthouse", "horse", "sheep"),
    "desert": ("house", "tree", "pine", "balloon", "lighthouse", "horse", "horse"),
    "snow": ("house", "tree", "pine", "balloon", "lighthouse", "horse", "sheep"),
}


def _draw_thing(rng: random.Random, ground: Ground, place: Place) -> Thing:
    kind = rng.choice(_KINDS_ON[ground])
    colour: Colour | None
    if kind == "pine":
        colour = None
    elif kind == "tree":
        colour = rng.choice(TREE_COLOURS)
    else:
        colour = rng.choice(THING_COLOURS)
    return Thing(kind, colour, place, rng.choice(("small", "large")))


def _twin(thing: Thing, place: Place) -> Thing:
    return Thing(thing.kind, thing.colour, place, thing.size)


def draw_still_life(rng: random.Random) -> StillLife:
    """Draw a still life: one shape, two unlike ones, or a row of two to three like ones."""
    background = rng.choice(COLOURS)
    others: list[Colour] = [c for c in COLOURS if c != background]
    rng.shuffle(others)
    form = rng.choices(("one", "two", "row"), weights=(45, 40, 15))[0]
    arrangement: Arrangement
    if form == "one":
        shapes = [Shape(rng.choice(SHAPES), others[0])]
        arrangement = rng.choice(PLACES)
    elif form == "two":
        shapes = [Shape(rng.choice(SHAPES), others[0]), Shape(rng.choice(SHAPES), others[1])]
        arrangement = rng.choice(("beside", "above"))
    else:
        shapes = [Shape(rng.choice(SHAPES), others[0])] * rng.choice((2, 3))
        arrangement = "row"
    size: Size = rng.choice(("small", "large"))
    return StillLife(background, tuple(shapes), arrangement, size, rng.randrange(_SEED_LIMIT))
