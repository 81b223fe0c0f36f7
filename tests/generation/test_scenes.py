"""Scenes: the same picture for ever, and words that say what they claim to say."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.generation.scenes.captions import caption
from guard.generation.scenes.palette import LIGHTS, PALETTE
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import (
    GROUNDS,
    HELD_OUT,
    TIMES,
    WEATHERS,
    Landscape,
    Shape,
    StillLife,
    Thing,
    Weather,
    draw_scene,
    is_held_out,
    pairs_of,
)

seeds = st.integers(0, 2**32)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_scene_is_rendered_the_same_every_time(seed: int) -> None:
    scene = draw_scene(random.Random(seed))
    first, second = (render(scene, 96, 64) for _ in range(2))
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.subject.tobytes() == second.subject.tobytes()


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_scene_looks_the_same_at_any_size(seed: int) -> None:
    scene = draw_scene(random.Random(seed))
    small, large = render(scene, 64, 64).pixels, render(scene, 256, 256).pixels
    reduced = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(reduced - small).mean() < 4.0  # grey levels


@given(seeds)
@settings(max_examples=200)
def test_training_never_shows_a_held_out_pair(seed: int) -> None:
    assert HELD_OUT.isdisjoint(pairs_of(draw_scene(random.Random(seed))))


@given(seeds)
@settings(max_examples=30)
def test_held_out_scenes_show_a_held_out_pair(seed: int) -> None:
    assert is_held_out(draw_scene(random.Random(seed), held_out=True))


@given(seeds)
@settings(max_examples=300)
def test_a_stated_colour_is_in_the_words(seed: int) -> None:
    rng = random.Random(seed)
    scene = draw_scene(rng)
    text, said = caption(scene, rng)
    if isinstance(scene, StillLife):
        assert scene.background in text
        assert all(shape.colour in text for shape in scene.shapes)
    elif "colour" in said:
        names = {thing.colour for thing in scene.things}
        trees = ("autumn", "cherry", "blossoming")
        assert any(name in text for name in names if name) or any(w in text for w in trees)


@given(seeds)
@settings(max_examples=300)
def test_stated_facts_are_in_the_words(seed: int) -> None:
    rng = random.Random(seed)
    scene = draw_scene(rng)
    text, said = caption(scene, rng)
    if not isinstance(scene, Landscape):
        return
    if "body" in said:
        assert ("moon" if scene.time == "night" else "sun") in text
    if "clouds" in said:
        assert "cloud" in text
    if "backdrop" in said:
        assert scene.backdrop.rstrip("s") in text
    if scene.backdrop == "none":
        assert "backdrop" not in said
    if "weather" in said:
        words = {"fog": "fog", "rain": "rain", "snowfall": "snow", "rainbow": "rainbow"}
        assert words[scene.weather] in text
    assert ("weather" in said) <= (scene.weather != "clear")
    assert ("style" in said) == (scene.style != "plain")


@given(seeds)
@settings(max_examples=100)
def test_a_scene_can_be_said_in_several_ways(seed: int) -> None:
    rng = random.Random(seed)
    scene = draw_scene(rng)
    assert len({caption(scene, rng).text for _ in range(30)}) > 3


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_sky_has_the_colour_of_its_hour(time: str, ground: str) -> None:
    scene = Landscape(time, ground, "none", None, False, (), seed=1)  # type: ignore[arg-type]
    top = np.median(render(scene, 64, 64).pixels[0] / 255.0, axis=0)
    assert np.abs(top - LIGHTS[time].zenith).max() < 0.05  # type: ignore[index]


@pytest.mark.parametrize("weather", WEATHERS)
def test_every_weather_changes_the_picture(weather: Weather) -> None:
    clear = Landscape("day", "meadow", "hills", None, False, (), seed=1)
    drawn = render(replace(clear, weather=weather), 128, 128).pixels.astype(int)
    changed = np.abs(drawn - render(clear, 128, 128).pixels).max(-1) > 8
    assert (changed.mean() > 0.02) == (weather != "clear")


def test_ink_has_no_colour_and_sepia_has_one() -> None:
    scene = Landscape("sunset", "sea", "none", "left", True, (), seed=1)
    ink = render(replace(scene, style="ink"), 64, 64).pixels.astype(int)
    assert np.ptp(ink, axis=-1).max() < 16  # grey levels
    sepia = render(replace(scene, style="sepia"), 64, 64).pixels.astype(int)
    assert (sepia[..., 0] > sepia[..., 2]).all()


def test_the_subject_is_where_the_thing_stands() -> None:
    thing = Thing("house", "red", "left", "large")
    scene = Landscape("day", "meadow", "none", None, False, (thing,), seed=3)
    rows, columns = np.nonzero(render(scene, 64, 64).subject > 0.5)
    assert 8 < columns.mean() < 24
    assert rows.mean() > 24


def test_a_shape_has_its_colour() -> None:
    scene = StillLife("white", (Shape("circle", "blue"),), "middle", "large", seed=3)
    drawn = render(scene, 64, 64)
    inside = np.median(drawn.pixels[drawn.subject > 0.9] / 255.0, axis=0)
    assert np.abs(inside - PALETTE["blue"]).max() < 0.15
