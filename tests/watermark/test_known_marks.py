"""The fixed marks of other generators are named, written as those generators write them."""

import math

import numpy as np
import pytest
import torch

from provenance.picture import Pixels, decode, encode
from provenance.verify import Sources, Verdict, verify
from provenance.watermark import FALSE_POSITIVE_LIMIT, known, load_scheme
from provenance.watermark.known import KNOWN_MARKS, KnownMark, recognise
from tests.watermark.pictures import flat, photographs, textured

EACH = pytest.mark.parametrize("mark", KNOWN_MARKS, ids=lambda m: m.written_by)


def written(picture: Pixels, mark: KnownMark) -> Pixels:
    """As the reference scripts and InvokeAI do: BGR in 8 bits, the text as bytes."""
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bytes", mark.payload)
    return np.ascontiguousarray(encoder.encode(picture[..., ::-1].copy(), "dwtDct")[..., ::-1])


def written_by_diffusers(picture: Pixels) -> Pixels:
    """By diffusers' own code, on a tensor in -1..1, rounded afterwards as its pipelines do."""
    from diffusers.pipelines.stable_diffusion_xl.watermark import StableDiffusionXLWatermarker

    tensor = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1.0).permute(2, 0, 1)[None]
    made = StableDiffusionXLWatermarker().apply_watermark(tensor)
    unit = (made / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    return (unit * 255).round().astype(np.uint8)


def as_its_writer_does(picture: Pixels, mark: KnownMark) -> Pixels:
    return written_by_diffusers(picture) if mark.floats else written(picture, mark)


@EACH
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_fixed_mark_is_named_with_its_probability(mark: KnownMark, name: str) -> None:
    found = load_scheme("dwtDct").detect(as_its_writer_does(photographs()[name], mark))
    assert found is not None
    assert found.known_as == mark.written_by
    assert found.payload == mark.payload
    assert 2.0 ** -(8 * len(mark.payload)) <= found.false_positive_probability
    assert found.false_positive_probability <= FALSE_POSITIVE_LIMIT


def test_all_looks_together_are_wrong_no_more_often_than_one() -> None:
    assert sum(len(mark.looks) / mark.trials for mark in KNOWN_MARKS) <= 1.0


def test_the_bits_of_stable_diffusion_xl_are_those_that_diffusers_writes() -> None:
    from diffusers.pipelines.stable_diffusion_xl import watermark

    assert watermark.WATERMARK_MESSAGE == known.SDXL_BITS


def test_a_mark_is_still_named_after_jpeg_95_where_it_is_long() -> None:
    marked = written(photographs()["coffee"], KNOWN_MARKS[0])
    found = recognise(decode(encode(marked, "jpeg", quality=95)).pixels)
    assert found.mark == KNOWN_MARKS[0]
    assert found.false_positive_probability <= FALSE_POSITIVE_LIMIT


def test_another_mark_of_the_same_method_is_not_taken_for_a_known_one() -> None:
    payload = bytes.fromhex("0123456789abcdef")
    found = load_scheme("dwtDct").detect(
        load_scheme("dwtDct").embed(photographs()["astronaut"], payload)
    )
    assert found is not None
    assert found.payload == payload
    assert found.known_as is None


def test_unmarked_pictures_bear_no_known_mark() -> None:
    unmarked = [*photographs().values(), textured(512, 512, 1), flat(512, 512, (90, 140, 200))]
    assert all(recognise(p).false_positive_probability > 1e-3 for p in unmarked)


@pytest.mark.parametrize("columns", [64, 48, 50, 136])
def test_columns_that_all_look_alike_keep_what_is_claimed(columns: int) -> None:
    rng = np.random.default_rng(columns)
    trials = 150
    claims = []
    for _ in range(trials):
        row = rng.integers(0, 256, (1, columns * 8, 3)).astype(np.uint8)
        claims.append(recognise(np.repeat(row, 256, axis=0)).false_positive_probability)
    for limit in (0.5, 0.1, 0.01):
        assert np.mean(np.array(claims) <= limit) <= limit + 4 * math.sqrt(limit / trials)


def test_the_bound_is_never_below_the_exact_probability_and_reaches_it() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        means = rng.normal(0.0, 1.0, 10)
        signs = rng.choice([-1.0, 1.0], 10)
        every = 1.0 - 2.0 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1)
        exact = np.mean(every @ means >= signs @ means - 1e-12)
        assert known._chance(means, signs) >= exact - 1e-12
    assert known._chance(np.ones(32), np.ones(32)) == pytest.approx(2.0**-32, rel=0.01)


@EACH
def test_a_fixed_mark_establishes_nothing_and_verify_says_who_writes_it(mark: KnownMark) -> None:
    data = encode(as_its_writer_does(photographs()["coffee"], mark), "png")
    report = verify(data, sources=Sources())
    assert report.verdict is Verdict.UNCONFIRMED
    assert report.watermark.known_as == mark.written_by
    assert report.origin == "unknown"
    assert f"the fixed one of {mark.written_by}" in report.summary
