"""What would have to be covered, and the picture that shows it."""

from collections.abc import Sequence

import numpy as np
import pytest

from guard.assessment import Assessment, ImageAssessor, Region
from guard.explain import ImageExplanation, explain_image
from guard.explain.masking import MAX_PICTURES
from guard.explain.overlay import LONGEST, draw_overlay
from policies.decision import Action
from provenance.picture import Pixels
from tests.support.assessors import REF
from tests.support.lettering import plain

SPOTS = {"violence": (255, 0, 0), "sexual": (0, 0, 255)}


class SpotAssessor:
    """A category for each colour, by its area; with boxes or without."""

    ref = REF
    covers = frozenset(SPOTS)

    def __init__(self, *, boxes: bool, always: bool = False) -> None:
        self._boxes, self._always = boxes, always
        self.asked = 0

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        self.asked += len(images)
        return [self._assess(pixels) for pixels in images]

    def _assess(self, pixels: Pixels) -> Assessment:
        scores, regions = {}, [Region(x=0, y=0, width=9, height=9, kind="text", score=1.0)]
        for category, colour in SPOTS.items():
            there = (pixels == colour).all(axis=2)
            scores[category] = 1.0 if self._always else min(1.0, there.mean() * 20)
            if there.any():
                y, x = np.nonzero(there)
                box = {"x": int(x.min()), "y": int(y.min())}
                size = {"width": int(np.ptp(x)) + 1, "height": int(np.ptp(y)) + 1}
                regions.append(
                    Region(**box, **size, kind="spot", category=category, score=scores[category])
                )
        return Assessment(
            assessor=REF,
            subject="image",
            scores=scores,
            thresholds=dict.fromkeys(scores, 0.5),
            not_assessed=frozenset({"privacy"}),
            regions=tuple(regions) if self._boxes else (),
        )


def spotted(**places: tuple[int, int, int]) -> Pixels:
    """A grey picture with a square of each category's colour at (x, y) of a side."""
    pixels = plain(280, 210)
    for category, (x, y, side) in places.items():
        pixels[y : y + side, x : x + side] = SPOTS[category]
    return pixels


def explained(pixels: Pixels, assessor: ImageAssessor) -> ImageExplanation:
    (whole,) = assessor.assess([pixels])
    return explain_image(pixels, whole, assessor)


def inside(found: ImageExplanation, x: int, y: int) -> bool:
    assert found.change is not None
    return any(
        m.x <= x < m.x + m.width and m.y <= y < m.y + m.height for m in found.change.mask
    )


def test_the_box_that_did_it_is_what_must_be_covered_and_no_other() -> None:
    assessor = SpotAssessor(boxes=True)
    found = explained(spotted(violence=(40, 50, 60), sexual=(200, 120, 20)), assessor)
    assert not found.passes
    assert found.change is not None
    assert len(found.change.mask) == 1  # the blue spot is below its threshold
    assert inside(found, 70, 80)
    assert found.change.decision is Action.ALLOW
    assert found.change.minimal
    assert found.change.scores["violence"] == 0.0


def test_two_boxes_are_covered_where_both_object() -> None:
    found = explained(
        spotted(violence=(40, 50, 60), sexual=(180, 120, 60)), SpotAssessor(boxes=True)
    )
    assert found.change is not None
    assert len(found.change.mask) == 2


def test_an_assessor_without_boxes_is_explained_on_a_grid_within_the_budget() -> None:
    assessor = SpotAssessor(boxes=False)
    found = explained(spotted(violence=(45, 65, 60)), assessor)
    assert inside(found, 70, 75)
    assert found.change is not None
    assert sum(m.width * m.height for m in found.change.mask) < 0.25 * 280 * 210
    assert found.pictures_assessed == assessor.asked - 1 <= MAX_PICTURES


def test_where_no_covering_helps_none_is_named() -> None:
    found = explained(plain(280, 210), SpotAssessor(boxes=False, always=True))
    assert not found.passes
    assert found.change is None


def test_what_passes_needs_no_change_and_no_further_look() -> None:
    assessor = SpotAssessor(boxes=True)
    found = explained(plain(280, 210), assessor)
    assert (found.passes, found.change, found.pictures_assessed) == (True, None, 0)


def test_a_review_that_no_picture_escapes_is_not_blamed_on_a_region() -> None:
    pixels = spotted(violence=(40, 50, 60))
    assessor = SpotAssessor(boxes=True)
    (whole,) = assessor.assess([pixels])
    held = explain_image(pixels, whole, assessor, judge=lambda _: Action.REVIEW)
    assert held.change is None

    def strict(seen: Assessment) -> Action:
        return Action.BLOCK if seen.scores["violence"] >= 0.5 else Action.REVIEW

    blocked = explain_image(pixels, whole, assessor, judge=strict)
    assert blocked.change is not None
    assert blocked.change.decision is Action.REVIEW


def test_who_appeals_is_told_where_and_not_how_near() -> None:
    told = explained(spotted(violence=(40, 50, 60)), SpotAssessor(boxes=True)).without_scores()
    assert told.scores == told.thresholds == {}
    assert {region.score for region in told.regions} == {1.0}
    assert told.change is not None
    assert told.change.scores == {}


def test_who_appeals_is_not_told_how_near_a_listed_picture_is() -> None:
    pixels, facts = plain(280, 210), {"match.known_content": True, "match.list": "ours"}
    near = {**facts, "match.distance": 30, "memorised.distance": 12}
    (whole,) = SpotAssessor(boxes=True).assess([pixels])
    listed = whole.model_copy(update={"fields": near})
    full = explain_image(pixels, listed, SpotAssessor(boxes=True))
    assert full.fields == near
    assert full.without_scores().fields == facts
    draw_overlay(pixels, full.without_scores(), decision=Action.BLOCK)


def test_the_overlay_for_who_appeals_is_the_same_whatever_the_scores_were() -> None:
    pixels = spotted(violence=(40, 50, 60))
    found = explained(pixels, SpotAssessor(boxes=True))
    nearer = found.model_copy(
        update={
            "scores": dict.fromkeys(found.scores, 0.51),
            "regions": tuple(r.model_copy(update={"score": 0.51}) for r in found.regions),
        }
    )
    sheets = [draw_overlay(pixels, f, decision=Action.BLOCK) for f in (found, nearer)]
    assert sheets[0].shape != sheets[1].shape or (sheets[0] != sheets[1]).any()
    hidden = [
        draw_overlay(pixels, f.without_scores(), decision=Action.BLOCK) for f in (found, nearer)
    ]
    assert (hidden[0] == hidden[1]).all()


@pytest.mark.parametrize("shape", [(1, 1), (30, 900), (1600, 2400), (210, 280)])
def test_the_overlay_shows_a_picture_of_any_shape(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8)
    pixels[: max(1, shape[0] // 2), : max(1, shape[1] // 2)] = SPOTS["violence"]
    found = explained(pixels, SpotAssessor(boxes=True))
    sheet = draw_overlay(pixels, found, decision=Action.BLOCK)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] <= LONGEST
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 10


def test_the_overlay_marks_the_covering_in_its_place() -> None:
    pixels = spotted(violence=(40, 50, 60))
    found = explained(pixels, SpotAssessor(boxes=True))
    hatched = draw_overlay(pixels, found, decision=Action.BLOCK)
    bare = draw_overlay(
        pixels, found.model_copy(update={"change": None}), decision=Action.BLOCK
    )
    rows = min(len(hatched), len(bare))
    y, x = np.nonzero((hatched[:rows, :720] != bare[:rows, :720]).any(axis=2))
    scale, banner = 720 / 280, 53
    picture = y < banner + 210 * scale
    assert x[picture].min() >= 30 * scale
    assert x[picture].max() <= 110 * scale
    assert y[picture].min() >= banner + 40 * scale
    assert y[picture].max() <= banner + 120 * scale
