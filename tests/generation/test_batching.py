"""Requests that meet in one batch: together where they fit, and each as if it were alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from guard.errors import CoreFailed, GenerationCancelled, InvalidRequest
from guard.generation import GenerationRequest
from guard.generation.batching import BatchingCore
from guard.generation.core import Progress
from provenance.picture import Pixels
from tests.support.core import InMemoryCore

PATIENCE = 30.0  # seconds
MAX_BATCH = 4  # of the core in memory


class Watched(InMemoryCore):
    """Notes the prompts of each run, and holds the first until it is let go."""

    def __init__(self, broken: str = "") -> None:
        super().__init__()
        self.runs: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._broken = broken

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        self.runs.append([request.prompt for request in requests])
        self.begun.set()
        while not self.go_on.wait(0.005):
            if cancelled is not None and cancelled():
                break
        if self._broken in self.runs[-1]:
            raise CoreFailed("it broke")
        return super().generate_batch(requests, progress=progress, cancelled=cancelled)


def asking(prompt: str, *, seed: int = 1, count: int = 1, steps: int = 2) -> GenerationRequest:
    return GenerationRequest(
        prompt=prompt, width=64, height=64, steps=steps, guidance=1.0, seed=seed, count=count
    )


class Crowd:
    """Threads that ask one core, each once the one before it is in the queue."""

    def __init__(self, core: Watched, wait: float = 0.2) -> None:
        self.core = core
        self.batching = BatchingCore(core, wait)
        self._threads = ThreadPoolExecutor(16)

    def ask(
        self, request: GenerationRequest, cancelled: Callable[[], bool] | None = None
    ) -> Future[list[Pixels]]:
        queued = threading.Event()

        def cancelled_and_seen() -> bool:
            queued.set()
            return cancelled is not None and cancelled()

        asked = self._threads.submit(
            self.batching.generate, request, cancelled=cancelled_and_seen
        )
        assert queued.wait(PATIENCE)
        return asked

    def close(self) -> None:
        self.core.go_on.set()
        self._threads.shutdown()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd(Watched())
    yield made
    made.close()


def results(futures: Sequence[Future[list[Pixels]]]) -> list[list[Pixels]]:
    return [future.result(PATIENCE) for future in futures]


def test_requests_that_come_together_are_drawn_in_one_run(crowd: Crowd) -> None:
    first = crowd.ask(asking("first"))
    assert crowd.core.begun.wait(PATIENCE)
    later = [crowd.ask(asking(f"later {i}", seed=i)) for i in range(6)]
    crowd.core.go_on.set()
    results([first, *later])
    assert crowd.core.runs == [
        ["first"],
        [f"later {i}" for i in range(MAX_BATCH)],
        [f"later {i}" for i in range(MAX_BATCH, 6)],
    ]


def test_each_gets_the_pictures_that_it_would_have_got_alone(crowd: Crowd) -> None:
    requests = [asking("a sea", seed=3), asking("a hill", seed=9, count=2), asking("a sea", seed=4)]
    first = crowd.ask(asking("first"))
    drawn = [crowd.ask(request) for request in requests]
    crowd.core.go_on.set()
    first.result(PATIENCE)
    alone = InMemoryCore()
    for request, pictures in zip(requests, results(drawn), strict=True):
        for own, expected in zip(pictures, alone.generate(request), strict=True):
            np.testing.assert_array_equal(own, expected)


def test_requests_that_do_not_fit_wait_their_turn_and_nobody_is_passed_over(crowd: Crowd) -> None:
    first = crowd.ask(asking("first"))
    assert crowd.core.begun.wait(PATIENCE)
    asked = [
        crowd.ask(asking("a", steps=2)),
        crowd.ask(asking("b", steps=5)),
        crowd.ask(asking("c", steps=2, count=4)),  # too many for the batch of "a"
        crowd.ask(asking("d", steps=2)),
    ]
    crowd.core.go_on.set()
    results([first, *asked])
    assert crowd.core.runs[1:] == [["a", "d"], ["b"], ["c"]]


def test_one_that_fails_takes_no_other_with_it(request: pytest.FixtureRequest) -> None:
    crowd = Crowd(Watched(broken="bad"))
    request.addfinalizer(crowd.close)
    first = crowd.ask(asking("first"))
    assert crowd.core.begun.wait(PATIENCE)
    good, bad, other = (crowd.ask(asking(name)) for name in ("good", "bad", "other"))
    crowd.core.go_on.set()
    results([first, good, other])
    with pytest.raises(CoreFailed):
        bad.result(PATIENCE)


def test_one_that_is_cancelled_ends_at_once_and_harms_nobody(crowd: Crowd) -> None:
    first = crowd.ask(asking("first"))
    assert crowd.core.begun.wait(PATIENCE)
    stop = threading.Event()
    leaving, staying = crowd.ask(asking("leaving"), stop.is_set), crowd.ask(asking("staying"))
    stop.set()
    with pytest.raises(GenerationCancelled):
        leaving.result(PATIENCE)  # while the run before it goes on
    assert not first.done()
    crowd.core.go_on.set()
    results([first, staying])
    assert crowd.core.runs[1:] == [["staying"]]


def test_a_run_that_nobody_wants_any_more_is_stopped(crowd: Crowd) -> None:
    stop = threading.Event()
    asked = [crowd.ask(asking(f"{i}"), stop.is_set) for i in range(MAX_BATCH)]
    assert crowd.core.begun.wait(PATIENCE)
    stop.set()
    for one in asked:
        with pytest.raises(GenerationCancelled):
            one.result(PATIENCE)
    crowd.core.go_on.set()
    assert results([crowd.ask(asking("next"))])


def test_all_are_told_how_far_the_run_is(crowd: Crowd) -> None:
    told: list[tuple[int, int]] = []
    crowd.core.go_on.set()
    crowd.batching.generate(asking("a", steps=3), progress=lambda *step: told.append(step))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_cannot_be_drawn_is_said_before_it_waits(crowd: Crowd) -> None:
    with pytest.raises(InvalidRequest):
        crowd.batching.generate(asking("a", steps=10_000))
    assert crowd.core.runs == []
    assert crowd.batching.info == crowd.core.info
