"""Files as they come from outside: each is read whole or refused; none slips through."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from guard.check import Checker, CheckResult
from guard.images import PictureAssessor
from policies.load import load_policy
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import encode
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.lettering import plain, with_lines

WRITTEN = with_lines(plain(), ["attack at dawn"])


@pytest.fixture(scope="module")
def checker(assessor: PictureAssessor) -> Checker:
    return Checker(ScriptedPromptAssessor(), assessor, load_policy("default"))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def says_attack(found: CheckResult) -> bool:
    return found.categories["violence"].score == 0.9


def animated() -> bytes:
    frames = [Image.fromarray(WRITTEN), Image.fromarray(plain())]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # upright only after a quarter turn
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(WRITTEN)))
    return saved(lying, "JPEG", quality=95, exif=exif)


def deep() -> bytes:
    import cv2

    done, data = cv2.imencode(".png", WRITTEN[..., ::-1].astype(np.uint16) * 257)
    assert done
    return data.tobytes()


def under_alpha() -> bytes:
    """What a viewer shows is nothing; what a model sees is the words under it."""
    hidden = np.dstack([WRITTEN, np.zeros(WRITTEN.shape[:2], np.uint8)])
    return saved(Image.fromarray(hidden), "PNG")


READ = {
    "animated": animated,
    "CMYK": lambda: saved(Image.fromarray(WRITTEN).convert("CMYK"), "JPEG", quality=95),
    "16 bit": deep,
    "EXIF-rotated": rotated,
    "transparent": under_alpha,
    "with a ZIP behind it": lambda: encode(WRITTEN) + b"PK\x03\x04" + b"\0" * 200,
    "with a script behind it": lambda: encode(WRITTEN, "jpeg") + b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", READ)
def test_what_is_written_is_read_however_the_file_is_made(checker: Checker, name: str) -> None:
    assert says_attack(checker.image(READ[name]()))


def bomb() -> bytes:
    """60,000 by 60,000 pixels in a kilobyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9000))
        + chunk(b"IEND", b"")
    )  # fmt: skip


REFUSED = {
    "empty": (lambda: b"", PictureInvalid),
    "truncated": (lambda: encode(WRITTEN)[:-3000], PictureInvalid),
    "a header alone": (lambda: encode(WRITTEN)[:30], PictureInvalid),
    "huge": (bomb, PictureTooLarge),
    "HTML that calls itself PNG": (lambda: b"<html>\x89PNG\r\n\x1a\n</html>", PictureInvalid),
    "a GIF that is a script": (lambda: b"GIF89a=1;alert(1)//", PictureInvalid),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", PictureInvalid),
    "floating point": (
        lambda: saved(Image.fromarray(np.zeros((9, 9), np.float32)), "TIFF"),
        PictureInvalid,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_whole_is_refused(checker: Checker, name: str) -> None:
    make, error = REFUSED[name]
    with pytest.raises(error):
        checker.image(make())


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 7)])
def test_pictures_of_odd_shapes_are_assessed(
    assessor: PictureAssessor, shape: tuple[int, int]
) -> None:
    (seen,) = assessor.assess([np.full((*shape, 3), 200, np.uint8)])
    assert seen.fields["text.present"] is False
