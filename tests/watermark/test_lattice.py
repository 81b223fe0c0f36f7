"""lattice: a mark that is found again however the picture was turned, and only there."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MarkInvalid
from provenance.picture import Pixels, decode, encode
from provenance.watermark import load_scheme
from provenance.watermark.keys import key_id
from provenance.watermark.lattice import PUBLIC_KEY, Lattice, code
from provenance.watermark.lattice.carrier import TILE, carrier
from provenance.watermark.lattice.plane import fold, plane, residual
from provenance.watermark.lattice.reading import ORIENTATIONS, sight
from tests.watermark.pictures import flat, photographs, textured

PAYLOAD = bytes.fromhex("0123456789abcdef")
LATTICE = Lattice()


def photograph(name: str) -> Pixels:
    return cv2.resize(photographs()[name], (512, 512), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module", params=["astronaut", "chelsea"])
def marked(request: pytest.FixtureRequest) -> Pixels:
    return LATTICE.embed(photograph(request.param), PAYLOAD)


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    way = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=way)


def rotated(picture: Pixels, degrees: float) -> Pixels:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC)


def noisy(picture: Pixels, sigma: float) -> Pixels:
    grain = np.random.default_rng(1).normal(0.0, sigma, picture.shape)
    return np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)


def in_perspective(picture: Pixels) -> Pixels:
    corners = np.float32([[0, 0], [512, 0], [512, 512], [0, 512]])
    moved = corners + np.float32([[8, -6], [-10, 5], [6, 9], [-7, -9]])
    return cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, moved), (512, 512))


ATTACKS = {
    "jpeg 30": lambda p: decode(encode(p, "jpeg", quality=30)).pixels,
    "webp 50": lambda p: decode(encode(p, "webp", quality=50)).pixels,
    "brightness": lambda p: np.clip(p * 1.3, 0, 255).astype(np.uint8),
    "noise": lambda p: noisy(p, 20.0),
    "mirrored": lambda p: p[:, ::-1],
    "quarter turn": np.rot90,
    "a third of its size": lambda p: resized(p, 171, 171),
    "twice its size": lambda p: resized(p, 1024, 1024),
    "half of it": lambda p: p[100:462, 130:492],
    "a quarter of it": lambda p: p[97:353, 180:436],
    "stretched": lambda p: resized(p, 512, 470),
    "turned by 33 degrees": lambda p: rotated(p, 33.0),
    "turned and mirrored": lambda p: rotated(p[:, ::-1], -71.0),
    "in perspective": in_perspective,
    "a screenshot": lambda p: decode(
        encode(resized(p[20:490, 15:500], 388, 376), "jpeg", quality=60)
    ).pixels,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_mark_survives(attack: str, marked: Pixels) -> None:
    found = LATTICE.detect(np.ascontiguousarray(ATTACKS[attack](marked)))

    assert found is not None
    assert found.payload == PAYLOAD
    assert found.false_positive_probability < 1e-9


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_mark_is_faint(name: str) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    picture = photograph(name)
    marked = LATTICE.embed(picture, PAYLOAD)

    assert peak_signal_noise_ratio(picture, marked) > 40.0
    assert structural_similarity(picture, marked, channel_axis=2) > 0.98
    assert np.abs(marked.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 0.5


@settings(max_examples=12)
@given(
    payload=st.binary(min_size=8, max_size=8),
    short=st.integers(256, 700),
    aspect=st.floats(1.0, 3.0),
    upright=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_payload_comes_back_from_any_size(
    payload: bytes, short: int, aspect: float, upright: bool, seed: int
) -> None:
    sides = (short, int(short * aspect))
    picture = textured(*(sides if upright else sides[::-1]), seed)

    marked = LATTICE.embed(picture, payload)
    found = LATTICE.detect(marked)

    assert marked.shape == picture.shape
    assert found is not None
    assert found.payload == payload


def test_the_geometry_is_told() -> None:
    marked = LATTICE.embed(photograph("astronaut"), PAYLOAD)

    turned = LATTICE.detect(rotated(marked, 25.0))
    assert turned is not None
    assert turned.geometry is not None
    assert turned.geometry.rotation == pytest.approx(25.0, abs=0.3)
    assert turned.geometry.scale == pytest.approx(1.0, abs=0.01)
    assert not turned.geometry.flipped

    cut = LATTICE.detect(marked[100:462, 130:492])
    assert cut is not None
    assert cut.geometry is not None
    assert cut.geometry.scale == pytest.approx(512 / 362, abs=0.01)

    mirrored = LATTICE.detect(rotated(marked[:, ::-1], -40.0))
    assert mirrored is not None
    assert mirrored.geometry is not None
    assert mirrored.geometry.flipped
    assert mirrored.geometry.rotation == pytest.approx(-40.0, abs=0.3)


def test_marking_is_deterministic() -> None:
    picture = textured(300, 400, 3)

    assert np.array_equal(LATTICE.embed(picture, PAYLOAD), LATTICE.embed(picture, PAYLOAD))


def test_a_picture_is_marked_the_same_however_it_lies_in_memory() -> None:
    picture = photograph("astronaut")
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)).transpose(1, 2, 0)
    mirrored = np.ascontiguousarray(picture[:, ::-1])[:, ::-1]
    expected = LATTICE.embed(picture, PAYLOAD)
    for laid in (planes, mirrored):
        assert np.array_equal(LATTICE.embed(laid, PAYLOAD), expected)


def test_a_mark_is_read_with_its_key_only() -> None:
    picture = photograph("chelsea")
    old, new = b"k" * 32, b"n" * 32
    marked = Lattice([old]).embed(picture, PAYLOAD)

    found = Lattice([new, old]).detect(marked)

    assert Lattice([new]).detect(marked) is None
    assert LATTICE.detect(marked) is None
    assert found is not None
    assert (found.payload, found.key_id) == (PAYLOAD, key_id(old))


def test_no_key_is_refused() -> None:
    for keys in ([], [b""]):
        with pytest.raises(MarkInvalid, match="needs a key"):
            Lattice(keys)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_an_unmarked_picture_has_no_mark(name: str) -> None:
    picture = photographs()[name]

    for view in (picture, picture[20:280, 30:290], rotated(picture, 10.0)):
        assert LATTICE.detect(np.ascontiguousarray(view)) is None


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 120, 200)])
def test_one_colour_is_marked_and_found_or_refused(colour: tuple[int, int, int]) -> None:
    picture = flat(512, 512, colour)

    assert LATTICE.detect(picture) is None
    found = LATTICE.detect(LATTICE.embed(picture, PAYLOAD))
    assert found is not None
    assert found.payload == PAYLOAD


@pytest.mark.parametrize(
    ("width", "height", "says"), [(255, 300, "256"), (256, 800, "1:3"), (8193, 300, "8,192")]
)
def test_a_picture_out_of_range_is_refused_with_the_limit(
    width: int, height: int, says: str
) -> None:
    with pytest.raises(MarkInvalid, match=says):
        LATTICE.embed(np.zeros((height, width, 3), np.uint8), PAYLOAD)


def test_a_payload_of_another_length_is_refused() -> None:
    with pytest.raises(MarkInvalid, match="16 hex digits"):
        LATTICE.embed(textured(300, 300, 0), PAYLOAD[:4])


def test_what_is_too_small_to_read_has_no_mark() -> None:
    assert LATTICE.detect(np.zeros((63, 100, 3), np.uint8)) is None
    assert LATTICE.detect(np.zeros((64, 1000, 3), np.uint8)) is None


def test_it_is_the_public_key_that_anybody_reads_with() -> None:
    marked = Lattice([PUBLIC_KEY]).embed(textured(400, 400, 5), PAYLOAD)

    found = load_scheme("lattice", keys=[b"of a deployment"]).detect(marked)

    assert found is not None
    assert found.payload == PAYLOAD


@given(st.binary(min_size=8, max_size=8), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_code_mends_what_noise_does(payload: bytes, seed: int) -> None:
    word = code.encode(payload, b"key")
    energy = 5.0 * 96 / code.CODE_LENGTH  # five times the noise for each bit
    noise = np.random.default_rng(seed).normal(size=code.CODE_LENGTH)

    decoded = code.decode(math.sqrt(energy) * word + noise, b"key")
    assert decoded == code.Decoded(payload, tried=1)
    assert code.decode(word.astype(np.float64), b"other") is None


def test_a_list_of_words_mends_what_the_likeliest_does_not() -> None:
    word = code.encode(PAYLOAD, b"key")
    energy = 1.9 * 96 / code.CODE_LENGTH
    draws = np.random.default_rng(3).normal(size=(40, code.CODE_LENGTH))
    soft = math.sqrt(energy) * word + draws

    alone = [code.decode(one, b"key") for one in soft]
    listed = [code.decode(one, b"key", 64) for one in soft]

    assert all(found is None or found.payload == PAYLOAD for found in alone + listed)
    mended = [found for found, one in zip(listed, alone, strict=True) if found and not one]
    assert mended
    assert all(found.tried > 1 for found in mended)


def test_each_word_of_a_list_passes_its_check_by_chance_alone() -> None:
    """On a tightened toy: the first 8 bits of the check, which 1 in 256 words pass."""
    rng = np.random.default_rng(4)
    passed = tried = 0
    for _ in range(60):
        for bits in code._likeliest(rng.normal(size=code.CODE_LENGTH), 64):
            word = np.packbits(bits).tobytes()
            passed += word[8] == code._check(word[:8], b"key")[0]
            tried += 1

    expected = tried / 256
    assert abs(passed - expected) <= 4.0 * math.sqrt(expected)


def test_pilots_agree_by_chance_no_more_often_than_their_bound_says() -> None:
    folded = fold(residual(plane(photographs()["astronaut"])))
    keys = [bytes([i, j]) for i in range(1, 21) for j in range(20)]
    scores = np.array([sight(carrier(key), folded).score for key in keys])
    places = ORIENTATIONS * TILE * TILE

    for score in np.arange(4.0, 6.0, 0.2):
        bound = min(1.0, places * math.exp(-score * score / 2.0))
        allowed = bound + 3.0 * math.sqrt(bound * (1.0 - bound) / len(keys))
        assert (scores >= score).mean() <= allowed
