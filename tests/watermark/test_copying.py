"""A mark that was copied or forged establishes nothing: verify names the contradiction."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from provenance.picture import Pixels, encode
from provenance.verify import Verdict, verify
from provenance.watermark import load_scheme
from provenance.watermark.lattice.carrier import TILE
from provenance.watermark.lattice.plane import fold, plane, residual
from tests.verify import studio as house
from tests.watermark.pictures import photographs

LATTICE = load_scheme("lattice")
COPIED_AT = 38.0  # dB: loud enough that the copy is read for certain


def photograph(name: str) -> Pixels:
    return cv2.resize(photographs()[name], (512, 512), interpolation=cv2.INTER_AREA)


def copied_onto(picture: Pixels, marked: Pixels) -> Pixels:
    """What can be done without the key: fold the tiles of one picture, repeat them on another."""
    tile = fold(residual(plane(marked)))
    height, width = plane(picture).shape
    pattern = np.tile(tile - tile.mean(), (-(-height // TILE), -(-width // TILE)))[:height, :width]
    pattern = cv2.resize(pattern, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    pattern *= 255.0 / 10 ** (COPIED_AT / 20) / np.sqrt(np.mean(pattern**2))
    return np.clip(np.rint(picture + pattern[..., None]), 0, 255).astype(np.uint8)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> house.Studio:
    monkeypatch.setattr(house, "SCHEME", LATTICE)
    return house.Studio(tmp_path)


def test_a_mark_copied_without_the_key_is_read_and_called_a_transplant(
    studio: house.Studio,
) -> None:
    delivered = studio.deliver(photograph("astronaut"))
    elsewhere = copied_onto(photograph("coffee"), delivered.pixels)
    report = verify(encode(elsewhere), sources=studio.sources)
    assert report.watermark.payload == delivered.record.content_id, "the copy attack works"
    assert report.verdict is Verdict.CONTRADICTED
    assert "transplanted-mark" in {a.name for a in report.agreement}


def test_a_mark_forged_with_the_key_is_called_a_transplant(studio: house.Studio) -> None:
    delivered = studio.deliver(photograph("astronaut"))
    forged = LATTICE.embed(photograph("chelsea"), bytes.fromhex(delivered.record.content_id))
    report = verify(encode(forged), sources=studio.sources)
    assert report.verdict is Verdict.CONTRADICTED
    assert "transplanted-mark" in {a.name for a in report.agreement}


def test_a_mark_of_no_record_is_unconfirmed(studio: house.Studio) -> None:
    studio.deliver(photograph("astronaut"))
    forged = LATTICE.embed(photograph("chelsea"), bytes.fromhex("0123456789abcdef"))
    report = verify(encode(forged), sources=studio.sources)
    assert report.verdict is Verdict.UNCONFIRMED
    assert "mark-without-record" in {a.name for a in report.agreement}


def test_a_picture_that_lost_its_credential_is_recovered_from_a_turned_screenshot(
    studio: house.Studio,
) -> None:
    delivered = studio.deliver(photograph("astronaut"))
    small = cv2.resize(delivered.pixels, (400, 400), interpolation=cv2.INTER_AREA)
    copy = encode(np.ascontiguousarray(np.rot90(small)), "jpeg", quality=60)
    report = verify(copy, sources=studio.sources)
    assert report.watermark.payload == delivered.record.content_id
    assert report.verdict is Verdict.RECOVERED
