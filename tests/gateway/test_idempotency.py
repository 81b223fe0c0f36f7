"""A request that is sent twice under one key is drawn once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from guard.errors import CoreFailed
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms
from guard.gateway.drawing import Drawing
from guard.gateway.jobs import store
from guard.generation import Core
from guard.pipeline import ImageRequest
from provenance.home import Home
from provenance.picture import Pixels, encode
from tests.gateway.conftest import served
from tests.gateway.slow import SlowCore
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import pipeline_of

PATIENCE = 30.0  # seconds
KEY = {"Idempotency-Key": "3f0c"}


def deliveries(home: Home) -> list[str]:
    return [entry.id for entry in home.ledger.entries(kind="delivery")]


@pytest.fixture
def over(home: Home) -> Iterator[Callable[[Core], OpenAI]]:
    """A client of a gateway over a core; it does not try again by itself."""
    from contextlib import ExitStack

    with ExitStack() as opened:

        def made(core: Core) -> OpenAI:
            url = opened.enter_context(served(create_app(home, pipeline_of(home, core=core))))
            client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
            return opened.enter_context(client)

        yield made


def test_the_same_request_under_the_same_key_is_drawn_once(client: OpenAI, home: Home) -> None:
    asked: dict[str, Any] = {"prompt": "a calm sea", "extra_headers": KEY}
    first = client.images.with_raw_response.generate(**asked)
    again = client.images.with_raw_response.generate(**asked)
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(deliveries(home)) == 1


def test_a_key_with_another_request_is_a_conflict_that_is_not_retried(
    client: OpenAI, home: Home
) -> None:
    client.images.generate(prompt="a calm sea", extra_headers=KEY)
    with pytest.raises(openai.ConflictError) as conflict:
        client.images.generate(prompt="a rough sea", extra_headers=KEY)
    assert conflict.value.code == "idempotency_conflict"
    assert conflict.value.response.headers["x-should-retry"] == "false"
    assert len(deliveries(home)) == 1


def test_a_refusal_is_the_same_refusal_again(client: OpenAI, home: Home) -> None:
    told = []
    for _ in range(2):
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.generate(prompt="a fight", extra_headers=KEY)
        told.append(refused.value.body)
        assert refused.value.response.headers["x-should-retry"] == "false"
    assert told[0] == told[1]
    assert len(list(home.ledger.entries(kind="refusal"))) == 1


def test_a_request_whose_first_is_not_done_waits(
    over: Callable[[Core], OpenAI], home: Home
) -> None:
    slow = SlowCore()
    client = over(slow)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.images.generate, prompt="a calm sea", extra_headers=KEY)
        try:
            assert slow.begun.wait(PATIENCE)
            with pytest.raises(openai.ConflictError) as running:
                client.images.generate(prompt="a calm sea", extra_headers=KEY)
        finally:
            slow.go_on.set()
        assert running.value.code == "still_running"
        assert running.value.response.headers["retry-after"] == "1"
        assert first.result(PATIENCE).data
    assert client.images.generate(prompt="a calm sea", extra_headers=KEY).data
    assert len(deliveries(home)) == 1


def test_an_outage_frees_the_key(over: Callable[[Core], OpenAI], home: Home) -> None:
    broken = iter([True])

    def draw(prompt: str, width: int, height: int, seed: int) -> Pixels:
        if next(broken, False):
            raise CoreFailed("the core broke")
        return textured_picture(prompt, width, height, seed)

    client = over(InMemoryCore(draw=draw))
    with pytest.raises(openai.InternalServerError) as down:
        client.images.generate(prompt="a calm sea", extra_headers=KEY)
    assert down.value.code == "core_failed"
    assert client.images.generate(prompt="a calm sea", extra_headers=KEY).data
    assert len(deliveries(home)) == 1


def test_keys_of_two_callers_have_nothing_to_do_with_each_other(
    address: str, home: Home
) -> None:
    keys = ApiKeys.of(home)
    for _ in range(2):
        token = keys.create(KeyTerms()).token
        answer = httpx.post(
            f"{address}/v1/images/generations",
            json={"prompt": "a calm sea"},
            headers={**KEY, "authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200
    keys.close()
    assert len(set(deliveries(home))) == 2


def test_a_stream_is_the_same_stream_again(client: OpenAI, home: Home) -> None:
    streams = [
        [event.b64_json for event in client.images.generate(
            prompt="a calm sea", n=2, stream=True, extra_headers=KEY
        )]
        for _ in range(2)
    ]  # fmt: skip
    assert streams[0] == streams[1]
    assert len(deliveries(home)) == 2


def test_a_job_under_a_key_is_the_same_job_again(address: str) -> None:
    headers = {**KEY, "prefer": "respond-async"}
    asked = [
        httpx.post(
            f"{address}/v1/images/generations", json={"prompt": "a calm sea"}, headers=headers
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].headers["location"] == asked[1].headers["location"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_told_so(address: str, key: str) -> None:
    answer = httpx.post(
        f"{address}/v1/images/generations",
        json={"prompt": "a calm sea"},
        headers={"idempotency-key": key},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")


def test_what_a_process_recorded_before_it_died_is_not_drawn_again(
    client: OpenAI, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = Drawing.of(home, lambda: pipeline_of(home))
    request = ImageRequest(prompt="a calm sea")
    from guard.gateway.drawing import packed

    monkeypatch.setattr(store, "LEASE_SECONDS", -1.0)
    begun = drawing.jobs.begin("anonymous", packed(request), "3f0c")
    monkeypatch.undo()
    assert isinstance(begun, store.Claimed)
    pipeline_of(home).run(request, work=begun.id)  # and the process dies
    for _ in range(2):
        with pytest.raises(openai.InternalServerError) as lost:
            client.with_options(max_retries=0).images.generate(
                prompt="a calm sea", extra_headers=KEY
            )
        assert lost.value.code == "job_interrupted"
    assert len(deliveries(home)) == 1
    drawing.jobs.close()


def test_an_edit_is_the_same_though_its_form_has_another_boundary(
    client: OpenAI, home: Home
) -> None:
    picture = encode(textured_picture("a sea", 256, 256, 1), "png")
    asked: dict[str, Any] = {"image": picture, "prompt": "a rough sea", "extra_headers": KEY}
    first, again = (client.images.with_raw_response.edit(**asked) for _ in range(2))
    assert first.http_request.headers["content-type"] != again.http_request.headers["content-type"]
    assert first.content == again.content
    other = encode(textured_picture("a hill", 256, 256, 1), "png")
    with pytest.raises(openai.ConflictError):
        client.images.edit(**{**asked, "image": other})
    assert len(deliveries(home)) == 1
