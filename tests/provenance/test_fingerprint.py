"""Fingerprints stay near for copies and far for others."""

from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provenance.fingerprint import (
    BITS,
    MATCH_DISTANCE,
    VARIANTS,
    Fingerprint,
    dihedral,
    distance,
    false_positive_probability,
    fingerprint,
    matches,
)
from provenance.picture import Pixels, decode, encode

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)


@cache
def photographs() -> dict[str, Pixels]:
    from skimage import data

    return {n: np.asarray(getattr(data, n)()) for n in ("astronaut", "coffee", "chelsea")}


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_copy_matches(name: str) -> None:
    original = photographs()[name]
    height, width = original.shape[:2]
    copies = [
        decode(encode(original, "jpeg", quality=50)).pixels,
        cv2.resize(original, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
        cv2.resize(original, (width * 4, height * 4), interpolation=cv2.INTER_CUBIC),
        np.clip(original.astype(int) + 15, 0, 255).astype(np.uint8),
    ]
    for copy in copies:
        assert matches(fingerprint(original), fingerprint(copy))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_large_picture_is_as_near_to_its_half_as_if_they_were_one(name: str) -> None:
    whole = cv2.resize(photographs()[name], (1024, 1024), interpolation=cv2.INTER_CUBIC)
    half = cv2.resize(whole, (512, 512), interpolation=cv2.INTER_AREA)
    assert fingerprint(whole) == fingerprint(half)


def test_other_pictures_do_not_match() -> None:
    for a, b in combinations(photographs().values(), 2):
        assert distance(fingerprint(a), fingerprint(b)) > 80


def test_a_turned_or_mirrored_copy_is_near_one_variant() -> None:
    original = photographs()["astronaut"]
    variants = dihedral(original)
    assert len(variants) == VARIANTS
    assert variants[0] == fingerprint(original)
    for turned in [np.rot90(m, k) for m in (original, original[:, ::-1]) for k in range(4)]:
        copy = fingerprint(np.ascontiguousarray(turned))
        assert min(distance(copy, v) for v in variants) <= MATCH_DISTANCE


def test_a_flat_picture_matches_nothing_not_even_itself() -> None:
    flat = fingerprint(np.full((256, 256, 3), 120, np.uint8))
    assert not flat.usable
    assert not matches(flat, flat)


@given(hashes, hashes, hashes)
def test_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert 0 <= distance(a, b) <= BITS
    assert distance(a, c) <= distance(a, b) + distance(b, c)
    assert (distance(a, b) == 0) == (a == b)


@given(hashes, st.integers(0, 255))
def test_one_changed_bit_is_a_distance_of_one(a: str, bit: int) -> None:
    changed = f"{int(a, 16) ^ (1 << bit):064x}"
    assert distance(a, Fingerprint(pdq=changed, quality=100)) == 1


@given(st.integers(0, BITS - 1), st.integers(1, 10**6))
def test_the_probability_grows_with_distance_and_with_the_search(d: int, searched: int) -> None:
    one = false_positive_probability(d)
    assert 0.0 < one <= false_positive_probability(d + 1) <= 1.0
    assert false_positive_probability(d, comparisons=searched) == pytest.approx(
        min(1.0, searched * one)
    )


@pytest.mark.parametrize(("bits", "share"), [(4, 4.9e-5), (48, 9.9e-5), (61, 1.5e-4), (82, 8.9e-4)])
def test_the_probability_is_no_smaller_than_what_was_measured(bits: int, share: float) -> None:
    """Unrelated scenes of the embedded core, docs/watermark.md."""
    assert false_positive_probability(bits) >= share


@pytest.mark.parametrize("pdq", ["", "00", "g" * 64, "A" * 64])
def test_a_fingerprint_that_is_none_is_refused(pdq: str) -> None:
    with pytest.raises(ValidationError):
        Fingerprint(pdq=pdq, quality=100)
