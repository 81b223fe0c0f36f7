"""The probability that an unmarked picture looks as marked is never claimed too low."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.watermark import load_scheme, presence
from provenance.watermark.presence import SCALE
from tests.support.core import textured_picture

TRIALS = 1500


def claims(values: np.ndarray, length: int = 64) -> float:
    return presence.read(values, length).false_positive_probability


def test_independent_blocks_keep_what_is_claimed() -> None:
    rng = np.random.default_rng(1)
    found = np.array([claims(rng.uniform(0, 2000, 1024)) for _ in range(TRIALS)])
    for limit in (0.5, 0.1, 0.01):
        assert np.mean(found <= limit) <= limit + 4 * math.sqrt(limit / TRIALS)


def test_columns_that_all_look_alike_keep_what_is_claimed() -> None:
    rng = np.random.default_rng(2)
    found = np.array([claims(np.tile(rng.uniform(0, 2000, 64), 16)) for _ in range(TRIALS)])
    for limit in (0.5, 0.1, 0.01):
        assert np.mean(found <= limit) <= limit + 4 * math.sqrt(limit / TRIALS)
    assert np.mean(found <= 0.5) > 0.001, "a bound that is never reached would tell nothing"


@pytest.mark.parametrize("columns", [48, 50, 37, 100])
def test_columns_that_drift_through_the_payload_keep_what_is_claimed(columns: int) -> None:
    rng = np.random.default_rng(columns)
    found = np.array([claims(np.tile(rng.uniform(0, 2000, columns), 38)) for _ in range(600)])
    for limit in (0.1, 0.01):
        assert np.mean(found <= limit) <= limit + 4 * math.sqrt(limit / 600)
    assert found.min() > 1e-5


@pytest.mark.parametrize("value", [1016.0, 1024.0, 1032.0, 9.0, 0.0])
def test_flat_content_is_no_evidence(value: float) -> None:
    assert claims(np.full(4096, value)) == 1.0


@pytest.mark.parametrize("length", [64, 48, 136])
def test_two_alternating_values_are_no_evidence_even_on_the_aim(length: int) -> None:
    values = np.tile([9.0, 27.0], 2048)
    assert claims(values, length) > 0.001


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), blocks=st.integers(600, 3000))
def test_a_clean_mark_is_read_and_seen(seed: int, blocks: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.permutation(np.repeat([0, 1], 32)).astype(np.uint8)
    values = rng.integers(1, 50, blocks) * SCALE + 9.0 + 18.0 * np.resize(bits, blocks)
    reading = presence.read(values + rng.normal(0, 1, blocks), 64)
    assert (reading.bits == bits).all()
    assert reading.false_positive_probability < 1e-6 or presence.distinct_runs(bits) < 16


def test_too_few_repetitions_say_nothing() -> None:
    assert claims(np.full(64 * presence.FEWEST_REPETITIONS - 1, 9.0)) == 1.0


def test_a_payload_that_repeats_within_itself_counts_once() -> None:
    def runs(payload: str) -> int:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(payload), np.uint8))
        return presence.distinct_runs(bits)

    assert runs("0000000000000000") == 0
    assert runs("aaaaaaaaaaaaaaaa") == 2
    assert runs("5344563253445632") <= 20, "those of one half"
    assert runs("ffffffff00000000") == 2
    assert runs("aaaaaaaaaaaaaaae") <= 4, "one bit out of step makes no new payload"


@pytest.mark.parametrize(
    "payload", ["deadbeefcafebabe", "0011223344556677", "0001020304050607", "0123456789abcdef"]
)
def test_a_payload_that_a_person_would_type_is_read_back(payload: str) -> None:
    scheme = load_scheme("dwtDctSvd")
    found = scheme.detect(scheme.embed(textured_picture("x", 512, 512, 3), bytes.fromhex(payload)))
    assert found is not None
    assert found.payload.hex() == payload
