"""The gate for text tells letters from what is none, and is the network that came along."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from skimage import data

from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.images.crops import Mistakes
from guard.images.lettering import LetterPresence, presence
from guard.images.lettering.drawing import lettered
from guard.images.lettering.net import LetterNet
from guard.images.lettering.train import CROP, loss_of
from guard.images.text import FAINT_ODDS, SURE_ODDS, TextReader
from tests.support.core import textured_picture
from tests.support.lettering import plain, with_lines

SEEN = LetterPresence()


def test_a_picture_with_letters_is_surer_than_the_same_without() -> None:
    photo = np.ascontiguousarray(data.cat()[:300, :450])
    bare = SEEN.odds(photo)
    for size in (12, 18, 30, 60):
        assert SEEN.odds(with_lines(photo, ["free delivery"], size=size)) > bare + 1, size


def test_what_is_sure_is_read_and_what_is_faint_is_not_glanced_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    glances = []

    class Watched(TextReader):
        def _lines(self, *args):  # type: ignore[no-untyped-def]
            glances.append(args)
            return []

    for odds, told, glanced in (
        (SURE_ODDS, True, 0), (FAINT_ODDS - 0.1, False, 0), (FAINT_ODDS, False, 1),
    ):  # fmt: skip
        glances.clear()
        monkeypatch.setattr(LetterPresence, "odds", lambda _self, _p, odds=odds: odds)
        assert Watched().sees_text(plain()) is told
        assert len(glances) == glanced


def test_small_letters_are_looked_at_closely_and_only_where_something_was_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[tuple[int, ...]] = []

    def odds(_self: LetterPresence, view: np.ndarray) -> float:
        looks.append(view.shape[:2])
        return {300: first, 100: -2.0, 600: 3.0}[view.shape[0]]

    monkeypatch.setattr(LetterPresence, "_odds", odds)
    for first, told in ((presence.SOMETHING, 3.0 - presence.CLOSE_DOUBT), (-1.0, -1.0), (4.0, 4.0)):
        looks.clear()
        assert LetterPresence().odds(plain(300, 300)) == told
        assert ((600, 600) in looks) is (first >= presence.SOMETHING)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (1500, 40), (200, 333)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int]) -> None:
    assert np.isfinite(SEEN.odds(np.full((*shape, 3), 120, np.uint8)))


def test_onnx_and_the_weights_are_the_same_network() -> None:
    net = LetterNet().eval()
    net.load_state_dict(load_file(presence.MODEL.with_suffix(".safetensors")))
    pixels = textured_picture("a", 96, 64, 1)
    with torch.inference_mode():
        shown = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        expected = net(shown).numpy()
    (found,) = SEEN._session.run(None, {"pixels": shown.numpy()})
    assert np.allclose(found, expected, atol=1e-3)


def test_weights_that_were_changed_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MODEL_SHA256", hashlib.sha256(b"other").hexdigest())
    with pytest.raises((WeightsInvalid, SafetyUnavailable), match="declared"):
        LetterPresence().odds(plain())


def test_a_few_steps_of_training_lower_the_loss() -> None:
    from matplotlib import font_manager

    font = Path(font_manager.findfont("DejaVu Sans"))  # comes along with matplotlib
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    drawn = [lettered(textured_picture("g", CROP, CROP, seed), [font], rng) for seed in range(4)]
    inputs = torch.from_numpy(np.stack([d.pixels for d in drawn])).permute(0, 3, 1, 2) / 255
    covers = torch.from_numpy(np.stack([d.covered for d in drawn]))[:, None].float()
    letters = (torch.nn.functional.avg_pool2d(covers, 8) > 0.5).float()
    assert letters.sum() > 0
    net = LetterNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(5):
        loss = loss_of(net, (inputs.float(), letters, torch.ones_like(letters)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] * 0.9


def test_mistakes_are_what_the_detector_is_sure_of() -> None:
    grounds = [textured_picture("g", 200, 200, seed) for seed in range(2)]
    rng = np.random.default_rng(0)
    mistakes = Mistakes(64)
    net = torch.nn.Identity()
    assert mistakes.some(3, rng) == []
    mistakes.look(net, lambda shown: torch.full((1, 1, 25, 25), -9.0), grounds, rng)
    assert mistakes.some(3, rng) == []
    mistakes.look(net, lambda shown: torch.full((1, 1, 25, 25), 2.0), grounds, rng)
    assert {crop.shape for crop in mistakes.some(3, rng)} == {(64, 64, 3)}
