"""The checker: right on true renders, and not to be fooled by the wrong picture."""

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.generation.scenes.captions import Fact
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import (
    PLACES,
    STYLES,
    THINGS,
    TIMES,
    WEATHERS,
    Ground,
    Landscape,
    Shape,
    StillLife,
    Style,
    Thing,
    ThingKind,
    Weather,
    draw_still_life,
)
from guard.generation.training.checker import check, style_in
from guard.generation.training.evaluate import wilson
from guard.generation.training.unsteady import unsteady

SAID: frozenset[Fact] = frozenset(get_args(Fact))
SIDE = 128


def test_true_still_lifes_pass_every_check() -> None:
    rng = random.Random(5)
    for _ in range(25):
        scene = draw_still_life(rng)
        assert all(check(scene, SAID, render(scene, SIDE, SIDE).pixels).values()), scene


@pytest.mark.parametrize("weather", WEATHERS)
@pytest.mark.parametrize("kind", [kind for kind in THINGS if kind != "pine"])
def test_true_landscapes_pass_every_check(kind: ThingKind, weather: Weather) -> None:
    ground: Ground = "sea" if kind in ("boat", "whale") else "meadow"
    for place in PLACES:
        thing = Thing(kind, "red", place, "large")
        scene = Landscape("day", ground, "hills", None, True, (thing,), 4, weather)
        checks = check(scene, SAID, render(scene, SIDE, SIDE).pixels)
        assert set(checks) == {"time", "ground", "colour", "place", "shape", "binding"}
        assert all(checks.values()), scene


def test_what_an_unsteady_hand_drew_is_still_told_for_what_it_is() -> None:
    told: list[bool] = []
    for seed, kind in enumerate(kind for kind in THINGS if kind != "pine"):
        ground: Ground = "sea" if kind in ("boat", "whale") else "meadow"
        for time in TIMES:
            thing = Thing(kind, "red", "middle", "large")
            scene = Landscape(time, ground, "none", None, False, (thing,), seed)
            told.append(check(scene, SAID, unsteady(scene, SIDE, seed))["binding"])
    assert sum(told) >= 0.95 * len(told)


def test_swapped_colours_fail_the_binding_and_the_relation_only() -> None:
    asked = StillLife("white", (Shape("star", "red"), Shape("ring", "blue")), "beside", "large", 1)
    drawn = StillLife("white", (Shape("star", "blue"), Shape("ring", "red")), "beside", "large", 1)
    checks = check(asked, SAID, render(drawn, SIDE, SIDE).pixels)
    assert {name for name, right in checks.items() if not right} == {"binding", "relation"}


def test_a_missing_thing_is_not_found() -> None:
    thing = Thing("house", "red", "left", "large")
    asked = Landscape("day", "meadow", "none", None, False, (thing,), seed=4)
    empty = Landscape("day", "meadow", "none", None, False, (), seed=4)
    checks = check(asked, SAID, render(empty, SIDE, SIDE).pixels)
    assert checks["time"]
    assert checks["ground"]
    assert not checks["colour"]
    assert not checks["binding"]


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_told_from_the_others(style: Style) -> None:
    thing = Thing("house", "red", "left", "large")
    for time in TIMES:
        scene = Landscape(time, "meadow", "hills", None, True, (thing,), 4, style=style)
        picture = render(scene, SIDE, SIDE).pixels / 255.0
        assert (style_in(picture) == style) or style == "plain"
        assert style_in(picture) != "ink" or style == "ink"


def test_what_was_not_said_is_not_checked() -> None:
    thing = Thing("house", "red", "left", "large")
    scene = Landscape("day", "meadow", "none", None, False, (thing,), seed=4)
    pixels = render(scene, SIDE, SIDE).pixels
    assert set(check(scene, frozenset({"ground"}), pixels)) == {"ground"}


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263 by method 3.
    share = wilson(81, 263)
    assert (share.low, share.high) == (0.2553, 0.3662)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(pair: tuple[int, int]) -> None:
    share = wilson(*pair)
    assert 0.0 <= share.low <= share.share <= share.high <= 1.0


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(0, 0)
