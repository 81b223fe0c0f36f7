"""Edits: what is changed and what stays, in every family of pipelines, and in the embedded core."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from guard.errors import InvalidRequest
from guard.generation import GenerationRequest, Original, load_core
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.training.checker import time_in
from provenance.picture import Pixels
from tests.generation import tiny
from tests.support.core import InMemoryCore, textured_picture

# diffusers' DPM-Solver hands torch tensors to np.array, which numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAMILIES = [
    tiny.stable_diffusion,
    tiny.stable_diffusion_2,
    tiny.stable_diffusion_xl,
    tiny.stable_diffusion_3,
    tiny.flux,
]
PHOTO = textured_picture("a photograph", 64, 64, 1)
MASK = np.zeros((64, 64), bool)
MASK[16:48, 8:40] = True


def edit(original: Original, **changes: object) -> GenerationRequest:
    height, width = original.pixels.shape[:2]
    asked: dict[str, object] = {
        "prompt": "a red house",
        "width": width,
        "height": height,
        "steps": 4,
        "guidance": 3.0,
        "seed": 7,
        "original": original,
    }
    return GenerationRequest.model_validate(asked | changes)


def strayed(first: Pixels, second: Pixels) -> int:
    return int(np.abs(first.astype(int) - second).max())


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DiffusersCore:
    family: Callable[[Path], Path] = request.param
    return DiffusersCore(family(tmp_path_factory.mktemp("family")), device="cpu")


def test_every_family_draws_edits_and_inpaints(core: DiffusersCore) -> None:
    assert core.info.edits
    assert core.info.inpaints
    from_nothing = edit(Original(PHOTO, None, 1.0)).model_copy(update={"original": None})
    pictures = [
        core.generate(one)[0]
        for one in (
            from_nothing,
            edit(Original(PHOTO, None, 0.5)),
            edit(Original(PHOTO, MASK, 1.0)),
        )
    ]
    assert [picture.shape for picture in pictures] == [(64, 64, 3)] * 3
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_outside_the_mask_every_pixel_stays(core: DiffusersCore) -> None:
    (drawn,) = core.generate(edit(Original(PHOTO, MASK, 1.0)))
    assert (drawn[~MASK] == PHOTO[~MASK]).all()
    assert (drawn[MASK] != PHOTO[MASK]).any()


def test_edits_of_one_batch_are_drawn_as_each_would_be_alone(core: DiffusersCore) -> None:
    other = textured_picture("another", 64, 64, 2)
    for mask, second_mask in ((None, None), (MASK, ~MASK)):
        asked = [
            edit(Original(PHOTO, mask, 0.75), count=2),
            edit(Original(other, second_mask, 0.75), prompt="a boat", seed=70),
        ]
        batch = core.generate_batch(asked)
        for one, together in zip(asked, batch, strict=True):
            for picture, alone in zip(together, core.generate(one), strict=True):
                assert strayed(picture, alone) <= 1


def test_progress_counts_the_steps_that_are_drawn(core: DiffusersCore) -> None:
    seen: list[tuple[int, int]] = []
    core.generate(
        edit(Original(PHOTO, None, 0.5)), progress=lambda done, whole: seen.append((done, whole))
    )
    assert seen == [(1, 2), (2, 2)]


def test_an_edit_shares_the_weights_of_the_core(core: DiffusersCore) -> None:
    core.generate(edit(Original(PHOTO, None, 0.5)))
    loaded, view = core._loaded, core._view(Original(PHOTO, MASK, 1.0))
    assert view.vae is loaded.vae
    assert view.text_encoder is loaded.text_encoder
    assert view.scheduler is not loaded.scheduler


@pytest.mark.parametrize(
    ("original", "words"),
    [
        (Original(PHOTO[:32], None, 0.5), r"must be \(64, 64, 3\)"),
        (Original(PHOTO.astype(np.float32), None, 0.5), "float32"),  # type: ignore[arg-type]
        (Original(PHOTO, MASK[:32], 0.5), r"mask must be \(64, 64\)"),
        (Original(PHOTO, MASK.astype(np.uint8), 0.5), "bool"),  # type: ignore[arg-type]
        (Original(PHOTO, np.zeros((64, 64), bool), 0.5), "mask is empty"),
        (Original(PHOTO, None, 0.0), "strength of 0.0"),
        (Original(PHOTO, None, 1.5), "strength of 1.5"),
        (Original(PHOTO, None, float("nan")), "strength of nan"),
        (Original(PHOTO, None, 0.2), "take one of 0.25 or more"),
    ],
)
def test_an_original_that_cannot_be_edited_is_refused(original: Original, words: str) -> None:
    asked = edit(Original(PHOTO, None, 0.5)).model_copy(update={"original": original})
    with pytest.raises(InvalidRequest, match=words):
        InMemoryCore().generate(asked)


def test_edits_and_drawings_are_not_mixed_in_a_batch(tiny_core: DiffusersCore) -> None:
    edited = edit(Original(PHOTO, None, 0.5))
    for other in (
        edited.model_copy(update={"original": None}),
        edit(Original(PHOTO, None, 0.75)),
        edit(Original(PHOTO, MASK, 0.5)),
    ):
        with pytest.raises(InvalidRequest, match="all or none"):
            tiny_core.generate_batch([edited, other])


def test_a_core_that_does_not_edit_says_so(tiny_core: DiffusersCore) -> None:
    neither = tiny_core.info.model_copy(update={"edits": False, "inpaints": False})
    with pytest.raises(InvalidRequest, match="does not edit pictures; choose a core that does"):
        neither.check(edit(Original(PHOTO, None, 0.5)))
    with pytest.raises(InvalidRequest, match="does not edit a part of a picture"):
        neither.check(edit(Original(PHOTO, MASK, 0.5)))


# The embedded core: its latent has 16 channels, which no stock inpainting takes.


@pytest.fixture(scope="module")
def house() -> Pixels:
    core = load_core("scenes")
    blank = Original(np.zeros((512, 512, 3), np.uint8), None, 1.0)
    prompt = "a red house on a meadow on a sunny day with mountains"
    asked = edit(blank, prompt=prompt, steps=20, seed=50)
    return core.generate(asked.model_copy(update={"original": None}))[0]


def test_the_embedded_core_takes_the_house_off_the_meadow_and_leaves_the_rest(
    house: Pixels,
) -> None:
    redness = house[..., 0].astype(int) - house[..., 1]
    rows, columns = np.nonzero(redness > 80)
    assert len(rows) > 2_000  # there is a red house
    mask = np.zeros((512, 512), bool)
    mask[rows.min() - 60 : rows.max() + 30, columns.min() - 30 : columns.max() + 30] = True
    (drawn,) = load_core("scenes").generate(
        edit(Original(house, mask, 1.0), prompt="a meadow on a sunny day with mountains", steps=12)
    )
    assert (drawn[~mask] == house[~mask]).all()
    left = drawn[..., 0].astype(int) - drawn[..., 1]
    assert (left > 80).sum() < len(rows) / 50


def test_the_embedded_core_turns_a_day_into_a_night(house: Pixels) -> None:
    core = load_core("scenes")
    original = Original(house, None, core.info.default_strength)
    prompt = "a red house on a meadow at night with mountains"
    (drawn,) = core.generate(edit(original, prompt=prompt, steps=20, seed=900))
    small = [picture.reshape(128, 4, 128, 4, 3).mean((1, 3)) / 255.0 for picture in (house, drawn)]
    assert [time_in(picture) for picture in small] == ["day", "night"]


def test_a_weak_edit_stays_close_to_its_original(house: Pixels) -> None:
    core = load_core("scenes")
    away = [
        np.abs(
            core.generate(edit(Original(house, None, s), steps=12))[0].astype(int) - house
        ).mean()
        for s in (0.1, 1.0)
    ]
    assert away[0] < 8.0
    assert away[0] < away[1] / 3
