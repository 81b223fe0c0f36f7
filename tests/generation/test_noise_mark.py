"""The mark in the noise: normal to all but the owner of the key, and never found by chance."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from guard.deployment import build_pipeline, load_noise_scheme
from guard.errors import InvalidRequest
from guard.generation import GenerationRequest
from guard.generation.core import MarkedNoise
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.inversion import Level, parts
from guard.generation.noise_mark import NoiseMark
from guard.generation.noise_scheme import NoiseScheme, noise_mark
from guard.pipeline import ImageRequest, deliver
from guard.verification import Asked
from provenance.errors import HomeInvalid, MarkInvalid
from provenance.home import SETTINGS_FILE, Home
from provenance.picture import decode, encode
from provenance.verify import verify
from tests.generation import tiny
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import home, pipeline_of

__all__ = ["home"]

# diffusers' DPM-Solver hands torch tensors to np.array, which numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MARK = NoiseMark(b"k" * 32)
OTHER = NoiseMark(b"o" * 32)
CELLS = 1024
LIMIT = 1e-6


def noises(count: int, cells: int = CELLS) -> tuple[list[bytes], np.ndarray]:
    """Payloads, and the noise that each is in."""
    chance = np.random.default_rng(1)
    payloads = [chance.bytes(8) for _ in range(count)]
    sizes = np.abs(chance.standard_normal((count, cells), np.float32))
    return payloads, sizes * np.stack([MARK.signs(payload, cells) for payload in payloads])


@settings(max_examples=4)
@given(payload=st.binary(min_size=8, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_any_payload_survives_what_drowns_most_of_the_noise(payload: bytes, seed: int) -> None:
    chance = np.random.default_rng(seed)
    noise = MARK.signs(payload, CELLS) * np.abs(chance.standard_normal(CELLS, np.float32))
    found = MARK.read(noise + chance.standard_normal(CELLS, np.float32))
    assert found is not None
    assert found.payload == payload
    assert found.false_positive_probability < LIMIT


def test_marked_noise_is_standard_normal() -> None:
    noise = noises(200)[1]
    assert kstest(noise.ravel(), "norm").pvalue > 0.01
    for cell in range(0, CELLS, 64):  # each by itself, over all pictures
        assert kstest(noise[:, cell], "norm").pvalue > 1e-4
    away = np.abs(np.corrcoef(noise) - np.eye(len(noise)))  # of any two pictures
    assert away.max() < 6 / math.sqrt(CELLS)


def test_neighbouring_numbers_of_marked_noise_tell_nothing_of_one_another() -> None:
    signs = np.sign(noises(200)[1])
    for lag in (1, 2, 8, 32, CELLS // 4):
        together = float((signs[:, lag:] * signs[:, :-lag]).mean())
        assert abs(together) < 5 / math.sqrt(signs[:, lag:].size)


def test_without_the_key_nothing_is_read() -> None:
    payloads, noise = noises(4)
    for payload, one in zip(payloads, noise, strict=True):
        found = OTHER.read(one)
        assert found is not None
        assert found.payload != payload
        assert found.false_positive_probability > LIMIT


def test_noise_without_a_mark_never_looks_marked() -> None:
    chance = np.random.default_rng(2)
    for spread in (lambda: chance.standard_normal(CELLS), lambda: chance.standard_cauchy(CELLS)):
        for _ in range(4):
            found = MARK.read(spread().astype(np.float32))
            assert found is not None
            assert found.false_positive_probability > LIMIT


@pytest.mark.parametrize("noise", [np.zeros(CELLS), np.full(CELLS, np.nan), np.ones(16)])
def test_what_is_no_noise_is_not_read(noise: np.ndarray) -> None:
    assert MARK.read(noise.astype(np.float32)) is None


@pytest.mark.parametrize(("payload", "cells"), [(b"short", CELLS), (bytes(8), 31)])
def test_what_cannot_be_marked_is_refused(payload: bytes, cells: int) -> None:
    with pytest.raises(InvalidRequest, match="8 bytes in at least 32"):
        MARK.signs(payload, cells)


def test_the_key_is_not_shown() -> None:
    asked = MarkedNoise(MARK, (bytes(8),))
    assert "kkkk" not in repr(asked)
    assert noise_mark(b"k" * 32).key != b"k" * 32  # the pixels' mark and this one share no secret


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction", "flow_prediction"])
def test_what_a_model_says_is_parted_into_picture_and_noise(predicts: str) -> None:
    scheduler = DPMSolverMultistepScheduler(prediction_type=predicts, steps_offset=1)
    picture, noise = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1))
    straight = predicts == "flow_prediction"
    at = Level(0, 0.6, 0.4 if straight else 0.8)
    said = {
        "epsilon": noise,
        "v_prediction": at.signal * noise - at.noise * picture,
        "flow_prediction": noise - picture,
    }[predicts]
    parted = parts(scheduler, at.signal * picture + at.noise * noise, said, at)
    assert torch.allclose(parted[0], picture, atol=1e-5)
    assert torch.allclose(parted[1], noise, atol=1e-5)


# A core that keeps all of its noise, so that every way back to it must find it.


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> DiffusersCore:
    return DiffusersCore(tiny.mirror(tmp_path_factory.mktemp("mirror")), device="cpu")


def asked(mirror: DiffusersCore, **changes: object) -> GenerationRequest:
    info = mirror.info
    request = info.request("a sea", seed=7)
    return request.model_copy(update=changes)


def test_each_picture_of_a_batch_carries_its_own_payload(mirror: DiffusersCore) -> None:
    keys = [bytes([number] * 32) for number in range(2)]
    payloads = tuple(bytes([number] * 8) for number in (1, 2))
    noise = MarkedNoise(noise_mark(keys[0]), payloads)
    pictures = mirror.generate(asked(mirror, noise=noise, count=2))
    reader = NoiseScheme(mirror, [keys[1], keys[0]])
    for picture, payload in zip(pictures, payloads, strict=True):
        found = reader.detect(picture)
        assert found is not None
        assert found.payload == payload
    alone = mirror.generate(asked(mirror, noise=noise, count=2).singles[1])[0]
    assert np.abs(alone.astype(int) - pictures[1]).max() <= 1
    assert reader.detect(mirror.generate(asked(mirror))[0]) is None


def test_the_mark_is_found_in_a_picture_that_was_made_smaller(mirror: DiffusersCore) -> None:
    key, payload = b"k" * 32, b"12345678"
    noise = MarkedNoise(noise_mark(key), (payload,))
    (drawn,) = mirror.generate(asked(mirror, noise=noise))
    smaller = cv2.resize(drawn, (300, 300), interpolation=cv2.INTER_AREA)
    found = NoiseScheme(mirror, [key]).detect(decode(encode(smaller, "jpeg", quality=50)).pixels)
    assert found is not None
    assert found.payload == payload


def test_a_picture_of_another_kind_is_not_marked(mirror: DiffusersCore) -> None:
    reader = NoiseScheme(mirror, [b"k" * 32])
    for width, height in ((512, 512), (333, 222), (900, 40)):
        assert reader.detect(textured_picture("t", width, height, 1)) is None
    with pytest.raises(MarkInvalid, match="while a picture is drawn"):
        reader.embed(textured_picture("t", 512, 512, 1), bytes(8))


def test_a_picture_that_lost_all_else_leads_to_its_record(
    home: Home, mirror: DiffusersCore
) -> None:
    mark = noise_mark(home.mark_keys[0].key)
    pipeline = replace(pipeline_of(home, core=mirror), noise_mark=mark)
    (released,) = pipeline.run(ImageRequest(prompt="a calm sea")).released
    assert released.entry is not None
    assert released.entry.body["noise_marked"] is True
    blurred = cv2.GaussianBlur(decode(deliver(released)).pixels, (0, 0), 3.0)
    bare = encode(blurred, "jpeg", quality=60)
    scheme = NoiseScheme(mirror, [key.key for key in home.mark_keys])
    plain, asking = home.sources(), replace(home.sources(), last_resort=(scheme,))
    assert not verify(bare, sources=plain).watermark.found
    report = verify(bare, sources=asking)
    assert (report.watermark.scheme, report.watermark.payload) == (
        "starting-noise",
        released.content_id,
    )
    assert report.record.id == released.content_id


def test_a_core_that_cannot_mark_its_noise_stops_the_start(home: Home) -> None:
    with (home.path / SETTINGS_FILE).open("a") as written:
        written.write('[[cores]]\nkind = "openai"\nname = "cloud"\nmodel = "m"\n')
        written.write('url = "https://images.example/v1"\n')
    settings_file = home.path / SETTINGS_FILE
    settings_file.write_text('noise_marks = ["cloud", "scenes"]\n' + settings_file.read_text())
    opened = Home.open(home.path)
    with pytest.raises(HomeInvalid, match="cloud does not mark"):
        build_pipeline(opened, core="cloud")
    assert build_pipeline(opened).noise_mark == noise_mark(opened.mark_keys[0].key)
    with pytest.raises(InvalidRequest, match="cannot tell what noise"):
        load_noise_scheme(opened, "cloud")
    opened.ledger.close()
    asking = Asked(home=home.path, noise_core="scenes").sources
    assert [scheme.name for scheme in asking.last_resort] == ["starting-noise"]


def test_a_misspelt_core_in_noise_marks_stops_the_start(home: Home) -> None:
    settings_file = home.path / SETTINGS_FILE
    settings_file.write_text('noise_marks = ["scene"]\n' + settings_file.read_text())
    opened = Home.open(home.path)
    with pytest.raises(HomeInvalid, match=r"no core scene; there are scenes\. Correct"):
        build_pipeline(opened)
    opened.ledger.close()


def test_edits_and_unable_cores_draw_no_marked_noise() -> None:
    core = InMemoryCore()
    request = GenerationRequest(prompt="a", width=64, height=64, steps=1, guidance=1.0, seed=0)
    noise = MarkedNoise(MARK, (bytes(8),))
    with pytest.raises(InvalidRequest, match="does not mark the noise"):
        core.generate(request.model_copy(update={"noise": noise}))
    able = core.info.model_copy(update={"marks_noise": True})
    able.check(request.model_copy(update={"noise": noise}))
    with pytest.raises(InvalidRequest, match="1 payloads for 2 pictures"):
        able.check(request.model_copy(update={"noise": noise, "count": 2}))
