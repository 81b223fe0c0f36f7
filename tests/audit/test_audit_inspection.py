"""One look at a file: what is measured, and that nothing in a file makes it fail."""

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paint import jpeg, pillow, scene
from PIL import Image

from datasets_audit.exif import NO_EXIF, read_exif
from datasets_audit.findings import Finding, findings_of
from datasets_audit.inspection import Inspection, Problem, inspect
from datasets_audit.sample import Sample
from provenance.fingerprint import MATCH_DISTANCE, distance, fingerprint
from provenance.picture import decode, encode


def codes(inspection: Inspection) -> set[str]:
    sample = Sample("picture", inspection)
    return {
        finding.code
        for finding in findings_of(sample)
        if not finding.code.startswith(("consent_", "licence_"))
    }


def test_a_good_picture_is_measured_and_gives_no_finding() -> None:
    data = jpeg(1)
    seen = inspect(data)
    assert seen.sha256 == sha256(data).hexdigest()
    assert (seen.media_type, seen.width, seen.height) == ("image/jpeg", 400, 300)
    assert seen.problem is None
    assert codes(seen) == set()


@pytest.mark.parametrize("seed", range(5))
def test_the_scaled_fingerprint_matches_that_of_the_full_picture(seed: int) -> None:
    data = jpeg(seed, 1600, 1200)
    full = fingerprint(decode(data).pixels)
    assert distance(inspect(data).pdq or "", full) <= MATCH_DISTANCE


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_measures_alike_in_every_format(kind: str) -> None:
    pixels = scene(3, 1200, 900)
    as_jpeg = inspect(encode(pixels, "jpeg", quality=95))
    other = inspect(pillow(pixels, kind))
    assert (other.width, other.height) == (1200, 900)
    assert distance(as_jpeg.pdq or "", other.pdq or "") <= MATCH_DISTANCE
    assert other.brightness == pytest.approx(as_jpeg.brightness, abs=2)
    assert other.entropy == pytest.approx(as_jpeg.entropy, abs=0.2)


def test_cmyk_and_grey_jpegs_are_read() -> None:
    for mode in ("CMYK", "L"):
        seen = inspect(pillow(scene(4), "JPEG", mode, quality=90))
        assert seen.problem is None, mode
        assert seen.pdq_quality


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_does_not_change_the_picture(orientation: int) -> None:
    """The pixels as stored are turned back; the EXIF entry says how."""
    upright = Image.fromarray(scene(5))
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(inverse[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = inspect(pillow(np.asarray(stored), "JPEG", quality=95, exif=exif))
    assert (seen.width, seen.height) == (400, 300)
    upright_seen = inspect(pillow(scene(5), "JPEG", quality=95))
    assert distance(seen.pdq or "", upright_seen.pdq or "") <= 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_position_serial_number_and_owner_are_found(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"  # Pillow drops EXIF whose main directory is empty
    exif[0x8825] = {2: (54.0, 30.0, 0.0)}
    exif[0x8769] = {0xA431: "777-1234", 0xA430: "somebody"}
    seen = inspect(pillow(scene(6), kind, exif=exif))
    assert (seen.gps, seen.serial, seen.owner) == (True, True, True)
    assert {"exif_gps", "exif_serial", "exif_owner"} <= codes(seen)


def test_the_directories_of_a_tiff_are_exif_too() -> None:
    exif = Image.Exif()
    exif[0x8825] = {2: (54.0, 30.0, 0.0)}
    assert read_exif(exif.tobytes().removeprefix(b"Exif\x00\x00"), "image/tiff").gps


@given(st.binary(max_size=200))
def test_damaged_exif_is_no_exif_and_no_crash(noise: bytes) -> None:
    read_exif(b"\xff\xd8\xff\xe1\x00\xd0Exif\x00\x00II*\x00" + noise, "image/jpeg")
    read_exif(b"MM\x00*" + noise, "image/tiff")
    assert read_exif(noise, "image/gif") == NO_EXIF


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", Problem.EMPTY),
        (b"<html>", Problem.NOT_A_PICTURE),
        (b"\xff\xd8\xff" + b"\x00" * 50, Problem.DAMAGED),
        (jpeg(7)[:4000], Problem.DAMAGED),
        (encode(scene(7), "png")[:4000], Problem.DAMAGED),
    ],
)
def test_a_broken_file_is_a_finding_with_its_digest(data: bytes, problem: Problem) -> None:
    seen = inspect(data)
    assert seen.problem is problem
    assert seen.detail
    assert seen.sha256 == sha256(data).hexdigest()
    assert codes(seen) == {f"picture_{problem}"}


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    header = bytearray(encode(scene(8), "png"))
    header[16:24] = (60_000).to_bytes(4, "big") * 2  # width and height of IHDR
    header[29:33] = _crc(bytes(header[12:29]))
    assert inspect(bytes(header)).problem is Problem.TOO_LARGE


def _crc(chunk: bytes) -> bytes:
    from zlib import crc32

    return crc32(chunk).to_bytes(4, "big")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_change_of_bytes_makes_it_fail(data: st.DataObject) -> None:
    broken = bytearray(_SMALL)
    for at in data.draw(st.lists(st.integers(0, len(broken) - 1), max_size=6)):
        broken[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(broken)))
    assert inspect(bytes(broken[:cut])).sha256 == sha256(broken[:cut]).hexdigest()


_SMALL = jpeg(9, 96, 64)


def test_poor_pictures_are_found_for_the_plainest_reason() -> None:
    flat = np.full((200, 200, 3), 120, np.uint8)
    assert codes(inspect(encode(scene(1) // 12, "png"))) == {"picture_dark"}
    assert codes(inspect(encode((250 - scene(1) // 25).astype(np.uint8), "png"))) == {
        "picture_light"
    }
    assert codes(inspect(encode(flat, "png"))) == {"picture_plain"}
    assert codes(inspect(jpeg(2, 40, 40))) == {"picture_small"}
    assert codes(inspect(jpeg(2, 700, 100))) == {"picture_narrow"}
    import cv2

    soft = np.asarray(cv2.GaussianBlur(scene(1), (0, 0), 8), np.uint8)
    assert codes(inspect(encode(soft, "png"))) == {"picture_blurred"}


def test_a_credential_is_noticed() -> None:
    box = b"\x00\x00\x00\x1ejumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71\x03c2pa\x00"
    data = jpeg(1)
    segment = b"\xff\xeb" + (len(box) + 2).to_bytes(2, "big") + box
    assert not inspect(data).c2pa
    signed = inspect(data[:2] + segment + data[2:])
    assert signed.c2pa
    found = findings_of(Sample("picture", signed))
    assert Finding("c2pa_present", "picture", detail="not-checked") in found
