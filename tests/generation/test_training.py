"""Training: its parts do what they say, and a run that was stopped goes on."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from guard.generation.autoencoder import PatchAutoencoder, principal_axes
from guard.generation.core import GenerationRequest
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.training import train_autoencoder, train_unet
from guard.generation.training.__main__ import seconds
from guard.generation.training.data import SceneSet, scene_set
from guard.generation.training.export import export
from guard.generation.training.networks import LATENT_CHANNELS, train_tokenizer
from guard.generation.training.optimiser import orthogonalise

# diffusers' DPM-Solver hands torch tensors to np.array, which numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    return scene_set(tmp_path_factory.mktemp("cache"), 1, "square", 64, workers=1)


@pytest.fixture(scope="module")
def vae(scenes: SceneSet) -> PatchAutoencoder:
    torch.manual_seed(0)
    made = PatchAutoencoder(latent_channels=LATENT_CHANNELS)
    made.set_axes(principal_axes(scenes.proxies, LATENT_CHANNELS))
    return made


@pytest.fixture(scope="module")
def tokenizer_folder(scenes: SceneSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "tokenizer"
    train_tokenizer((text for texts in scenes.captions for text in texts), folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(tokenizer_folder, model_max_length=32)


def test_rendered_scenes_are_read_back_from_the_cache(tmp_path: Path) -> None:
    first = scene_set(tmp_path, 2, "wide", 3, workers=1)
    second = scene_set(tmp_path, 2, "wide", 3, workers=1)
    assert first.proxies.shape == (3, 64, 96, 3)
    assert first.subject.shape == (3, 16, 24)
    assert first.proxies.tobytes() == second.proxies.tobytes()
    assert first.captions == second.captions


def test_latents_keep_the_picture(scenes: SceneSet, vae: PatchAutoencoder) -> None:
    proxy = torch.from_numpy(scenes.proxies).permute(0, 3, 1, 2) / 127.5 - 1.0
    with torch.no_grad():
        back = vae.latent_to_proxy(vae.proxy_to_latent(proxy))
    psnr = -10 * torch.log10((back - proxy).square().mean() / 4)
    assert psnr > 30.0  # dB


def test_a_latent_cell_is_32_pixels_wide(vae: PatchAutoencoder) -> None:
    with torch.no_grad():
        latent = vae.encode(torch.zeros(1, 3, 128, 192)).latent_dist.mean
        assert latent.shape == (1, LATENT_CHANNELS, 4, 6)
        assert vae.decode(latent).sample.shape == (1, 3, 128, 192)
    assert 2 ** (len(vae.config.block_out_channels) - 1) == 32


@given(st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_prompt_is_unreadable(tokenizer: CLIPTokenizer, text: str) -> None:
    vocabulary = tokenizer.get_vocab()
    assert all(token in vocabulary for token in tokenizer.tokenize(text))
    assert len(tokenizer(text, truncation=True, max_length=32).input_ids) <= 32


@pytest.mark.parametrize("shape", [(32, 288), (96, 64), (64, 64)])
def test_muon_steps_in_all_directions_alike(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrix).float())
    assert values.max() < 1.4
    assert values.median() > 0.6


def test_a_stopped_run_goes_on_where_it_was(
    scenes: SceneSet,
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    tokenizer_folder: Path,
) -> None:
    run = tokenizer_folder.parent
    recipe = train_unet.Recipe(budget=0.5, batch=2)
    sets = {"square": scenes}
    first = train_unet.UNetTrainer(recipe, run, sets, vae, tokenizer)  # type: ignore[arg-type]
    first.run()
    assert first.step > 0
    second = train_unet.UNetTrainer(
        replace(recipe, budget=first.elapsed + 0.5),
        run,
        sets,  # type: ignore[arg-type]
        vae,
        tokenizer,
    )
    second.run()
    assert second.step > first.step

    pictures = np.repeat(np.repeat(scenes.proxies[:2], 8, axis=1), 8, axis=2)
    train_autoencoder.DecoderTrainer(
        train_autoencoder.Recipe(budget=0.1, batch=1), run, pictures, vae
    ).run()
    export(run, run / "scenes")
    core = DiffusersCore(run / "scenes", device="cpu")
    drawn = core.generate(
        GenerationRequest(
            prompt="a red house", width=512, height=384, steps=2, guidance=2.0, seed=1
        )
    )
    assert drawn[0].shape == (384, 512, 3)

    other = tokenizer_folder.parent.with_name("other")
    words = ["a red house with a zeppelin", "zeppelins over the sea"] * 20
    train_tokenizer(words, other / "tokenizer")
    theirs = CLIPTokenizer.from_pretrained(other / "tokenizer", model_max_length=32)
    third = train_unet.UNetTrainer(recipe, other, sets, vae, theirs)  # type: ignore[arg-type]
    third.start_from(run / "scenes")
    for mine, exported in zip(third.unet.parameters(), second.unet.parameters(), strict=True):
        assert torch.allclose(mine, exported, atol=1e-2)
    rows = [found.get_vocab()["red</w>"] for found in (theirs, tokenizer)]
    tables = [t.text_encoder.get_input_embeddings().weight for t in (third, second)]
    assert torch.allclose(tables[0][rows[0]], tables[1][rows[1]], atol=1e-2)


def test_budgets_are_read_with_their_unit() -> None:
    assert [seconds(text) for text in ("90m", "2h", "45s", "1.5h")] == [5400, 7200, 45, 5400]
    for wrong in ("90", "m", "-5m", "1d"):
        with pytest.raises(argparse.ArgumentTypeError, match="such as 90m"):
            seconds(wrong)
