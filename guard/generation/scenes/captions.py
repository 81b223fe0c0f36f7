"""Scenes in free English: several words, orders and plurals for each fact, and some facts unsaid.

What is left out follows a person's habits: an unsaid time is mostly day, an unsaid backdrop mostly
none, an unsaid place mostly the middle. `Caption.said` names the facts that the text does state.
"""

from __future__ import annotations

import random
from typing import Final, Literal, NamedTuple

from guard.generation.scenes.spec import (
    Backdrop,
    Colour,
    Ground,
    Landscape,
    Place,
    Scene,
    ShapeKind,
    Size,
    StillLife,
    Style,
    Thing,
    ThingKind,
    Time,
    Weather,
)

Fact = Literal[
    "time", "ground", "backdrop", "body", "clouds", "weather", "style",
    "things", "place", "colour", "size",
]  # fmt: skip

MAX_TOKENS: Final = 32  # the text encoder's window, start and end marks included

_TIMES: Final[dict[Time, tuple[str, ...]]] = {
    "day": (
        "on a sunny day",
        "by day",
        "in daylight",
        "under a blue sky",
        "at noon",
        "during the day",
        "in the afternoon",
        "in bright sunshine",
    ),
    "sunset": (
        "at sunset",
        "in the evening",
        "at dusk",
        "under a sunset sky",
        "as the sun goes down",
        "in the evening light",
        "during sunset",
    ),
    "night": (
        "at night",
        "under the stars",
        "by night",
        "under a starry sky",
        "at midnight",
        "in the dark",
        "beneath the night sky",
    ),
    "dawn": (
        "at dawn",
        "at sunrise",
        "in the early morning",
        "on a misty morning",
        "in the morning light",
        "at daybreak",
    ),
}
_TIME_ADJECTIVES: Final[dict[Time, tuple[str, ...]]] = {
    "day": ("sunny", "bright"),
    "sunset": ("sunset",),
    "night": ("starry", "night"),
    "dawn": ("misty", "dawn"),
}
_GROUNDS: Final[dict[Ground, tuple[str, ...]]] = {
    "sea": ("the sea", "the ocean", "a calm sea", "the water", "open water", "a blue sea"),
    "meadow": (
        "a meadow",
        "a green meadow",
        "a green field",
        "a grassy field",
        "a field",
        "the grass",
        "the countryside",
    ),
    "desert": ("a desert", "the desert", "sand dunes", "the sand", "a sandy desert"),
    "snow": (
        "a snowy field",
        "the snow",
        "a winter landscape",
        "a snowy landscape",
        "a snowy plain",
        "snow",
    ),
}
_IN_GROUND: Final[dict[Ground, tuple[str, ...]]] = {
    "sea": ("on", "on", "in"),
    "meadow": ("in", "in", "on"),
    "desert": ("in", "in", "on"),
    "snow": ("in", "in", "on"),
}
_BACKDROPS: Final[dict[Backdrop, tuple[str, ...]]] = {
    "none": (),
    "mountains": (
        "with mountains",
        "with mountains behind",
        "with mountains in the background",
        "in front of mountains",
        "near the mountains",
        "and mountains in the distance",
        "with snowy mountains",
        "with a mountain",
    ),
    "hills": (
        "with hills",
        "with hills in the distance",
        "with rolling hills",
        "in front of hills",
        "and hills behind",
        "with a hill",
    ),
}
_CLOUDS: Final = ("clouds", "a few clouds", "white clouds", "some clouds", "clouds in the sky")
_SUNS: Final = ("the sun", "a sun", "the sun")
_MOONS: Final = ("the moon", "a moon", "a bright moon")
_THINGS: Final[dict[ThingKind, tuple[str, ...]]] = {
    "house": ("house", "house", "cottage", "cabin", "home"),
    "tree": ("tree", "tree", "leafy tree"),
    "pine": ("pine tree", "pine", "fir tree", "fir", "spruce"),
    "boat": ("boat", "sailboat", "sailing boat", "ship", "yacht"),
    "balloon": ("balloon", "hot air balloon", "hot-air balloon"),
    "lighthouse": ("lighthouse",),
    "horse": ("horse", "horse", "pony"),
    "sheep": ("sheep", "sheep", "lamb"),
    "whale": ("whale",),
}
_WEATHERS: Final[dict[Weather, tuple[str, ...]]] = {
    "clear": (),
    "fog": ("in fog", "in the fog", "in thick fog"),
    "rain": ("in the rain", "in rain", "while it rains", "with rain"),
    "snowfall": ("in falling snow", "while it snows", "with falling snow", "with snowflakes"),
    "rainbow": ("with a rainbow", "under a rainbow", "with a rainbow in the sky"),
}
_STYLES_BEFORE: Final[dict[Style, tuple[str, ...]]] = {
    "plain": (),
    "pastel": ("a pastel drawing of", "a pastel of", "a watercolour of"),
    "ink": ("an ink drawing of", "a black and white drawing of", "a black and white picture of"),
    "sepia": ("an old photograph of", "a sepia picture of", "a vintage photo of"),
}
_STYLES_AFTER: Final[dict[Style, tuple[str, ...]]] = {
    "plain": (),
    "pastel": ("in pastel colours", ", pastel", "in pastel"),
    "ink": ("in black and white", ", black and white", "in ink"),
    "sepia": ("in sepia", ", sepia", ", vintage photo"),
}
_TREES: Final[dict[Colour, tuple[str, ...]]] = {
    "orange": ("autumn tree",),
    "pink": ("cherry tree", "blossoming tree"),
}
_PLACES: Final[dict[Place, tuple[str, ...]]] = {
    "left": ("on the left", "to the left", "on the left side"),
    "middle": ("in the middle", "in the centre", "in the center"),
    "right": ("on the right", "to the right", "on the right side"),
}
_SIZES: Final[dict[Size, tuple[str, ...]]] = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big"),
}
_OPENINGS: Final = (
    "a picture of",
    "an illustration of",
    "a drawing of",
    "a painting of",
    "a photo of",
    "an image of",
    "draw",
    "show me",
)
_SHAPES: Final[dict[ShapeKind, tuple[str, ...]]] = {
    "circle": ("circle", "circle", "disc", "ball"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "ring": ("ring", "ring", "donut"),
}
_COUNTS: Final[dict[int, str]] = {2: "two", 3: "three"}


class Caption(NamedTuple):
    """A prompt for a scene, and which of its facts the prompt states."""

    text: str
    said: frozenset[Fact]


def caption(scene: Scene, rng: random.Random) -> Caption:
    """Put a scene into words; another draw of `rng` gives other words."""
    if isinstance(scene, Landscape):
        text, said = _landscape(scene, rng)
    else:
        text, said = _still_life(scene, rng)
    style = scene.style if isinstance(scene, Landscape) else "plain"
    if style != "plain":
        text = _in_style(text, style, rng)
        said.add("style")
    elif rng.random() < 0.12:
        text = f"{rng.choice(_OPENINGS)} {text}"
    return Caption(text, frozenset(said))


def _in_style(text: str, style: Style, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"{rng.choice(_STYLES_BEFORE[style])} {text}"
    return f"{text} {rng.choice(_STYLES_AFTER[style])}".replace(" ,", ",")


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _plural(noun: str) -> str:
    if noun.endswith("sheep"):
        return noun
    return noun.replace("box", "boxe").replace("pony", "ponie") + "s"


def _landscape(scene: Landscape, rng: random.Random) -> tuple[str, set[Fact]]:
    said: set[Fact] = set()
    time = rng.choice(_TIMES[scene.time])
    says_time = rng.random() < (0.55 if scene.time == "day" else 0.92)
    usual = scene.ground in ("sea", "meadow")  # what a boat or a house without a ground stands on
    says_ground = not scene.things or rng.random() < (0.75 if usual else 0.97)
    subject = _subject(scene, rng, says_ground, said)
    if says_ground:
        said.add("ground")
    if scene.backdrop != "none" and rng.random() < 0.92:
        subject += f" {rng.choice(_BACKDROPS[scene.backdrop])}"
        said.add("backdrop")
    if scene.weather != "clear" and rng.random() < 0.95:
        subject += f" {rng.choice(_WEATHERS[scene.weather])}"
        said.add("weather")
    extras = _sky(scene, rng, said)
    if says_time:
        said.add("time")
        form = rng.random()
        if form < 0.2:
            subject = f"{time}, {subject}" if form < 0.14 else f"{subject}, {time}"
        else:
            subject = f"{subject} {time}"
    if extras:
        joined = " and ".join(extras)
        subject += f", {joined}" if rng.random() < 0.5 else f" with {joined}"
    return subject, said


def _subject(scene: Landscape, rng: random.Random, says_ground: bool, said: set[Fact]) -> str:
    ground = rng.choice(_GROUNDS[scene.ground])
    if not scene.things:
        if "time" not in said and rng.random() < 0.12:
            adjective = rng.choice(_TIME_ADJECTIVES[scene.time])
            said.add("time")
            noun = "snow field" if scene.ground == "snow" else scene.ground
            return _article(f"{adjective} {noun}")
        return ground
    said.add("things")
    first = scene.things[0]
    if len(scene.things) == 2 and scene.things[0].kind == scene.things[1].kind:
        text = f"two {_plural(_named(first, rng, said, plain=True))}"
    elif len(scene.things) == 2:
        second = scene.things[1]
        if rng.random() < 0.5:  # which is named first tells nothing on where it stands
            first, second = second, first
        text = f"{_article(_named(first, rng, said))}"
        other = _article(_named(second, rng, said))
        if rng.random() < 0.7:
            text += f" {rng.choice(_PLACES[first.place])} and {other}"
            text += f" {rng.choice(_PLACES[second.place])}"
            said.add("place")
        else:
            text += f" and {other}"
    else:
        text = _article(_named(first, rng, said))
        if first.kind == "boat" and first.colour is not None and rng.random() < 0.2:
            plain = rng.choice(_THINGS["boat"])
            text = f"a {plain} with {rng.choice(('red sails', 'a red sail'))}".replace(
                "red", first.colour
            )
            said.add("colour")
        if rng.random() < (0.3 if first.place == "middle" else 0.88):
            text += f" {rng.choice(_PLACES[first.place])}"
            said.add("place")
    if says_ground:
        if first.kind == "balloon":
            text += f" {rng.choice(('over', 'above', 'flying over'))} {ground}"
        elif first.kind == "lighthouse" and scene.ground == "sea" and rng.random() < 0.5:
            text += f" {rng.choice(('by', 'at', 'near'))} {rng.choice(('the sea', 'the ocean'))}"
        else:
            text += f" {rng.choice(_IN_GROUND[scene.ground])} {ground}"
    return text


def _named(thing: Thing, rng: random.Random, said: set[Fact], *, plain: bool = False) -> str:
    """A thing's noun with its adjectives, without an article."""
    noun = rng.choice(_THINGS[thing.kind])
    words = [noun]
    if thing.colour is not None:
        if thing.kind == "tree" and thing.colour in _TREES and not plain and rng.random() < 0.3:
            words = [rng.choice(_TREES[thing.colour])]
            said.add("colour")
        elif thing.kind == "tree" and thing.colour == "green" and rng.random() < 0.5:
            pass  # a tree is green unless something else is said
        elif rng.random() < 0.92:
            words.insert(0, thing.colour)
            said.add("colour")
    if rng.random() < 0.35:
        words.insert(0, rng.choice(_SIZES[thing.size]))
        said.add("size")
    return " ".join(words)


def _sky(scene: Landscape, rng: random.Random, said: set[Fact]) -> list[str]:
    extras = []
    if scene.body is not None and rng.random() < 0.88:
        name = rng.choice(_MOONS if scene.time == "night" else _SUNS)
        if rng.random() < 0.6:
            name += f" {rng.choice(_PLACES[scene.body])}"
        extras.append(name)
        said.add("body")
    if scene.clouds and rng.random() < 0.9:
        extras.append(rng.choice(_CLOUDS))
        said.add("clouds")
    rng.shuffle(extras)
    return extras


def _still_life(scene: StillLife, rng: random.Random) -> tuple[str, set[Fact]]:
    said: set[Fact] = {"things", "colour", "ground"}
    first = scene.shapes[0]
    size = ""
    if rng.random() < 0.55 and scene.arrangement != "row":
        size = rng.choice(_SIZES[scene.size]) + " "
        said.add("size")

    def name(index: int) -> str:
        shape = scene.shapes[index]
        return _article(f"{size}{shape.colour} {rng.choice(_SHAPES[shape.kind])}")

    if scene.arrangement == "row":
        noun = _plural(rng.choice(_SHAPES[first.kind]))
        text = f"{_COUNTS[len(scene.shapes)]} {first.colour} {noun}"
        if rng.random() < 0.3:
            text += rng.choice((" in a row", " side by side"))
    elif scene.arrangement == "beside":
        said.add("place")
        if rng.random() < 0.6:
            beside = ("to the left of", "left of", "on the left of")
            text = f"{name(0)} {rng.choice(beside)} {name(1)}"
        elif rng.random() < 0.5:
            text = f"{name(1)} {rng.choice(('to the right of', 'right of'))} {name(0)}"
        else:
            text = f"{name(0)} on the left and {name(1)} on the right"
    elif scene.arrangement == "above":
        said.add("place")
        if rng.random() < 0.6:
            text = f"{name(0)} {rng.choice(('above', 'over', 'on top of'))} {name(1)}"
        else:
            text = f"{name(1)} {rng.choice(('below', 'under', 'beneath'))} {name(0)}"
    else:
        text = name(0)
        if rng.random() < (0.5 if scene.arrangement == "middle" else 0.9):
            text += f" {rng.choice(_PLACES[scene.arrangement])}"
            said.add("place")
    ground = scene.background
    form = rng.random()
    if form < 0.7:
        text += f" on {_article(f'{ground} background')}"
    elif form < 0.85:
        text += f", {ground} background"
    else:
        text += f" on {ground}"
    return text, said
