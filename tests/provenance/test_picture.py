"""Pictures are read within limits, encoded once and written whole."""

import io
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from provenance.errors import OutputFailed, PictureInvalid, PictureTooLarge
from provenance.picture import (
    MEDIA_TYPES,
    Format,
    Picture,
    Pixels,
    decode,
    encode,
    read_file,
    write_atomically,
)


def sample(width: int = 40, height: int = 30) -> Pixels:
    """A smooth picture whose channels differ."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 6 % 256, y * 8 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + name + body + check

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3))),
    st.booleans(),
)
def test_png_gives_back_every_pixel_to_any_reader(pixels: Pixels, transparent: bool) -> None:
    file = encode(pixels, alpha=pixels[..., 0] if transparent else None)
    picture = decode(file)
    assert (picture.pixels == pixels).all()
    assert (picture.height, picture.width) == pixels.shape[:2]
    shown = np.dstack([pixels, pixels[..., 0]]) if transparent else pixels
    assert (picture.alpha is None) == (not transparent)
    assert (np.asarray(Image.open(io.BytesIO(file))) == shown).all()
    bgr = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (bgr[..., [2, 1, 0, 3][: shown.shape[2]]] == shown).all()


def test_a_photograph_takes_no_more_room_as_png_than_opencv_would_need() -> None:
    from skimage import data

    for pixels in (data.astronaut(), data.coffee(), data.chelsea()):
        done, usual = cv2.imencode(".png", pixels[..., ::-1])
        assert done
        assert len(encode(pixels)) <= 1.01 * len(usual)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_every_format_is_written_read_and_named(kind: Format) -> None:
    picture = decode(encode(sample(), kind))
    assert picture.media_type == MEDIA_TYPES[kind]
    assert np.abs(picture.pixels.astype(int) - sample()).mean() < 4
    assert encode(sample(), kind) == encode(sample(), kind)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_all_kinds_that_are_said_to_be_read_are_read(kind: str) -> None:
    picture = decode(saved(Image.fromarray(sample()), kind))
    assert picture.media_type == f"image/{kind.lower()}"
    assert picture.pixels.shape == (30, 40, 3)


def test_alpha_is_kept_apart_with_the_colour_under_it() -> None:
    alpha = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40).astype(np.uint8)
    for kind in ("png", "webp"):
        picture = decode(encode(sample(), kind, quality=100, alpha=alpha))  # type: ignore[arg-type]
        assert picture.alpha is not None
        assert np.abs(picture.alpha.astype(int) - alpha).max() <= (0 if kind == "png" else 8)
    again = decode(encode(sample(), alpha=alpha))
    assert (again.pixels == sample()).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK"])
def test_other_colour_modes_become_rgb(mode: str) -> None:
    image = Image.fromarray(sample()).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = decode(saved(image, kind))
    assert picture.pixels.shape == (30, 40, 3)
    assert (picture.alpha is not None) == (mode == "LA")


def test_a_cmyk_jpeg_looks_like_its_original() -> None:
    data = saved(Image.fromarray(sample()).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode(data).pixels.astype(int) - sample()).mean() < 8


def test_sixteen_bits_keep_their_upper_eight() -> None:
    grey = (np.arange(1200, dtype=np.uint16).reshape(30, 40) * 54).astype(np.uint16)
    picture = decode(saved(Image.fromarray(grey), "PNG"))
    assert (picture.pixels == (grey >> 8)[..., None]).all()


def test_floating_point_is_refused() -> None:
    data = saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(PictureInvalid, match="8-bit PNG"):
        decode(data)


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise to see it upright
    data = saved(Image.fromarray(sample()), "JPEG", exif=exif, quality=95)
    picture = decode(data)
    assert (picture.width, picture.height) == (30, 40)
    assert np.abs(picture.pixels.astype(int) - np.rot90(sample(), -1)).mean() < 4


def test_of_an_animation_the_first_frame_is_read_and_all_are_counted() -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (10, 200, 90)]
    picture = decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert picture.frames == 3
    assert abs(int(picture.pixels[0, 0, 0]) - 10) < 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello, I am a text file",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"%PDF-1.7",
        b"GIF89a",
    ],
)
def test_what_is_no_picture_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(PictureInvalid, match=r"Give|Check|Fetch"):
        decode(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: Format, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    data = encode(noise, kind)
    with pytest.raises(PictureInvalid, match="cut short"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("size", [(100_000, 100_000), (8001, 8000), (2**31 - 1, 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(PictureTooLarge, match="limit"):
        decode(bomb(*size))


def test_limits_are_the_callers() -> None:
    data = encode(sample())
    with pytest.raises(PictureTooLarge, match="1,000 pixels"):
        decode(data, max_pixels=1000)
    with pytest.raises(PictureTooLarge, match="bytes"):
        decode(data, max_bytes=len(data) - 1)
    assert decode(data, max_pixels=1200, max_bytes=len(data)).width == 40


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged metadata; that is not ours to judge
@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    share=st.floats(0.0, 1.0),
)
def test_damage_never_ends_in_another_error(
    kind: str, damage: list[tuple[float, int]], share: float
) -> None:
    data = bytearray(saved(Image.fromarray(sample()), kind))
    for place, value in damage:
        data[int(place * len(data))] = value
    try:
        picture = decode(bytes(data[: int(len(data) * share)]))
    except (PictureInvalid, PictureTooLarge):
        return
    assert isinstance(picture, Picture)
    assert picture.pixels.ndim == 3


def test_what_cannot_be_encoded_is_refused() -> None:
    for pixels in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(PictureInvalid, match="uint8"):
            encode(pixels)  # type: ignore[arg-type]
    with pytest.raises(PictureInvalid, match="png, jpeg, webp"):
        encode(sample(), "bmp")  # type: ignore[arg-type]
    with pytest.raises(PictureInvalid, match="1 to 100"):
        encode(sample(), "jpeg", quality=0)
    with pytest.raises(PictureInvalid, match="transparency"):
        encode(sample(), "jpeg", alpha=np.zeros((30, 40), np.uint8))
    with pytest.raises(PictureInvalid, match="Alpha"):
        encode(sample(), alpha=np.zeros((3, 4), np.uint8))


def test_a_picture_too_wide_for_its_format_is_refused() -> None:
    with pytest.raises(PictureInvalid, match="Try png"):
        encode(np.zeros((1, 20_000, 3), np.uint8), "webp")


def test_files_are_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    with pytest.raises(PictureTooLarge, match="4 bytes"):
        read_file(file, 4)
    for path in (tmp_path / "missing.png", tmp_path, Path("/dev/zero"), "a\0b"):
        with pytest.raises(PictureInvalid):
            read_file(path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_an_unwritable_place_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "child").touch()
    for target in (folder, tmp_path / "none" / "out.png", tmp_path / ("x" * 300), tmp_path / "a\0"):
        with pytest.raises(OutputFailed, match="try again"):
            write_atomically(target, b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    program = (
        "import resource, signal, sys\n"
        "from provenance.errors import OutputFailed\n"
        "from provenance.picture import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(sys.argv[1], bytes(5000))\n"
        "except OutputFailed as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(target)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "could not be written" in done.stdout
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_while_writing_leaves_no_half_file(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from provenance.picture import write_atomically\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    write_atomically(sys.argv[1] + '/out.bin', bytes(20_000_000))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    finally:
        process.kill()
        process.stdout.close()
    assert not list(tmp_path.glob(".*")), "a temporary file was left"
    for file in tmp_path.iterdir():
        assert file.stat().st_size == 20_000_000


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_file_of_a_million_parts_is_refused_before_anybody_counts_them(kind: Format) -> None:
    whole = encode(np.full((16, 16, 3), 9, np.uint8), kind)
    part, at = {
        "png": (b"\0\0\0\0teSt" + zlib.crc32(b"teSt").to_bytes(4, "big"), 33),
        "jpeg": (b"\xff\xfe\0\x02", 2),
    }[kind]
    few, many = (whole[:at] + part * number + whole[at:] for number in (1000, 1_000_000))
    assert decode(few).width == 16
    with pytest.raises(PictureInvalid, match="parts"):
        decode(many)


def test_a_tiff_of_endless_pages_is_refused_before_anybody_counts_them() -> None:
    made = io.BytesIO()
    pages = [Image.new("L", (4, 4), number) for number in range(5)]
    pages[0].save(made, "TIFF", save_all=True, append_images=pages[1:])
    assert decode(made.getvalue()).frames == 5
    ring = bytearray(made.getvalue())
    at = int.from_bytes(ring[4:8], "little")
    end = at + 2 + 12 * int.from_bytes(ring[at : at + 2], "little")
    ring[end : end + 4] = at.to_bytes(4, "little")  # the first page names itself as the next
    with pytest.raises(PictureInvalid, match="pages"):
        decode(bytes(ring))
