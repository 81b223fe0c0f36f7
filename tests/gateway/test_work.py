"""A gateway that is full, and one that is told to stop, as their clients see it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
import uvicorn
from openai import OpenAI

from guard.gateway import create_app
from provenance.home import Home
from tests.gateway.conftest import served
from tests.gateway.slow import SlowCore
from tests.support.deployment import pipeline_of

PATIENCE = 30.0  # seconds


@pytest.fixture
def slow() -> Iterator[SlowCore]:
    core = SlowCore()
    yield core
    core.go_on.set()


def client_of(address: str) -> OpenAI:
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=PATIENCE)


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_gateway_says_when_to_come_back_and_then_draws(
    home: Home, slow: SlowCore, stream: bool
) -> None:
    file = home.path / "wardmark.toml"
    file.write_text(file.read_text() + "\n[work]\nrunning = 1\nwaiting = 0\njobs = 0\n")
    narrow = Home.open(home.path)
    with (
        served(create_app(narrow, pipeline_of(narrow, core=slow))) as address,
        client_of(address) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(client.images.generate, prompt="a calm sea")
        assert slow.begun.wait(PATIENCE)
        with pytest.raises(openai.RateLimitError) as full:
            client.images.generate(prompt="a calm sea", stream=stream)
        assert full.value.code == "queue_full"
        assert 1 <= int(full.value.response.headers["retry-after"]) <= 120
        slow.go_on.set()
        assert first.result(PATIENCE).data
        assert client.images.generate(prompt="a calm sea").data
    assert len(list(narrow.ledger.entries(kind="delivery"))) == 2
    narrow.ledger.close()


def stopping(home: Home, core: SlowCore, grace: int) -> tuple[uvicorn.Server, threading.Thread]:
    """A server in a thread, which can be told to stop while it works."""
    app = create_app(home, pipeline_of(home, core=core))
    config = uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=grace)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    return server, thread


def test_a_gateway_that_is_told_to_stop_finishes_what_somebody_waits_for(
    home: Home, slow: SlowCore
) -> None:
    server, thread = stopping(home, slow, int(PATIENCE))
    port = server.servers[0].sockets[0].getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}") as client, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.images.generate, prompt="a calm sea")
        assert slow.begun.wait(PATIENCE)
        server.should_exit = True
        while not server.servers or server.servers[0].is_serving():
            assert thread.is_alive()
            time.sleep(0.01)
        slow.go_on.set()
        assert waiting.result(PATIENCE).data
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_what_does_not_end_in_time_is_stopped_and_on_record(home: Home, slow: SlowCore) -> None:
    server, thread = stopping(home, slow, 0)
    port = server.servers[0].sockets[0].getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}") as client, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.images.generate, prompt="a calm sea")
        assert slow.begun.wait(PATIENCE)
        server.should_exit = True
        with pytest.raises(openai.APIError):
            waiting.result(PATIENCE)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert slow.stopped.is_set()
    assert [entry.body["code"] for entry in home.ledger.entries(kind="stopped")] == ["cancelled"]
