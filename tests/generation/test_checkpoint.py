"""What may be loaded, and how it is told from something else."""

import json
import shutil
from pathlib import Path

import pytest

from guard.errors import CoreUnavailable
from guard.generation import GenerationRequest, load_core
from guard.generation.checkpoint import digest_of, read_checkpoint
from guard.generation.diffusers_core import DiffusersCore

REQUEST = GenerationRequest(prompt="a", width=64, height=64, steps=1, guidance=1.0, seed=1)


@pytest.fixture
def copy(tiny_sd: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_sd, tmp_path / "copy"))


def test_limits_are_read_from_the_settings(tiny_sd: Path) -> None:
    limits = read_checkpoint(tiny_sd).limits
    assert (limits.default_width, limits.default_height, limits.size_multiple) == (64, 64, 8)
    assert limits.default_guidance == 7.5


def test_a_changed_byte_changes_the_digest(copy: Path) -> None:
    before = digest_of(copy)
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert digest_of(copy) != before


def test_a_renamed_file_changes_the_digest(copy: Path) -> None:
    before = digest_of(copy)
    (copy / "model_index.json").rename(copy / "other.json")
    assert digest_of(copy) != before


def test_the_digest_is_the_same_wherever_the_checkpoint_lies(tiny_sd: Path, copy: Path) -> None:
    assert digest_of(copy) == digest_of(tiny_sd)


@pytest.mark.parametrize("name", ["unet/model.bin", "sd.ckpt", "vae/model.pt", "x.pkl"])
def test_pickled_weights_are_refused(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"\x80\x04.")
    with pytest.raises(CoreUnavailable, match="pickle"):
        DiffusersCore(copy)


def test_a_checkpoint_with_a_program_is_refused(copy: Path) -> None:
    (copy / "pipeline.py").write_text("raise SystemExit\n")
    with pytest.raises(CoreUnavailable, match="program"):
        DiffusersCore(copy)


def test_a_module_that_was_not_ours_is_not_imported(copy: Path) -> None:
    index = copy / "model_index.json"
    settings = json.loads(index.read_text()) | {"unet": ["antigravity", "UNet"]}
    index.write_text(json.dumps(settings))
    core = DiffusersCore(copy, device="cpu")
    with pytest.raises(CoreUnavailable, match="cannot be loaded"):
        core.generate(REQUEST)


def test_a_checkpoints_own_safety_checker_is_left_out(copy: Path) -> None:
    index = copy / "model_index.json"
    named = {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}
    index.write_text(json.dumps(json.loads(index.read_text()) | named))
    assert len(DiffusersCore(copy, device="cpu").generate(REQUEST)) == 1


def test_a_directory_without_an_index_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CoreUnavailable, match=r"model_index\.json is missing"):
        load_core(tmp_path)


def test_an_unreadable_index_is_said_so(copy: Path) -> None:
    (copy / "model_index.json").write_text("{")
    with pytest.raises(CoreUnavailable, match="cannot be read as JSON"):
        load_core(copy)


def test_hub_names_are_never_looked_up() -> None:
    with pytest.raises(CoreUnavailable, match="declared there, with its commit"):
        load_core("stabilityai/stable-diffusion-xl-base-1.0")


def test_a_directory_is_an_open_core_whatever_it_says_of_itself(copy: Path) -> None:
    index = copy / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"domain": "closed"}))
    assert load_core(copy).info.domain == "open"
