"""Where each word of a prompt had its say."""

from pathlib import Path

import numpy as np
import pytest

from guard.errors import InvalidRequest
from guard.generation import GenerationRequest
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.embedded import load_embedded
from guard.generation.word_maps import GRID, WordMap, overlay
from provenance.picture import Pixels
from tests.generation.tiny import flux

PROMPT = "a red boat on the sea at sunset, with mountains"


@pytest.fixture(scope="module")
def drawn() -> tuple[Pixels, dict[str, WordMap]]:
    core = load_embedded()
    small = {"width": 384, "height": 384}
    request = core.info.request(PROMPT, seed=3).model_copy(update=small)
    (before,) = core.generate(request)
    maps = core.word_maps(request)
    (after,) = core.generate(request)
    assert np.array_equal(before, after)  # nobody who was watched draws otherwise
    return before, {one.word: one for one in maps}


def test_each_word_has_a_map_at_its_place(drawn: tuple[Pixels, dict[str, WordMap]]) -> None:
    maps = drawn[1]
    assert list(maps) == PROMPT.replace(",", "").split()
    for word, one in maps.items():
        assert PROMPT[one.start : one.end] == word
        assert one.share.shape == (GRID, GRID)
        assert one.share.sum() == pytest.approx(1.0, abs=1e-4)


def test_a_word_points_at_what_it_drew(drawn: tuple[Pixels, dict[str, WordMap]]) -> None:
    """The boat is the only red thing; the sea lies below the mountains."""
    pixels, maps = drawn
    red = (pixels[..., 0] > 120) & (pixels[..., 1:].max(axis=2) < 80)
    rows, columns = (np.flatnonzero(red.any(axis=axis)) for axis in (1, 0))
    scale = GRID / pixels.shape[0]
    margin = 3
    row, column = np.unravel_index(int(maps["boat"].share.argmax()), (GRID, GRID))
    assert rows[0] * scale - margin <= row <= rows[-1] * scale + margin
    assert columns[0] * scale - margin <= column <= columns[-1] * scale + margin

    def height(word: str) -> float:
        return float((maps[word].share.sum(axis=1) * np.arange(GRID)).sum())

    assert height("sea") > height("mountains")
    assert height("boat") > height("sunset")


def test_the_overlay_shows_what_was_looked_at(drawn: tuple[Pixels, dict[str, WordMap]]) -> None:
    pixels, maps = drawn
    shown = overlay(pixels, maps["boat"])
    row, column = np.unravel_index(int(maps["boat"].share.argmax()), (GRID, GRID))
    step = pixels.shape[0] // GRID
    at = (slice(row * step, (row + 1) * step), slice(column * step, (column + 1) * step))
    assert shown[at].mean() > 0.9 * pixels[at].mean()
    assert shown.mean() < 0.6 * pixels.mean()


def test_a_core_without_a_unet_says_so(tmp_path: Path) -> None:
    core = DiffusersCore(flux(tmp_path))
    info = core.info
    with pytest.raises(InvalidRequest, match="not with a UNet"):
        core.word_maps(
            GenerationRequest(
                prompt="a boat",
                width=info.min_side,
                height=info.min_side,
                steps=1,
                guidance=1.0,
                seed=0,
            )
        )
