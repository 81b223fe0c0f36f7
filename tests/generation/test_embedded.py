"""The core that comes with Wardmark: the released weights, and pictures that follow the prompt."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from guard.errors import CoreUnavailable
from guard.generation import Core, load_core
from guard.generation.embedded import CHECKPOINTS, load_embedded
from guard.generation.training.checker import ground_in, shapes_in, time_in
from provenance.picture import Pixels

# diffusers' DPM-Solver hands torch tensors to np.array, which numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def core() -> Core:
    return load_core("scenes")


def draw(core: Core, prompt: str, seed: int = 11, **changes: int) -> Pixels:
    info = core.info
    request = info.request(prompt, seed=seed)
    return core.generate(request.model_copy(update=changes))[0]


def reduced(pixels: Pixels) -> np.ndarray:
    return pixels.reshape(128, 4, 128, 4, 3).mean((1, 3)) / 255.0


def test_its_domain_is_closed_and_its_digest_is_on_record(core: Core) -> None:
    assert core.info.domain == "closed"
    assert core.info.digest == (CHECKPOINTS / "scenes.sha256.txt").read_text().strip()


def test_changed_files_do_not_pass_under_its_name(tmp_path: Path) -> None:
    shutil.copytree(CHECKPOINTS, tmp_path / "checkpoints")
    settings = tmp_path / "checkpoints" / "scenes" / "wardmark.json"
    settings.write_text(settings.read_text() + " ")
    with pytest.raises(CoreUnavailable, match="not the ones that were released"):
        load_embedded("scenes", tmp_path / "checkpoints")


def test_a_missing_checkpoint_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CoreUnavailable, match="make train-core"):
        load_embedded("scenes", tmp_path)


def test_it_draws_the_time_and_the_ground_that_the_prompt_names(core: Core) -> None:
    asked = [
        ("the sea at sunset with clouds", "sunset", "sea"),
        ("a meadow on a sunny day with mountains", "day", "meadow"),
        ("a desert at night, the moon on the left", "night", "desert"),
        ("a snowy field at dawn", "dawn", "snow"),
    ]
    right = 0
    for prompt, time, ground in asked:
        picture = reduced(draw(core, prompt))
        shown = time_in(picture)
        right += (shown == time) + (ground_in(picture, shown) == ground)
    assert right >= 7  # of 8


def test_it_draws_the_background_that_the_prompt_names(core: Core) -> None:
    colours = ["yellow", "blue", "white"]
    shown = [
        shapes_in(reduced(draw(core, f"a red circle in the middle on a {colour} background")))[0]
        for colour in colours
    ]
    assert shown == colours


def test_the_same_seed_gives_the_same_bytes(core: Core) -> None:
    first, second = (draw(core, "a red house in the snow", steps=2) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(("width", "height"), [(768, 512), (512, 768), (384, 384), (640, 448)])
def test_it_draws_every_size_on_its_grid(core: Core, width: int, height: int) -> None:
    assert draw(core, "a boat on the sea", width=width, height=height, steps=1).shape == (
        height,
        width,
        3,
    )
