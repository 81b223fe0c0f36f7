"""Heat maps point at what did it, better than chance; views group what belongs together."""

import numpy as np
import pytest
from torch import Tensor

from guard.explain.features import non_negative_factors, principal_components
from guard.explain.saliency import Method, deletion, heat_map, insertion
from guard.images.symbols import SYMBOLS, load_symbols
from guard.images.symbols.detector import load_network
from guard.images.symbols.drawing import drawn_into
from provenance.picture import Pixels
from tests.support.core import textured_picture

NET = load_network()
Box = tuple[float, float, float, float]


def score_of(symbol: int):
    def score(batch: Tensor) -> Tensor:
        return NET(batch)[0][:, symbol].amax(dim=(1, 2)).sigmoid()

    return score


@pytest.fixture(scope="module")
def cases() -> list[tuple[Pixels, int, Box]]:
    """Pictures with one symbol that is found."""
    rng, found = np.random.default_rng(3), []
    detector = load_symbols()
    for seed in range(60):
        pixels, placed = drawn_into(textured_picture("g", 128, 128, seed), rng, most=1)
        sure = {f.symbol for f in detector.find(pixels) if f.score > 0.7}
        if placed and placed[0].symbol in sure:
            found.append((pixels, *placed[0]))
        if len(found) == 4:
            return found
    pytest.fail("the detector finds too few of its symbols")


@pytest.mark.parametrize("method", list(Method))
def test_a_map_points_at_the_symbol_and_beats_its_own_pixels_mixed_up(
    method: Method, cases: list[tuple[Pixels, int, Box]]
) -> None:
    rng = np.random.default_rng(1)
    hits, gone, put = 0, [], []
    for pixels, symbol, (left, top, right, bottom) in cases:
        score = score_of(symbol)
        heat = heat_map(score, pixels, method, layer=NET.trunk[-1])
        assert heat.shape == pixels.shape[:2]
        assert 0 <= heat.min() <= heat.max() == 1
        y, x = np.unravel_index(int(heat.argmax()), heat.shape)
        hits += left - 12 <= x <= right + 12 and top - 12 <= y <= bottom + 12
        mixed = rng.permutation(heat.ravel()).reshape(heat.shape)
        gone.append(deletion(score, pixels, heat) - deletion(score, pixels, mixed))
        put.append(insertion(score, pixels, heat) - insertion(score, pixels, mixed))
    assert hits >= 3
    assert np.mean(gone) < -0.1
    assert np.mean(put) > 0.1


def test_grad_cam_without_a_layer_is_refused(cases: list[tuple[Pixels, int, Box]]) -> None:
    with pytest.raises(ValueError, match="layer"):
        heat_map(score_of(0), cases[0][0], Method.GRAD_CAM)


def test_what_the_detector_groups_together_lies_together() -> None:
    """Its features of pictures with the same symbol are nearer than of those with another."""
    rng, rows, kinds = np.random.default_rng(2), [], []
    while len(rows) < 60:
        pixels, placed = drawn_into(textured_picture("g", 128, 128, len(rows)), rng, most=1)
        if placed:
            shown = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None].astype(np.float32) / 255
            import torch

            with torch.inference_mode():
                features = NET.trunk(torch.from_numpy(shown) * 2 - 1)
            rows.append(features.amax(dim=(2, 3))[0].double().numpy())
            kinds.append(placed[0].symbol)
    features, labels = np.stack(rows), np.array(kinds)
    places = principal_components(features, 4).places
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = (labels[:, None] == labels[None]) & ~np.eye(len(labels), dtype=bool)
    assert apart[same].mean() < apart[labels[:, None] != labels[None]].mean()
    assert non_negative_factors(features, len(SYMBOLS)).error < 0.5


def test_components_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(size=(80, 5)) * [5, 3, 1, 0.5, 0.1]
    found = principal_components(features, 2)
    values = np.linalg.eigvalsh(np.cov(features.T))[::-1]
    assert found.share == pytest.approx(values[:2] / values.sum())
    assert found.places.var(axis=0, ddof=1) == pytest.approx(values[:2])


def test_factors_find_the_parts_that_pictures_are_made_of() -> None:
    rng = np.random.default_rng(5)
    patterns = np.array([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    features = rng.random((40, 3)) @ patterns
    found = non_negative_factors(features, 3)
    assert found.error < 0.05
    near = found.patterns @ (patterns / np.linalg.norm(patterns, axis=1, keepdims=True)).T
    assert near.max(axis=0) == pytest.approx([1, 1, 1], abs=0.05)


def test_what_cannot_be_taken_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="two pictures"):
        principal_components(np.ones((1, 3)))
    with pytest.raises(ValueError, match="at least 0"):
        non_negative_factors(np.array([[-1.0, 2.0]]))
