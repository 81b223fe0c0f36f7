"""The official client sends pictures to be moderated, as it sends them to OpenAI."""

import base64
from collections.abc import Iterator

import pytest
from openai import BadRequestError, OpenAI

from guard.gateway import create_app
from provenance.home import Home
from provenance.picture import encode
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedImageAssessor
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of


def picture(seed: int) -> dict[str, object]:
    data = base64.b64encode(encode(textured_picture("x", 64, 64, seed), "png")).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


@pytest.fixture
def client(home: Home) -> Iterator[OpenAI]:
    scripts = (({}, ()), ({"violence": 0.97}, ()))
    pipeline = pipeline_of(
        home, images=ScriptedImageAssessor(*scripts, covers=frozenset({"violence"}))
    )
    with (
        served(create_app(home, pipeline)) as url,
        OpenAI(base_url=f"{url}/v1", api_key="any") as made,
    ):
        yield made


def test_each_part_is_judged_by_itself(client: OpenAI) -> None:
    parts = [{"type": "text", "text": "two pictures"}, picture(1), picture(2)]
    text, calm, fight = client.moderations.create(input=parts).results  # type: ignore[arg-type]
    assert not text.flagged
    assert not calm.categories.violence
    assert fight.flagged
    assert fight.categories.violence
    assert fight.category_applied_input_types.violence == ["image"]


def test_what_was_not_looked_at_is_said(client: OpenAI) -> None:
    (result,) = client.moderations.create(input=[picture(1)]).results  # type: ignore[list-item]
    assert result.category_applied_input_types.sexual == []
    gateway = (result.model_extra or {})["gateway"]
    assert "sexual" in gateway["not_assessed"]


@pytest.mark.parametrize(
    "url", ["https://example.com/x.png", "data:image/png;base64,!", "data:,x", "data:x;base64,aGk="]
)
def test_what_is_no_picture_is_told_so(client: OpenAI, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(BadRequestError) as error:
        client.moderations.create(input=[part])  # type: ignore[list-item]
    assert error.value.code in ("invalid_value", "invalid_image")
