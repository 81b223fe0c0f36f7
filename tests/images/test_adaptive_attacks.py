"""The attack that second readings are measured with is as strong as a well-kept library's.

The library, the Adversarial Robustness Toolbox, comes with the extra ``attacks``.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from guard.images.symbols import load_symbols
from guard.images.symbols.detector import THRESHOLD, load_network
from guard.images.symbols.drawing import drawn_into
from provenance.picture import Pixels
from tests.support.attacks import Readings, as_tensor, hidden, hidden_by_art
from tests.support.core import textured_picture

SIZE = 8  # of 255
NEAR = 1.05  # of what the library leaves to hide, in the log of odds summed over the readings
NET = load_network().requires_grad_(False)
SEEN = load_symbols()


def told(pixels: Pixels) -> bool:
    return any(found.score >= THRESHOLD for found in SEEN.find(pixels))


def left(pixels: Pixels) -> float:
    """To hide, over all three readings."""
    return float(Readings(NET, adaptive=True)(as_tensor(pixels)))


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    """Whose symbols are found."""
    rng = np.random.default_rng(0)
    drawn = (drawn_into(textured_picture("g", 96, 96, seed), rng, most=1) for seed in range(30))
    return [pixels for pixels, placed in drawn if placed and told(pixels)][:3]


@pytest.fixture(scope="module")
def adaptive(pictures: list[Pixels]) -> list[Pixels]:
    torch.manual_seed(0)
    return [hidden(Readings(NET, adaptive=True), pixels, SIZE) for pixels in pictures]


def test_an_attack_changes_no_value_by_more_than_it_may(
    pictures: list[Pixels], adaptive: list[Pixels]
) -> None:
    assert len(pictures) == 3
    for before, after in zip(pictures, adaptive, strict=True):
        assert 0 < np.abs(before.astype(int) - after).max() <= SIZE


def test_the_bare_detector_is_fooled_and_noise_of_the_same_size_does_not_fool_it(
    pictures: list[Pixels],
) -> None:
    torch.manual_seed(0)
    noise = np.random.default_rng(1)
    for pixels in pictures:
        assert not told(hidden(Readings(NET, adaptive=False), pixels, SIZE))
        changed = pixels + noise.choice([-SIZE, SIZE], pixels.shape)
        assert told(np.clip(changed, 0, 255).astype(np.uint8))


def test_an_attack_that_knows_the_second_readings_leaves_less_to_them(
    pictures: list[Pixels], adaptive: list[Pixels]
) -> None:
    torch.manual_seed(0)
    knows_one = [hidden(Readings(NET, adaptive=False), pixels, SIZE) for pixels in pictures]
    assert sum(map(left, adaptive)) < sum(map(left, knows_one))


@pytest.mark.skipif(find_spec("art") is None, reason="needs pip install 'wardmark[attacks]'")
def test_our_attack_hides_as_much_as_the_librarys_in_as_many_steps(
    pictures: list[Pixels], adaptive: list[Pixels]
) -> None:
    np.random.seed(0)  # the library draws its start from the global one
    theirs = [hidden_by_art(Readings(NET, adaptive=True), pixels, SIZE) for pixels in pictures]
    for before, after in zip(pictures, theirs, strict=True):
        assert 0 < np.abs(before.astype(int) - after).max() <= SIZE
    assert sum(map(left, adaptive)) <= NEAR * sum(map(left, theirs))
    assert sum(map(told, adaptive)) <= sum(map(told, theirs))
