"""Pictures as events, to the official client."""

import base64
from collections.abc import Iterator

import httpx
import openai
import pytest
from openai import OpenAI

from guard.gateway import create_app
from provenance.home import Home
from provenance.picture import decode
from provenance.verify import verify
from tests.gateway.conftest import served
from tests.gateway.slow import SlowCore
from tests.support.assessors import ScriptedImageAssessor
from tests.support.deployment import pipeline_of

PATIENCE = 30.0  # seconds


@pytest.fixture
def unsafe_pictures(home: Home) -> Iterator[OpenAI]:
    """A client of a gateway whose core draws what may not leave."""
    images = ScriptedImageAssessor(({"violence": 0.99}, ()), ({"violence": 0.99}, ()))
    with (
        served(create_app(home, pipeline_of(home, images=images))) as url,
        OpenAI(base_url=f"{url}/v1", api_key="none") as client,
    ):
        yield client


def test_the_official_client_streams_a_finished_picture(client: OpenAI, home: Home) -> None:
    events = list(client.images.generate(prompt="a calm sea", n=2, stream=True, partial_images=3))
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    (first, second) = (base64.b64decode(event.b64_json) for event in events)
    assert decode(first).width == 256
    assert first != second
    assert verify(first, sources=home.sources()).verdict == "established"
    assert events[0].model_extra is not None
    told = events[0].model_extra["gateway"]
    assert told["content_id"]
    assert told["decision_id"].startswith("dec_")
    assert (events[0].size, events[0].output_format) == ("256x256", "png")


def test_a_prompt_that_is_refused_has_its_own_status_though_a_stream_was_asked_for(
    client: OpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(prompt="a fight", stream=True)
    assert refused.value.code == "moderation_blocked"


def test_a_picture_that_is_refused_ends_the_stream_with_every_reason(
    unsafe_pictures: OpenAI,
) -> None:
    with pytest.raises(openai.APIError) as refused:
        list(unsafe_pictures.images.generate(prompt="a calm sea", stream=True))
    assert refused.value.code == "moderation_blocked"
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["gateway"]["decision_id"] in refused.value.message
    assert "violence" in [reason["rule"] for reason in body["gateway"]["reasons"]]


def test_nothing_of_a_picture_leaves_before_it_was_assessed_and_marked(
    unsafe_pictures: OpenAI,
) -> None:
    asked = {"prompt": "a calm sea", "stream": True, "partial_images": 3}
    answer = httpx.post(f"{unsafe_pictures.base_url}images/generations", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "b64_json" not in answer.text
    assert "moderation_blocked" in answer.text


def test_steps_are_told_as_comments_that_every_client_passes_over(address: str) -> None:
    asked = {"prompt": "a calm sea", "stream": True, "steps": 3}
    answer = httpx.post(f"{address}/v1/images/generations", json=asked)
    comments = [line for line in answer.text.splitlines() if line.startswith(":")]
    assert comments
    assert all(comment.split("/")[0][2:].strip() for comment in comments)


@pytest.mark.parametrize("stream", [False, True])
def test_the_core_stops_when_the_client_leaves(
    home: Home, stream: bool, request: pytest.FixtureRequest
) -> None:
    core = SlowCore()
    request.addfinalizer(core.go_on.set)
    with served(create_app(home, pipeline_of(home, core=core))) as url:
        asked = {"prompt": "a calm sea", "steps": 50, "stream": stream}
        timeout = httpx.Timeout(PATIENCE, read=0.3)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/images/generations", json=asked, timeout=timeout)
        assert core.stopped.wait(PATIENCE)
    kinds = [(entry.kind, entry.body.get("code")) for entry in home.ledger.entries(first=1)]
    assert kinds == [("stopped", "cancelled")]
