"""A core that cannot draw, or dies while it draws: told as what it is, and nothing is delivered."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import httpx
import pytest

from guard.errors import CoreFailed
from guard.gateway import create_app
from guard.generation import GenerationRequest
from guard.generation.batching import BatchingCore
from guard.generation.core import Core, Progress
from guard.generation.process_core import ProcessCore
from provenance.home import Home
from provenance.picture import Pixels
from tests.gateway.conftest import served
from tests.gateway.test_jobs import wait_for
from tests.support.core import InMemoryCore
from tests.support.deployment import pipeline_of
from tests.support.slow_core import draw

STEPS = 4
DIES_AT = 2

CAUSES: dict[str, Exception] = {
    "numbers that are no picture": CoreFailed("it came to numbers that are no picture at step 2"),
    "no memory for one picture": CoreFailed("it has not the memory for one picture"),
    "out of memory, untold": MemoryError(),
    "a fault of the core's own": RuntimeError("something private"),
    "a service that hung up": ConnectionResetError("something private"),
}


class Mortal(InMemoryCore):
    """Draws half of a picture that has "storm" in its prompt, and dies of ``cause``."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self._cause = cause

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        def step(done: int, steps: int) -> None:
            if progress is not None:
                progress(done, steps)
            if done == DIES_AT and any("storm" in request.prompt for request in requests):
                raise self._cause

        return super().generate_batch(requests, progress=step, cancelled=cancelled)


@contextmanager
def gateway(home: Home, core: Core) -> Iterator[str]:
    core = BatchingCore(core, 0.01)
    with served(create_app(home, pipeline_of(home, core=core))) as address:
        yield address


def ask(address: str, prompt: str, **headers: str) -> httpx.Response:
    url = f"{address}/v1/images/generations"
    return httpx.post(url, json={"prompt": prompt}, headers=headers, timeout=60)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_a_core_that_dies_halfway_delivers_nothing_and_the_next_is_drawn(
    home: Home, cause: Exception
) -> None:
    with gateway(home, Mortal(cause)) as address:
        answer = ask(address, "a storm at sea")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "core_failed")
        assert "b64_json" not in answer.text
        assert "private" not in answer.text
        assert ask(address, "a calm sea").status_code == 200
    (stopped,) = home.ledger.entries(kind="stopped")
    assert (stopped.body["stopped_at"], stopped.body["code"]) == ("generate", "core_failed")
    assert len(list(home.ledger.entries(kind="delivery"))) == 1


def test_a_core_that_takes_its_whole_process_along_leaves_the_gateway_alive(home: Home) -> None:
    apart = ProcessCore(InMemoryCore().info, partial(InMemoryCore, draw=draw))
    with gateway(home, apart) as address:
        answer = ask(address, "die")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "core_failed")
        assert ask(address, "a calm sea").status_code == 200
    (stopped,) = home.ledger.entries(kind="stopped")
    assert (stopped.body["stopped_at"], stopped.body["code"]) == ("generate", "core_failed")
    assert len(list(home.ledger.entries(kind="delivery"))) == 1
    assert apart._child is None  # it ended with the gateway


def test_a_job_whose_core_dies_halfway_is_failed_and_the_next_is_drawn(home: Home) -> None:
    with gateway(home, Mortal(RuntimeError("something private"))) as address:
        failed = wait_for(address, ask(address, "a storm at sea", prefer="respond-async"), "failed")
        assert failed["error"]["code"] == "core_failed"
        assert failed["result"] is None
        wait_for(address, ask(address, "a calm sea", prefer="respond-async"), "completed")
    assert len(list(home.ledger.entries(kind="delivery"))) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"size": "250x256"}, "multiple of 8 from 64 to 1024"),
        ({"size": "256x2048"}, "multiple of 8 from 64 to 1024"),
        ({"size": "0x0"}, "width"),
        ({"steps": 51}, "from 1 to 50"),
        ({"steps": 0}, "from 1 to 50"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_a_core_does_not_draw_is_said_with_its_limit(
    home: Home, asked: dict[str, object], words: str
) -> None:
    with gateway(home, Mortal(RuntimeError())) as address:
        url = f"{address}/v1/images/generations"
        answer = httpx.post(url, json={"prompt": "a calm sea", **asked}, timeout=60)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]["message"]
    assert list(home.ledger.entries(kind="delivery")) == []
