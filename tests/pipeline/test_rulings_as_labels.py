"""What moderators rule on becomes labelled pictures, where the settings say so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from guard.assessment import Region
from guard.errors import InvalidRequest, ReviewRequired
from guard.evaluate.labelled_images import read_labelled_images
from guard.pipeline import ImageRequest, Pipeline
from guard.review import Review, RuledPictures, SealedShelf, Verdict, export_ruled
from provenance.errors import LedgerUnavailable
from provenance.home import SETTINGS_FILE, Home
from provenance.ledger.database import Database
from provenance.ledger.retention import RetentionClass, RetentionPlan
from provenance.picture import decode, read_file
from tests.support.assessors import ScriptedImageAssessor
from tests.support.core import textured_picture
from tests.support.deployment import GUARDED, pipeline_of, policy_from

BOX = Region(x=8, y=9, width=20, height=21, kind="weapon", category="shocking", score=0.9)
HARMLESS = Region(x=1, y=1, width=5, height=5, kind="text", score=0.9, text="hello")
Hold = Callable[[int], str]


@pytest.fixture
def labelling(home: Home) -> Iterator[Home]:
    settings = home.path / SETTINGS_FILE
    settings.write_text(settings.read_text() + "\n[review]\nkeep = true\nlabel = true\n")
    opened = Home.open(home.path)
    yield opened
    opened.ledger.close()


@pytest.fixture
def pipeline(labelling: Home, tmp_path: Path) -> Pipeline:
    images = ScriptedImageAssessor(*[({"shocking": 0.9}, (BOX, HARMLESS))] * 4)
    made = pipeline_of(labelling, policy=policy_from(tmp_path, GUARDED), images=images)
    return replace(made, shelf=SealedShelf(labelling))


@pytest.fixture
def ruled(labelling: Home, pipeline: Pipeline) -> Callable[[int, Verdict], str]:
    """Hold a picture of a seed and rule on it; its decision."""
    review = Review(labelling, lambda: pipeline)

    def rule(seed: int, verdict: Verdict) -> str:
        with pytest.raises(ReviewRequired) as error:
            pipeline.run(ImageRequest(prompt="a calm sea", seed=seed))
        named = error.value.decision_id
        review.rule(named, 0, verdict, by="key_17", words="because")
        return named

    return rule


def test_rulings_leave_as_pictures_that_an_evaluation_reads(
    labelling: Home, ruled: Callable[[int, Verdict], str], tmp_path: Path
) -> None:
    refused, released = ruled(5, Verdict.REFUSE), ruled(6, Verdict.RELEASE)
    folder = tmp_path / "labelled"
    assert export_ruled(labelling, folder) == 2
    first, second = read_labelled_images(folder).images
    assert (first.path.name, second.path.name) == (f"{refused}-0.png", f"{released}-0.png")
    assert (first.unsafe, first.categories) == (True, {"shocking"})
    (box,) = first.boxes
    assert (box.x, box.y, box.width, box.height, box.label) == (8, 9, 20, 21, "shocking")
    assert (second.unsafe, second.categories, second.boxes) == (False, frozenset(), ())
    assert {first.source, second.source} == {"review"}
    seen = decode(read_file(first.path)).pixels
    assert np.array_equal(seen, textured_picture("a calm sea", 256, 256, 5))


def test_an_erased_decision_leaves_no_label(
    labelling: Home, ruled: Callable[[int, Verdict], str]
) -> None:
    erased, kept = ruled(5, Verdict.REFUSE), ruled(6, Verdict.REFUSE)
    labelling.subjects.withdraw(erased)
    assert [one.decision_id for one in RuledPictures(labelling).all()] == [kept]
    assert rows(labelling) == 1


def test_labels_end_with_their_time(
    labelling: Home, ruled: Callable[[int, Verdict], str]
) -> None:
    ruled(5, Verdict.REFUSE)
    days = labelling.subjects.days_kept("review.labelled")
    assert days is not None
    later = datetime.now(UTC) + timedelta(days=days, minutes=1)
    assert list(RuledPictures(labelling, clock=lambda: later).all()) == []
    assert rows(labelling) == 0


def test_a_label_can_be_read_in_no_file(
    labelling: Home, ruled: Callable[[int, Verdict], str]
) -> None:
    ruled(5, Verdict.REFUSE)
    (one,) = RuledPictures(labelling).all()
    labelling.ledger.close()
    for file in labelling.path.rglob("*"):
        if file.is_file():
            assert one.png[:200] not in file.read_bytes(), file


def test_without_permission_nothing_is_kept_or_exported(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"shocking": 0.9}, (BOX,)))
    made = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    pipeline = replace(made, shelf=SealedShelf(home))
    with pytest.raises(ReviewRequired) as error:
        pipeline.run(ImageRequest(prompt="a calm sea"))
    review = Review(home, lambda: pipeline)
    review.rule(error.value.decision_id, 0, Verdict.REFUSE, by="key_17", words="because")
    assert rows(home) == 0
    with pytest.raises(InvalidRequest, match="label = true"):
        export_ruled(home, tmp_path / "labelled")


def test_a_folder_that_holds_something_is_left_alone(labelling: Home, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="holds something already"):
        export_ruled(labelling, labelling.path)


def test_a_ruling_that_cannot_be_labelled_waits(
    labelling: Home, pipeline: Pipeline
) -> None:
    with pytest.raises(ReviewRequired) as error:
        pipeline.run(ImageRequest(prompt="a calm sea"))
    kinds = {"review": "short", "review.held": "short"}
    short = RetentionClass(keep_days=1, because="x")
    labelling.subjects._plan = RetentionPlan(classes={"short": short}, kinds=kinds)
    review = Review(labelling, lambda: pipeline)
    with pytest.raises(LedgerUnavailable, match="label"):
        review.rule(error.value.decision_id, 0, Verdict.REFUSE, by="key_17", words="because")
    assert len(review.queue()) == 1


def rows(home: Home) -> int:
    with Database(home.ledger_url).reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM ruled").scalar_one())
