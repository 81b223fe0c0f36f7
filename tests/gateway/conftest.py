"""The real server on loopback, and the official client against it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from openai import OpenAI

from guard.gateway import create_app
from provenance.home import Home
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.deployment import home, pipeline_of

__all__ = ["home"]

START_SECONDS = 30  # how long a server may take to answer before a test gives up


@contextmanager
def served(app: FastAPI, **options: Any) -> Iterator[str]:
    """The base URL of a real server of ``app`` on a free port of loopback. ``options``: of
    uvicorn."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


@pytest.fixture
def address(home: Home) -> Iterator[str]:
    """A gateway that blocks "fight", on a free port; its base URL."""
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    with served(create_app(home, pipeline_of(home, prompts=prompts))) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{address}/v1", api_key="not checked on loopback") as made:
        yield made
