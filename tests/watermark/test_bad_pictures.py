"""Pictures that are no 8-bit RGB of a usual size, through `wardmark mark` and `wardmark detect`:
what docs/watermark.md says of each."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from guard.cli import run
from provenance.picture import decode
from tests.watermark.pictures import photographs

PAYLOAD = "0123456789abcdef"
WRONG_USE, NOT_FOUND, UNREADABLE = 2, 1, 4


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDMARK_HOME", str(tmp_path / "none"))


def photograph() -> Image.Image:
    return Image.fromarray(photographs()["astronaut"])


def saved(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def with_alpha() -> bytes:
    image = photograph()
    ramp = np.tile(np.linspace(0, 255, 512).astype(np.uint8), (512, 1))
    image.putalpha(Image.fromarray(ramp))
    return saved(image, "PNG")


def deep(grey: bool) -> bytes:
    pixels = photographs()["astronaut"].astype(np.uint16) * 257
    values = pixels[..., 1] if grey else pixels[..., ::-1]
    return bytes(cv2.imencode(".png", np.ascontiguousarray(values))[1])


ACCEPTED = {
    "grey": lambda: saved(photograph().convert("L"), "PNG"),
    "palette": lambda: saved(photograph().convert("P"), "PNG"),
    "alpha": with_alpha,
    "16 bits": lambda: deep(grey=False),
    "16 bits, grey": lambda: deep(grey=True),
    "CMYK JPEG": lambda: saved(photograph().convert("CMYK"), "JPEG"),
    "grey JPEG": lambda: saved(photograph().convert("L"), "JPEG"),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_unusual_picture_is_marked_and_the_mark_found(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in", tmp_path / "out.png"
    source.write_bytes(ACCEPTED[kind]())
    assert run(["mark", str(source), "-o", str(output), "--payload", PAYLOAD]) == 0
    assert run(["detect", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payload"] == PAYLOAD
    before, after = decode(source.read_bytes()), decode(output.read_bytes())
    assert after.pixels.shape == before.pixels.shape
    assert np.abs(after.pixels.astype(int) - before.pixels).mean() < 4
    if kind == "alpha":
        assert after.alpha is not None
        assert before.alpha is not None
        assert (after.alpha == before.alpha).all()


@pytest.mark.parametrize(
    ("size", "word"), [((255, 400), "256"), ((100, 100), "256"), ((1200, 300), "1:3")]
)
def test_a_picture_of_another_size_takes_no_mark_and_says_what_to_do(
    size: tuple[int, int], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(saved(photograph().resize(size), "PNG"))
    assert run(["mark", str(source), "-o", str(output)]) == WRONG_USE
    said = capsys.readouterr().err
    assert word in said
    assert "first" in said, "it says what to do"
    assert not output.exists()
    assert run(["detect", str(source), "--scheme", "lattice"]) == NOT_FOUND


@pytest.mark.parametrize("payload", ["", "0123", "0123456789abcdef00", "not hexadecimal!"])
def test_a_payload_that_is_not_sixteen_digits_is_refused(
    payload: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(saved(photograph(), "PNG"))
    assert run(["mark", str(source), "-o", str(output), "--payload", payload]) == WRONG_USE
    assert "hexadecimal" in capsys.readouterr().err
    assert not output.exists()


def test_floating_point_pixels_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.tiff"
    Image.fromarray(np.full((300, 300), 0.5, np.float32)).save(source)
    assert run(["mark", str(source), "-o", str(tmp_path / "out.png")]) == UNREADABLE
    assert "32 bits" in capsys.readouterr().err
