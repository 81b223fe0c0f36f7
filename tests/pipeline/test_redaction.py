"""What policy redacts cannot be read any more, whichever way, and the credential says where."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import c2pa
import cv2
import numpy as np
import pytest

from guard.assessment import Region
from guard.errors import SafetyUnavailable
from guard.generation import CoreInfo
from guard.pipeline import ImageRequest, deliver
from guard.pipeline.redact import Style, redact, redacted_areas
from guard.pipeline.repaint import repaint
from provenance.home import Home
from provenance.picture import decode
from provenance.verify import verify
from tests.support.assessors import ScriptedImageAssessor
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import GUARDED, pipeline_of, policy_from, with_provenance
from tests.support.lettering import plain, with_lines

STYLES: tuple[Style, ...] = ("pixelate", "blur", "inpaint")
WORDS = "visa number 4929 1234"
SPOT = Region(x=40, y=55, width=380, height=45, kind="text", category="privacy", score=0.9)


@pytest.fixture(scope="module")
def read() -> object:
    from guard.images.text import TextReader

    return TextReader()


@pytest.mark.parametrize("style", STYLES)
def test_what_was_written_cannot_be_read_again(style: Style, read: object) -> None:
    written = with_lines(plain(), [WORDS, "harbour"])
    before = " ".join(w.text for w in read.read(written))  # type: ignore[attr-defined]
    after = " ".join(w.text for w in read.read(redact(written, [SPOT], style)))  # type: ignore[attr-defined]
    assert "visa" in before
    assert "harbour" in after
    assert not any(c.isdigit() for c in after)
    assert "visa" not in after


@pytest.mark.parametrize("style", STYLES)
def test_only_the_stated_areas_change(style: Style) -> None:
    pixels = textured_picture("t", 320, 256, 3)
    region = Region(x=300, y=240, width=90, height=90, kind="x", category="privacy", score=1.0)
    changed = (redact(pixels, [region], style) != pixels).any(axis=2)
    (area,) = redacted_areas(pixels, [region])
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.min() >= area.y
    assert columns.min() >= area.x
    assert area.x + area.width <= 320
    assert area.y + area.height <= 256


def test_a_region_outside_of_the_picture_redacts_nothing() -> None:
    pixels = plain(50, 50)
    outside = Region(x=90, y=90, width=9, height=9, kind="x", category="privacy", score=1.0)
    for style in STYLES:
        assert np.array_equal(redact(pixels, [outside], style), pixels)


def test_the_blur_leaves_no_more_detail_than_the_mosaic() -> None:
    pixels = textured_picture("t", 320, 256, 3)
    region = Region(x=80, y=60, width=160, height=120, kind="x", category="privacy", score=1.0)
    (area,) = redacted_areas(pixels, [region])
    inside = np.s_[area.y + 8 : area.y + area.height - 8, area.x + 8 : area.x + area.width - 8]
    left = [
        cv2.Laplacian(cv2.cvtColor(p[inside], cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
        for p in (pixels, redact(pixels, [region], "blur"))
    ]
    assert left[1] < left[0] / 50


def actions_of(data: bytes) -> list[dict[str, Any]]:
    with c2pa.Reader("image/png", io.BytesIO(data)) as reader:
        manifest = json.loads(reader.json())
    (said,) = (
        assertion["data"]["actions"]
        for assertion in manifest["manifests"][manifest["active_manifest"]]["assertions"]
        if assertion["label"].startswith("c2pa.actions")
    )
    return list(said)


PINK = (255, 0, 128)


def only_what_was_asked(prompt: str, width: int, height: int, seed: int) -> np.ndarray:
    """Pink for a core that is asked for nothing, as whoever repaints must ask."""
    if not prompt:
        return np.full((height, width, 3), PINK, np.uint8)
    return textured_picture(prompt, width, height, seed)


@pytest.mark.parametrize("size", [(256, 256), (250, 190)])
def test_the_core_paints_over_the_areas_and_nothing_else(size: tuple[int, int]) -> None:
    pixels = textured_picture("a letter", *size, 3)
    spot = SPOT.model_copy(update={"width": 100})
    areas = redacted_areas(pixels, [spot])
    after = repaint(InMemoryCore(draw=only_what_was_asked), pixels, areas, 7)
    (area,) = areas
    inside = np.zeros(pixels.shape[:2], bool)
    inside[area.y : area.y + area.height, area.x : area.x + area.width] = True
    assert np.array_equal(after[~inside], pixels[~inside])
    middle = after[area.y + 12 : area.y + area.height - 12, area.x + 12 : area.x + area.width - 12]
    assert np.abs(middle - np.array(PINK)).max() <= 1  # at the edges the two pass into each other
    assert repaint(InMemoryCore(), pixels, [], 7) is pixels


def test_the_core_never_sees_what_it_paints_over() -> None:
    seen = []

    class Watched(InMemoryCore):
        def generate_batch(self, requests, **more):  # type: ignore[no-untyped-def]
            seen.extend(request.original.pixels for request in requests)
            return super().generate_batch(requests, **more)

    plate = np.full((256, 256, 3), 200, np.uint8)
    written = plate.copy()
    written[100:120, 60:160] = 0
    region = Region(x=58, y=98, width=104, height=24, kind="text", category="privacy", score=1.0)
    repaint(Watched(), written, redacted_areas(written, [region]), 7)
    assert np.abs(seen[0].astype(int) - plate).max() <= 4  # levels; what Telea makes of a plate


def test_a_picture_that_the_core_repainted_is_assessed_again_and_says_so(
    home: Home, tmp_path: Path
) -> None:
    images = ScriptedImageAssessor(({"privacy": 0.9}, (SPOT,)))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    settings = home.settings.model_copy(update={"redaction": "core"})
    core = InMemoryCore(draw=only_what_was_asked)
    (released,) = (
        replace(with_provenance(pipeline, settings=settings), core=core)
        .run(ImageRequest(prompt="a letter"))
        .released
    )
    assert len(images.seen) == 2
    assert (images.seen[1] == PINK).all(axis=2).sum() > 5_000
    (receipt,) = (r for r in released.trail.receipts if r.step == "redact")
    assert receipt.detail["style"] == "core"


def test_a_core_that_cannot_paint_over_a_part_stops_the_start(home: Home) -> None:
    class Plain(InMemoryCore):
        @property
        def info(self) -> CoreInfo:
            return super().info.model_copy(update={"inpaints": False})

    settings = home.settings.model_copy(update={"redaction": "core"})
    pipeline = with_provenance(pipeline_of(home), settings=settings)
    with pytest.raises(SafetyUnavailable, match="does not paint over"):
        replace(pipeline, core=Plain())


def test_the_credential_states_which_regions_were_edited(home: Home, tmp_path: Path) -> None:
    policy = policy_from(tmp_path, GUARDED)
    images = ScriptedImageAssessor(({"privacy": 0.9}, (SPOT,)))
    outcome = pipeline_of(home, policy=policy, images=images).run(ImageRequest(prompt="a letter"))
    (released,) = outcome.released
    (edit,) = (a for a in actions_of(deliver(released)) if a["action"] == "c2pa.edited")
    (change,) = edit["changes"]
    shape = change["region"][0]["shape"]
    (area,) = redacted_areas(decode(deliver(released)).pixels, [SPOT])
    assert shape["origin"] == {"x": area.x, "y": area.y}
    assert (shape["width"], shape["height"]) == (area.width, area.height)
    report = verify(deliver(released), sources=home.sources())
    assert (report.verdict, report.origin) == ("established", "ai-generated")
