"""A LoRA by file: what it adds, and which files are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from guard.errors import CoreUnavailable
from guard.generation.declared import load_named_core
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.lora import Lora
from provenance.errors import HomeInvalid
from tests.generation import tiny
from tests.generation.test_diffusers_core import request

RANK = 2


def attention(core: DiffusersCore) -> dict[str, nn.Linear]:
    """The projections of the attention of a loaded denoiser."""
    core.generate(request())
    unet = core._loaded.unet
    return {
        name: layer
        for name, layer in unet.named_modules()
        if isinstance(layer, nn.Linear) and ".attn" in name
    }


def matrices(layer: nn.Linear, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    down = torch.randn(RANK, layer.in_features, generator=rng)
    return down, torch.randn(layer.out_features, RANK, generator=rng)


@pytest.fixture(scope="module")
def files(tiny_core: DiffusersCore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same LoRA as diffusers names its layers, and as kohya does."""
    folder = tmp_path_factory.mktemp("lora")
    peft, kohya = {}, {}
    for seed, (name, layer) in enumerate(attention(tiny_core).items()):
        down, up = matrices(layer, seed)
        peft |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        flat = "lora_unet_" + name.replace(".", "_")
        kohya |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up * RANK}
        kohya[f"{flat}.alpha"] = torch.tensor(1.0)
    save_file(peft, folder / "peft.safetensors")
    save_file(kohya, folder / "kohya.safetensors")
    return {"peft": folder / "peft.safetensors", "kohya": folder / "kohya.safetensors"}


def test_it_adds_its_product_to_the_layers_that_it_names(
    tiny_sd: Path, tiny_core: DiffusersCore, files: dict[str, Path]
) -> None:
    changed = DiffusersCore(tiny_sd, device="cpu", loras=[Lora(files["peft"], 0.5)])
    before, after = attention(tiny_core), attention(changed)
    for seed, name in enumerate(before):
        down, up = matrices(before[name], seed)
        torch.testing.assert_close(after[name].weight, before[name].weight + 0.5 * up @ down)
    assert changed.generate(request())[0].tobytes() != tiny_core.generate(request())[0].tobytes()


def test_both_ways_of_naming_layers_are_read(tiny_sd: Path, files: dict[str, Path]) -> None:
    drawn = [
        DiffusersCore(tiny_sd, device="cpu", loras=[Lora(file)]).generate(request())[0]
        for file in files.values()
    ]
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() <= 1


def test_the_digest_tells_with_which_lora_and_how_much_of_it(
    tiny_sd: Path, files: dict[str, Path]
) -> None:
    digests = [
        DiffusersCore(tiny_sd, device="cpu", loras=loras).info.digest
        for loras in (
            [],
            [Lora(files["peft"])],
            [Lora(files["peft"], 0.5)],
            [Lora(files["kohya"])],
            [Lora(files["peft"]), Lora(files["kohya"])],
        )
    ]
    assert len(set(digests)) == len(digests)


def test_text_encoders_are_changed_too(tiny_sd: Path, tmp_path: Path) -> None:
    for prefix in ("text_encoder.text_model.", "text_encoder.", "lora_te_text_model_"):
        name = prefix + "encoder.layers.0.self_attn.q_proj"
        name = name.replace(".", "_") if prefix.startswith("lora_te") else name
        ends = ("lora_down", "lora_up") if prefix.startswith("lora_te") else ("lora_A", "lora_B")
        file = tmp_path / f"{len(prefix)}.safetensors"
        matrix = torch.ones(RANK, 16)
        save_file(
            {f"{name}.{ends[0]}.weight": matrix, f"{name}.{ends[1]}.weight": matrix.T.contiguous()},
            file,
        )
        core = DiffusersCore(tiny_sd, device="cpu", loras=[Lora(file)])
        core.generate(request())
        plain = DiffusersCore(tiny_sd, device="cpu")
        plain.generate(request())
        weights = [
            dict(c._loaded.text_encoder.named_parameters())[
                "encoder.layers.0.self_attn.q_proj.weight"
            ]
            for c in (core, plain)
        ]
        torch.testing.assert_close(weights[0], weights[1] + RANK)


def test_transformers_take_one_too(tmp_path: Path) -> None:
    checkpoint = tiny.stable_diffusion_3(tmp_path)
    name = "transformer.transformer_blocks.0.attn.to_q"
    file = tmp_path / "sd3.safetensors"
    save_file(
        {f"{name}.lora_A.weight": torch.ones(1, 16), f"{name}.lora_B.weight": torch.ones(16, 1)},
        file,
    )
    asked = request(guidance=1.0)
    drawn = [
        DiffusersCore(checkpoint, device="cpu", loras=loras).generate(asked)[0]
        for loras in ([], [Lora(file)])
    ]
    assert drawn[0].tobytes() != drawn[1].tobytes()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"unet.nowhere.lora_A.weight": (2, 16), "unet.nowhere.lora_B.weight": (16, 2)}, "nowhere"),
        ({"unet.conv_in.lora_A.weight": (2, 9, 1, 1), "unet.conv_in.lora_B.weight": (9, 2, 1, 1)},
         "does not fit 'unet.conv_in'"),
        ({"unet.conv_in.lora_A.weight": (2, 4, 3, 3)}, "does not fit"),
        ({"unet.conv_in.hada_w1_a": (2, 4)}, "no part of a plain LoRA"),
        ({}, "is empty"),
    ],
)  # fmt: skip
def test_what_fits_nowhere_is_refused(
    tiny_sd: Path, tmp_path: Path, tensors: dict[str, tuple[int, ...]], words: str
) -> None:
    file = tmp_path / "wrong.safetensors"
    save_file({name: torch.ones(shape) for name, shape in tensors.items()}, file)
    with pytest.raises(CoreUnavailable, match=words):
        DiffusersCore(tiny_sd, device="cpu", loras=[Lora(file)]).generate(request())


def test_a_convolution_is_changed_by_its_whole_kernel(tiny_sd: Path, tmp_path: Path) -> None:
    file = tmp_path / "conv.safetensors"
    down, up = torch.randn(RANK, 4, 3, 3), torch.randn(8, RANK, 1, 1)
    save_file({"unet.conv_in.lora_A.weight": down, "unet.conv_in.lora_B.weight": up}, file)
    cores = [DiffusersCore(tiny_sd, device="cpu", loras=loras) for loras in ([], [Lora(file)])]
    for core in cores:
        core.generate(request())
    plain, changed = (core._loaded.unet.conv_in.weight for core in cores)
    torch.testing.assert_close(
        changed - plain, torch.einsum("or,rihw->oihw", up[..., 0, 0], down), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "weight", "words"),
    [
        ("a.pt", 1.0, "not in .safetensors"),
        ("a.safetensors.bin", 1.0, "not in .safetensors"),
        ("missing.safetensors", 1.0, "no LoRA at"),
        ("there.safetensors", float("nan"), "weight is nan"),
        ("there.safetensors", 11.0, "from -10 to 10"),
    ],
)
def test_a_file_that_may_not_be_read_is_refused_at_once(
    tiny_sd: Path, tmp_path: Path, name: str, weight: float, words: str
) -> None:
    (tmp_path / "there.safetensors").write_bytes(b"")
    with pytest.raises(CoreUnavailable, match=words):
        DiffusersCore(tiny_sd, loras=[Lora(tmp_path / name, weight)])


def test_a_damaged_file_makes_the_core_unavailable(tiny_sd: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"no weights at all")
    with pytest.raises(CoreUnavailable, match="cannot be read"):
        DiffusersCore(tiny_sd, device="cpu", loras=[Lora(file)]).generate(request())


def test_a_declared_core_has_its_loras_and_its_precision(
    tiny_sd: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    lora = {"path": str(files["peft"]), "weight": 0.5}
    table = {"kind": "diffusers", "name": "own", "path": str(tiny_sd), "device": "cpu"}
    (plain, own) = (
        load_named_core("own", [table | more], tmp_path)
        for more in ({}, {"loras": [lora], "dtype": "float32"})
    )
    wanted = DiffusersCore(tiny_sd, device="cpu", loras=[Lora(files["peft"], 0.5)])
    assert own.info.digest == wanted.info.digest != plain.info.digest
    assert own.generate(request())[0].tobytes() == wanted.generate(request())[0].tobytes()
    with pytest.raises(HomeInvalid, match="dtype"):
        load_named_core("own", [table | {"dtype": "int8"}], tmp_path)


def test_a_precision_can_be_chosen(tiny_sd: Path) -> None:
    core = DiffusersCore(tiny_sd, device="cpu", dtype="bfloat16")
    assert core.generate(request())[0].shape == (64, 64, 3)
    assert core._loaded.unet.dtype is torch.bfloat16
