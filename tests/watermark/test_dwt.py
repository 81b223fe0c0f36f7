"""dwtDct and dwtDctSvd: what they write is read, by them and by invisible-watermark."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provenance.errors import MarkInvalid, WatermarkFailed
from provenance.picture import Pixels, decode, encode
from provenance.watermark import FALSE_POSITIVE_LIMIT, presence
from provenance.watermark.dwt import (
    DWT_DCT,
    DWT_DCT_SVD,
    FEWEST_RUNS,
    DwtScheme,
    largest_singular,
)
from tests.watermark.pictures import flat, photographs, textured

PAYLOAD = bytes.fromhex("0123456789abcdef")
BOTH = pytest.mark.parametrize("scheme", [DWT_DCT_SVD, DWT_DCT], ids=lambda s: s.name)


def regular(payload: bytes) -> bool:
    return presence.distinct_runs(np.unpackbits(np.frombuffer(payload, np.uint8))) < FEWEST_RUNS


def package_reads(pixels: Pixels, method: str) -> bytes:
    from imwatermark import WatermarkDecoder

    return bytes(WatermarkDecoder("bytes", 64).decode(pixels[..., ::-1], method))


def package_writes(pixels: Pixels, payload: bytes, method: str) -> Pixels:
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bytes", payload)
    return np.ascontiguousarray(encoder.encode(pixels[..., ::-1], method)[..., ::-1])


@settings(max_examples=10, deadline=None)
@given(
    payload=st.binary(min_size=8, max_size=8),
    width=st.integers(256, 340),
    height=st.integers(256, 340),
    seed=st.integers(0, 2**32),
)
def test_any_mixed_payload_comes_back_from_any_textured_picture(
    payload: bytes, width: int, height: int, seed: int
) -> None:
    assume(not regular(payload))
    picture = textured(width, height, seed)
    before = picture.copy()
    marked = DWT_DCT_SVD.embed(picture, payload)
    found = DWT_DCT_SVD.detect(marked)
    assert marked.shape == picture.shape
    assert marked.dtype == np.uint8
    assert (picture == before).all(), "the picture that was given must not change"
    assert found is not None
    assert found.payload == payload
    assert found.false_positive_probability <= FALSE_POSITIVE_LIMIT


@BOTH
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_package_reads_what_we_write(scheme: DwtScheme, name: str) -> None:
    marked = scheme.embed(photographs()[name], PAYLOAD)
    assert package_reads(marked, scheme.name) == PAYLOAD


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_we_read_what_the_package_writes(name: str) -> None:
    found = DWT_DCT_SVD.detect(package_writes(photographs()[name], PAYLOAD, "dwtDctSvd"))
    assert found is not None
    assert found.payload == PAYLOAD


@BOTH
@pytest.mark.parametrize("size", [(256, 256), (331, 257), (1000, 70), (299, 411)])
def test_we_read_the_same_bits_as_the_package_marked_or_not(
    scheme: DwtScheme, size: tuple[int, int]
) -> None:
    picture = textured(*size, seed=size[0])
    for pixels in (picture, package_writes(picture, PAYLOAD, scheme.name)):
        bits = scheme.read(pixels, 64).bits
        assert np.packbits(bits).tobytes() == package_reads(pixels, scheme.name)


def test_our_marks_are_closer_to_the_picture_than_the_packages() -> None:
    for picture in photographs().values():
        ours, theirs = (
            np.mean((made.astype(float) - picture) ** 2)
            for made in (
                DWT_DCT_SVD.embed(picture, PAYLOAD),
                package_writes(picture, PAYLOAD, "dwtDctSvd"),
            )
        )
        assert ours < theirs / 2


@BOTH
def test_the_same_picture_and_payload_give_the_same_bytes(scheme: DwtScheme) -> None:
    picture = textured(300, 260, seed=3)
    assert (scheme.embed(picture, PAYLOAD) == scheme.embed(picture, PAYLOAD)).all()


@BOTH
def test_an_unmarked_picture_has_no_mark(scheme: DwtScheme) -> None:
    unmarked = [*photographs().values(), textured(512, 512, 1), flat(512, 512, (90, 140, 200))]
    assert [scheme.detect(p) for p in unmarked] == [None] * len(unmarked)


def test_a_mark_survives_jpeg_75() -> None:
    marked = DWT_DCT_SVD.embed(photographs()["astronaut"], PAYLOAD)
    copy = decode(encode(marked, "jpeg", quality=75)).pixels
    found = DWT_DCT_SVD.detect(copy)
    assert found is not None
    assert found.payload == PAYLOAD


@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (0, 0, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]
)
def test_a_saturated_picture_is_given_headroom(colour: tuple[int, int, int]) -> None:
    marked = DWT_DCT_SVD.embed(flat(320, 280, colour), PAYLOAD)
    assert package_reads(marked, "dwtDctSvd") == PAYLOAD
    assert np.abs(marked.astype(int) - np.array(colour)).max() <= 40


def test_a_picture_that_would_not_hold_the_mark_is_refused() -> None:
    with pytest.raises(WatermarkFailed, match="another scheme"):
        DWT_DCT.embed(flat(320, 280, (255, 255, 255)), PAYLOAD)


@BOTH
@pytest.mark.parametrize("payload", [b"", b"1234567", b"123456789"])
def test_a_payload_of_another_length_is_refused(scheme: DwtScheme, payload: bytes) -> None:
    with pytest.raises(MarkInvalid, match="8 bytes"):
        scheme.embed(textured(300, 300, 1), payload)


@BOTH
@pytest.mark.parametrize("payload", [bytes(8), b"\xff" * 8, b"\xaa" * 8, b"\x00" * 7 + b"\x01"])
def test_a_payload_that_looks_like_flat_content_is_refused(
    scheme: DwtScheme, payload: bytes
) -> None:
    with pytest.raises(MarkInvalid, match="too regular"):
        scheme.embed(textured(300, 300, 1), payload)


@BOTH
@pytest.mark.parametrize("size", [(255, 256), (32, 4000), (1, 1)])
def test_a_small_picture_takes_no_mark_and_shows_none(
    scheme: DwtScheme, size: tuple[int, int]
) -> None:
    picture = flat(*size, (90, 120, 60))
    with pytest.raises(MarkInvalid, match="Scale it up"):
        scheme.embed(picture, PAYLOAD)
    assert scheme.detect(picture) is None


@BOTH
def test_pixels_of_another_kind_are_refused(scheme: DwtScheme) -> None:
    for pixels in (np.zeros((300, 300), np.uint8), np.zeros((300, 300, 3), np.float64)):
        with pytest.raises(MarkInvalid, match="uint8"):
            scheme.embed(pixels, PAYLOAD)  # type: ignore[arg-type]
        with pytest.raises(MarkInvalid, match="uint8"):
            scheme.detect(pixels)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), spread=st.floats(0.0, 255.0))
def test_singular_values_are_those_of_lapack(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    blocks = 2.0 * np.clip(128 + rng.uniform(-spread, spread, (16, 40)), 0, 255)
    blocks[:, 0] = (np.eye(4) * 400 + 30).ravel()  # two values so close that steps run out
    handles = largest_singular(blocks)
    exact = np.linalg.svd(blocks.T.reshape(-1, 4, 4))
    np.testing.assert_allclose(handles.values, exact.S[:, 0], rtol=1e-9)
    raised = np.linalg.svd((blocks + 5.0 * handles.directions).T.reshape(-1, 4, 4)).S
    np.testing.assert_allclose(raised[:, 0], exact.S[:, 0] + 5.0, rtol=1e-9)


def test_neither_torch_nor_the_package_is_loaded() -> None:
    program = (
        "import sys, numpy as np\n"
        "from provenance.watermark import load_scheme\n"
        "load_scheme('dwtDctSvd').detect(np.zeros((300, 300, 3), np.uint8))\n"
        "assert not {'torch', 'imwatermark'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
