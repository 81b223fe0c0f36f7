"""The port's promises, kept by real pipelines of random weights."""

import inspect
import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled, InvalidRequest
from guard.generation import GenerationRequest
from guard.generation.diffusers_core import DiffusersCore, arguments_for


def request(**changes: object) -> GenerationRequest:
    asked = {
        "prompt": "a red house",
        "width": 64,
        "height": 64,
        "steps": 3,
        "guidance": 3.0,
        "seed": 7,
    }
    return GenerationRequest.model_validate(asked | changes)


def with_weights(source: Path, target: Path, part: str, ending: str, value: float) -> DiffusersCore:
    """A copy of a checkpoint in which the weights of a part with that name's ending are `value`."""
    shutil.copytree(source, target)
    for path in (target / part).glob("*.safetensors"):
        weights = load_file(path)
        for name in weights:
            if name.endswith(ending):
                weights[name].fill_(value)
        save_file(weights, path, metadata={"format": "pt"})
    return DiffusersCore(target, device="cpu")


def test_weights_are_loaded_when_asked_for_and_no_second_time(tiny_sd: Path) -> None:
    core = DiffusersCore(tiny_sd, device="cpu")
    assert core._loaded is None
    core.load()
    loaded = core._loaded
    core.generate(request())
    assert core._loaded is loaded is not None


def test_the_same_seed_gives_the_same_bytes(tiny_core: DiffusersCore) -> None:
    first, second = (tiny_core.generate(request())[0] for _ in range(2))
    assert first.dtype == np.uint8
    assert first.shape == (64, 64, 3)
    assert first.tobytes() == second.tobytes()


def test_another_seed_gives_another_picture(tiny_core: DiffusersCore) -> None:
    pictures = [tiny_core.generate(request(seed=seed))[0] for seed in (7, 8)]
    assert pictures[0].tobytes() != pictures[1].tobytes()


def test_each_picture_of_a_batch_can_be_drawn_alone(tiny_core: DiffusersCore) -> None:
    batch = tiny_core.generate(request(count=3))
    assert len(batch) == 3
    for i, together in enumerate(batch):
        alone = tiny_core.generate(request(seed=7 + i))[0]
        assert np.abs(together.astype(int) - alone).max() <= 1


def test_requests_of_one_batch_are_drawn_as_each_would_be_alone(tiny_core: DiffusersCore) -> None:
    asked = [request(seed=3), request(prompt="a boat", seed=90, count=2), request(seed=3)]
    batch = tiny_core.generate_batch(asked)
    assert [len(pictures) for pictures in batch] == [1, 2, 1]
    for one, together in zip(asked, batch, strict=True):
        for picture, alone in zip(together, tiny_core.generate(one), strict=True):
            assert np.abs(picture.astype(int) - alone).max() <= 1
    assert batch[0][0].tobytes() != batch[1][0].tobytes()


@pytest.mark.parametrize(
    "changes",
    [{"width": 96}, {"height": 96}, {"steps": 4}, {"guidance": 2.0}, {"negative_prompt": "fog"}],
)
def test_requests_that_differ_in_kind_are_not_drawn_in_one_batch(
    tiny_core: DiffusersCore, changes: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest, match="of one size"):
        tiny_core.generate_batch([request(), request(**changes)])


def test_a_batch_has_no_more_pictures_than_the_core_holds(tiny_core: DiffusersCore) -> None:
    most = tiny_core.info.max_batch
    with pytest.raises(InvalidRequest, match=f"at most {most}"):
        tiny_core.generate_batch([request(count=most), request()])


def test_a_batch_of_nothing_is_refused(tiny_core: DiffusersCore) -> None:
    with pytest.raises(InvalidRequest, match="nothing to draw"):
        tiny_core.generate_batch([])


def test_width_and_height_are_not_mixed_up(tiny_core: DiffusersCore) -> None:
    assert tiny_core.generate(request(width=96, height=64))[0].shape == (64, 96, 3)


def test_the_negative_prompt_has_an_effect(tiny_core: DiffusersCore) -> None:
    plain = tiny_core.generate(request())[0]
    without = tiny_core.generate(request(negative_prompt="a boat on the sea"))[0]
    assert plain.tobytes() != without.tobytes()


def test_progress_counts_every_step(tiny_core: DiffusersCore) -> None:
    seen: list[tuple[int, int]] = []
    tiny_core.generate(request(), progress=lambda done, whole: seen.append((done, whole)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_cancelling_stops_at_the_next_step(tiny_core: DiffusersCore) -> None:
    steps: list[int] = []
    with pytest.raises(GenerationCancelled):
        tiny_core.generate(
            request(steps=20),
            progress=lambda done, _: steps.append(done),
            cancelled=lambda: len(steps) >= 2,
        )
    assert steps == [1, 2]


def test_a_request_that_waits_its_turn_can_be_cancelled(tiny_core: DiffusersCore) -> None:
    drawing, finish = threading.Event(), threading.Event()

    def hold(_done: int, _whole: int) -> None:
        drawing.set()
        finish.wait(30)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(tiny_core.generate, request(), progress=hold)
        assert drawing.wait(30)
        with pytest.raises(GenerationCancelled):
            tiny_core.generate(request(), cancelled=lambda: True)
        finish.set()
        assert len(first.result()) == 1


def test_after_a_cancelled_request_the_core_draws_as_before(tiny_core: DiffusersCore) -> None:
    before = tiny_core.generate(request())[0]
    with pytest.raises(GenerationCancelled):
        tiny_core.generate(request(), cancelled=lambda: True)
    assert tiny_core.generate(request())[0].tobytes() == before.tobytes()


def test_threads_get_what_they_asked_for(tiny_core: DiffusersCore) -> None:
    asked = [request(seed=seed, steps=2 + seed % 3) for seed in range(6)]
    alone = [tiny_core.generate(one)[0].tobytes() for one in asked]
    with ThreadPoolExecutor(4) as pool:
        together = [drawn[0].tobytes() for drawn in pool.map(tiny_core.generate, asked)]
    assert together == alone


@given(
    width=st.integers(-100, 400),
    height=st.integers(-100, 400),
    steps=st.integers(-2, 200),
    count=st.integers(-2, 12),
)
def test_what_passes_the_limits_is_within_them(
    tiny_core: DiffusersCore, width: int, height: int, steps: int, count: int
) -> None:
    info = tiny_core.info
    sides = all(
        info.min_side <= side <= info.max_side and side % info.size_multiple == 0
        for side in (width, height)
    )
    inside = sides and 1 <= steps <= info.max_steps and 1 <= count <= info.max_batch
    asked = request(width=width, height=height, steps=steps, count=count)
    if inside:
        info.check(asked)
    else:
        with pytest.raises(InvalidRequest, match=r"\d"):
            info.check(asked)


def test_a_size_off_the_grid_is_refused_with_the_grid(tiny_core: DiffusersCore) -> None:
    with pytest.raises(InvalidRequest, match="multiple of 8 from 64 to 128"):
        tiny_core.generate(request(width=70))


def test_numbers_that_are_no_picture_are_a_failure(tiny_sd: Path, tmp_path: Path) -> None:
    core = with_weights(tiny_sd, tmp_path / "nan", "unet", "", float("nan"))
    with pytest.raises(CoreFailed, match="no picture at step 1"):
        core.generate(request())


def test_a_decoder_that_gives_no_numbers_is_a_failure(tiny_sd: Path, tmp_path: Path) -> None:
    core = with_weights(tiny_sd, tmp_path / "nan", "vae", "", float("nan"))
    with pytest.raises(CoreFailed, match="no picture"):
        core.generate(request())


def test_nothing_but_black_is_a_failure(tiny_sd: Path, tmp_path: Path) -> None:
    core = with_weights(tiny_sd, tmp_path / "black", "vae", "decoder.conv_out.bias", -1e3)
    with pytest.raises(CoreFailed, match="black"):
        core.generate(request())


def test_weights_that_cannot_be_read_make_the_core_unavailable(
    tiny_sd: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_sd, tmp_path / "broken"))
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"not weights")
    core = DiffusersCore(broken, device="cpu")
    for use in (core.load, lambda: core.generate(request())):
        with pytest.raises(CoreUnavailable, match="cannot be loaded"):
            use()


def with_memory_for(pictures: int, checkpoint: Path, error: Exception) -> DiffusersCore:
    """A core whose denoiser fails as an allocator does on more than so many pictures."""
    core = DiffusersCore(checkpoint, device="cpu")
    core.generate(request())  # loads

    def allocate(_: object, arguments: tuple[torch.Tensor, ...]) -> None:
        if len(arguments[0]) > 2 * pictures:  # each is drawn with and without its prompt
            raise error

    core._loaded.unet.register_forward_pre_hook(allocate)
    return core


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["accelerator", "cpu"])
def test_where_memory_is_short_fewer_pictures_are_drawn_at_once(
    tiny_core: DiffusersCore, tiny_sd: Path, error: Exception
) -> None:
    seen: list[tuple[int, int]] = []
    drawn = with_memory_for(2, tiny_sd, error).generate(
        request(count=5), progress=lambda done, whole: seen.append((done, whole))
    )
    for one, enough in zip(drawn, tiny_core.generate(request(count=5)), strict=True):
        assert np.abs(one.astype(int) - enough).max() <= 1
    assert seen[-1] == (9, 9)  # three runs of three steps
    assert seen == sorted(seen)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["accelerator", "cpu"])
def test_without_memory_for_one_picture_a_smaller_one_is_advised(
    tiny_sd: Path, error: Exception
) -> None:
    with pytest.raises(CoreFailed, match="memory for one picture of 64x64"):
        with_memory_for(0, tiny_sd, error).generate(request(count=2))


def test_prompts_are_not_logged(
    tiny_core: DiffusersCore, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    tiny_core.generate(request(prompt="a secret " * 60))
    written = capfd.readouterr()
    assert "secret" not in caplog.text + written.out + written.err


def test_sdxl_checkpoints_are_drawn_from_too(tmp_path: Path) -> None:
    from tests.generation.tiny import stable_diffusion_xl

    core = DiffusersCore(stable_diffusion_xl(tmp_path), device="cpu")
    assert core.info.default_guidance == 5.0
    first, second = (core.generate(request(count=2, negative_prompt="a boat")) for _ in range(2))
    assert [p.shape for p in first] == [(64, 64, 3)] * 2
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("family", ["pixart", "sana"])
def test_families_that_only_draw_say_so_and_keep_every_other_promise(
    family: str, tmp_path: Path
) -> None:
    from tests.generation import tiny

    core = DiffusersCore(getattr(tiny, family)(tmp_path), device="cpu")
    assert not core.info.edits
    seen: list[tuple[int, int]] = []
    asked = request(count=2, negative_prompt="a boat", width=128)
    first = core.generate(asked, progress=lambda done, whole: seen.append((done, whole)))
    assert [picture.shape for picture in first] == [(64, 128, 3)] * 2
    assert seen == [(1, 3), (2, 3), (3, 3)]
    alone = core.generate(asked.singles[1])[0]
    assert np.abs(first[1].astype(int) - alone).max() <= 1
    steps: list[int] = []
    with pytest.raises(GenerationCancelled):
        core.generate(
            request(steps=9),
            progress=lambda done, _: steps.append(done),
            cancelled=lambda: len(steps) >= 2,
        )
    assert steps == [1, 2]


@pytest.mark.parametrize(
    "family",
    [
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusion3Pipeline",
        "FluxPipeline",
    ],
)
def test_every_family_is_asked_only_for_what_it_takes(family: str) -> None:
    pipeline = getattr(diffusers, family)
    accepted = inspect.signature(pipeline.__call__).parameters
    for asked in (request(), request(negative_prompt="a boat")):
        arguments = arguments_for(pipeline, [asked])
        assert set(arguments) <= set(accepted)
        assert "callback_on_step_end" in accepted
