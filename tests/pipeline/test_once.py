"""What has a name is delivered at most once, however often it is begun."""

import pytest

from guard.pipeline import ImageRequest
from provenance.errors import EventConflict
from provenance.home import Home
from tests.support.deployment import pipeline_of


def test_work_that_was_delivered_is_not_delivered_again(home: Home) -> None:
    pipeline = pipeline_of(home)
    pipeline.run(ImageRequest(prompt="a calm sea", count=2), work="job_1")
    with pytest.raises(EventConflict):
        pipeline.run(ImageRequest(prompt="a calm sea", count=2), work="job_1")
    assert len(list(home.ledger.entries(kind="delivery"))) == 2
    assert len(list(home.ledger.entries(kind="stopped"))) == 1


def test_content_ids_of_two_works_or_two_homes_have_nothing_in_common(home: Home) -> None:
    pipeline = pipeline_of(home)
    request = ImageRequest(prompt="a calm sea", seed=1, count=2)
    first = pipeline.run(request, work="job_1").released
    second = pipeline.run(request, work="job_2").released
    unnamed = pipeline.run(request).released
    assert len({picture.content_id for picture in (*first, *second, *unnamed)}) == 6
