"""The demonstration detector finds what it was taught, and asks for no more than a person."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from guard.check import Checker
from guard.errors import WeightsInvalid
from guard.images import PictureAssessor
from guard.images.adapters import image_guards_of
from guard.images.crops import Mistakes
from guard.images.panel import Panel
from guard.images.second_view import diffused, disagree, second_views
from guard.images.symbols import SYMBOLS, detector, load_symbols
from guard.images.symbols.drawing import drawn_into
from guard.images.symbols.net import GridNet
from guard.images.symbols.train import CROP, batch_of, loss_of
from policies.categories import CATEGORIES
from policies.decision import Action
from policies.load import load_policy
from provenance.picture import encode
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import textured_picture
from tests.support.lettering import plain

SEEN = load_symbols()


def drawn(count: int) -> list:
    rng = np.random.default_rng(5)
    grounds = [textured_picture("g", 256, 256, seed) for seed in range(6)]
    return [drawn_into(grounds[i % 6], rng) for i in range(count)]


def test_most_of_its_symbols_are_found_where_they_are() -> None:
    hits = total = 0
    for pixels, placed in drawn(40):
        found = SEEN.find(pixels)
        for symbol, (left, top, right, bottom) in placed:
            total += 1
            hits += any(
                f.symbol == symbol
                and left <= (f.box[0] + f.box[2]) / 2 <= right
                and top <= (f.box[1] + f.box[3]) / 2 <= bottom
                for f in found
            )
    assert total > 20
    assert hits / total > 0.6


def test_onnx_and_torch_are_the_same_network() -> None:
    net = detector.load_network()
    pixels = drawn(1)[0][0]
    with torch.inference_mode():
        shown = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        logits, sides = net(shown)
    again = detector.decoded(logits[0].numpy(), sides[0].numpy(), 1.0)
    assert [f.symbol for f in again] == [f.symbol for f in SEEN.find(pixels)]
    assert [f.score for f in again] == pytest.approx([f.score for f in SEEN.find(pixels)], abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (9, 700), (1500, 40), (200, 333)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    seen = SEEN.look(np.full((*shape, 3), 120, np.uint8))
    assert seen.scores == {}
    assert seen.fields["symbol.present"] is False


def test_it_covers_nothing_and_no_shipped_policy_blocks_for_it(
    assessor: PictureAssessor, tmp_path: Path
) -> None:
    (guard,) = image_guards_of([{"kind": "symbols", "name": "demo"}], tmp_path)
    assert guard.covers == frozenset()
    panel = Panel(assessor, [guard])
    assert panel.covers == frozenset()
    for pixels, placed in drawn(12):
        if placed and SEEN.look(pixels).fields["symbol.present"]:
            (seen,) = panel.assess([pixels])
            assert seen.not_assessed == frozenset(CATEGORIES)
            assert {r.kind for r in seen.regions} & set(SYMBOLS)
            checker = Checker(ScriptedPromptAssessor(), panel, load_policy("default"))
            assert checker.image(encode(pixels)).decision < Action.BLOCK
            return
    pytest.fail("none of the drawn symbols was found")


def test_weights_that_were_changed_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "MODEL_SHA256", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(WeightsInvalid, match="declared"):
        load_symbols()


def test_a_few_steps_of_training_lower_the_loss() -> None:
    torch.manual_seed(0)
    grounds = [textured_picture("g", 200, 200, seed) for seed in range(3)]
    batch = batch_of(grounds, Mistakes(CROP), np.random.default_rng(0))
    net = GridNet(len(SYMBOLS))
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(5):
        loss = loss_of(net, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] * 0.9


# second readings


def test_diffusion_levels_faint_noise_and_keeps_edges() -> None:
    edge = plain(64, 64, 60)
    edge[:, 32:] = 200
    noisy = np.clip(edge + np.random.default_rng(1).normal(0, 4, edge.shape), 0, 255)
    clean = diffused(noisy.astype(np.uint8)).astype(float)
    assert clean[:, :28].std() < 0.6 * noisy[:, :28].std()
    assert clean[:, 33:].mean() - clean[:, :31].mean() > 130


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (700, 300)])
def test_second_readings_of_any_shape_are_pictures(shape: tuple[int, int]) -> None:
    for view in second_views(np.full((*shape, 3), 99, np.uint8)):
        assert view.dtype == np.uint8
        assert np.abs(view.astype(int) - 99).max() <= 1
        assert max(view.shape) <= 512


class Fooled:
    """Sees a symbol only where the faintest checkerboard lies over the picture."""

    def __init__(self, tmp_path: Path) -> None:
        (self._inner,) = image_guards_of([{"kind": "symbols", "name": "demo"}], tmp_path)
        self.ref, self.covers = self._inner.ref, self._inner.covers

    def assess(self, images: list, *, files: object = None) -> list:
        found = self._inner.assess(images)
        return [
            f.model_copy(update={"fields": {"symbol.present": bool(self._pattern(i) > 2)}})
            for i, f in zip(images, found, strict=True)
        ]

    @staticmethod
    def _pattern(pixels: np.ndarray) -> float:
        return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())


def test_an_upload_that_is_read_otherwise_when_cleaned_is_told(
    assessor: PictureAssessor, tmp_path: Path
) -> None:
    panel = Panel(assessor, [Fooled(tmp_path)], second_view=True)
    y, x = np.mgrid[:96, :96]
    made = np.repeat((110 + 4 * ((x + y) % 2))[..., None], 3, axis=2).astype(np.uint8)
    (upload,) = panel.assess([made], files=[encode(made)])
    (honest,) = panel.assess([plain(96, 96)], files=[encode(plain(96, 96))])
    (generated,) = panel.assess([made])
    assert upload.fields["view.disagrees"] is True
    assert honest.fields["view.disagrees"] is False
    assert "view.disagrees" not in generated.fields
    assert not disagree(honest, [honest])
