"""A core in a process of its own is a core: the same pictures and errors, and its death is not
ours."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled, InvalidRequest
from guard.generation.batching import BatchingCore
from guard.generation.core import Core, GenerationRequest
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.process_core import ProcessCore
from tests.support.core import InMemoryCore
from tests.support.slow_core import SlowCore, draw

STEPS = 4
INFO = InMemoryCore(draw=draw).info


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.fixture(scope="module")
def core(notes: Path) -> Iterator[ProcessCore]:
    core = ProcessCore(INFO, partial(SlowCore, notes))
    yield core
    core.close()


def asked(prompt: str, *, seed: int = 7, count: int = 1, steps: int = STEPS) -> GenerationRequest:
    return GenerationRequest(
        prompt=prompt, width=128, height=64, steps=steps, guidance=1.0, seed=seed, count=count
    )


def process_of(core: Core) -> int:
    """The id of the process that draws."""
    (picture,) = core.generate(asked("who", steps=1))
    return int.from_bytes(picture[0, 0].tobytes(), "big")


def test_pictures_are_those_that_the_core_draws_here(core: ProcessCore) -> None:
    requests = [asked("a lake", seed=1, count=2), asked("a hill", seed=9)]
    steps: list[tuple[int, int]] = []
    drawn = core.generate_batch(requests, progress=lambda done, total: steps.append((done, total)))
    here = InMemoryCore(draw=draw).generate_batch(requests)
    for ours, theirs in zip(here, drawn, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert steps == [(n, STEPS) for n in range(1, STEPS + 1)]


def test_it_draws_elsewhere_and_always_in_the_same_place(core: ProcessCore) -> None:
    core.load()
    where = process_of(core)
    assert where != os.getpid()
    assert process_of(core) == where


def test_what_is_outside_the_limits_is_refused_before_it_travels() -> None:
    with pytest.raises(InvalidRequest):
        ProcessCore(INFO, not_loaded).generate(asked("a lake", steps=1_000))


def test_an_error_of_the_core_stays_what_it_is_and_ends_nothing(core: ProcessCore) -> None:
    where = process_of(core)
    with pytest.raises(CoreFailed, match="it broke, as asked"):
        core.generate(asked("fail"))
    with pytest.raises(InvalidRequest, match="no maps of words"):
        core.word_maps(asked("a lake"))
    assert process_of(core) == where


def test_who_leaves_stops_the_drawing_and_nothing_else(core: ProcessCore, notes: Path) -> None:
    where, left = process_of(core), threading.Event()
    with pytest.raises(GenerationCancelled):
        core.generate_batch(
            [asked("long", steps=50)],
            progress=lambda done, _total: left.set() if done == 3 else None,
            cancelled=left.is_set,
        )
    made = int((notes / "long-7").read_text())
    assert made < 50
    assert process_of(core) == where
    assert int((notes / "long-7").read_text()) == made


def test_who_leaves_while_another_is_drawn_does_not_wait_for_a_turn(core: ProcessCore) -> None:
    begun, done = threading.Event(), threading.Event()

    def other() -> None:
        core.generate_batch([asked("other", steps=20)], progress=lambda *_: begun.set())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(30)
    with pytest.raises(GenerationCancelled):
        core.generate_batch([asked("a lake")], cancelled=lambda: True)
    assert not done.is_set()
    thread.join()


@pytest.mark.parametrize("idle", [True, False])
def test_a_process_that_is_killed_is_begun_again_and_only_what_it_drew_fails(
    core: ProcessCore, idle: bool
) -> None:
    where = process_of(core)

    def kill(*_: object) -> None:
        os.kill(where, signal.SIGKILL)

    if idle:
        kill()
        while core._child and core._child.process.is_alive():
            time.sleep(0.01)
    else:
        with pytest.raises(CoreFailed, match="SIGKILL") as told:
            core.generate_batch([asked("a lake", steps=50)], progress=kill)
        assert told.value.http_status == 503
    assert process_of(core) != where


def test_closing_it_ends_its_process_even_while_it_draws(notes: Path) -> None:
    core = ProcessCore(INFO, partial(SlowCore, notes))
    where, begun = process_of(core), threading.Event()
    came: list[type[BaseException]] = []

    def drawing() -> None:
        with pytest.raises(CoreFailed) as told:
            core.generate_batch([asked("to the end", steps=50)], progress=lambda *_: begun.set())
        came.append(told.type)

    thread = threading.Thread(target=drawing)
    thread.start()
    assert begun.wait(30)
    core.close()
    thread.join()
    assert came == [CoreFailed]
    with pytest.raises(ProcessLookupError):
        os.kill(where, 0)
    core.close()  # a second time does no harm


def test_of_a_batch_only_the_request_that_kills_the_process_fails(core: ProcessCore) -> None:
    batching = BatchingCore(core, 0.5)
    came: dict[str, object] = {}

    def ask(prompt: str) -> None:
        try:
            came[prompt] = batching.generate(asked(prompt))
        except CoreFailed as error:
            came[prompt] = error

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in ("die", "a lake")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(came["die"], CoreFailed)
    assert "with code 1" in str(came["die"])
    assert isinstance(came["a lake"], list)


def test_after_a_fault_of_the_callers_no_answer_goes_to_the_wrong_request(
    core: ProcessCore,
) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("the stream to the browser is gone")

    with pytest.raises(RuntimeError):
        core.generate_batch([asked("a lake")], progress=broken)
    (hill,) = core.generate(asked("a hill"))
    np.testing.assert_array_equal(hill, draw("a hill", 128, 64, 7))


def not_loaded() -> Core:
    raise CoreUnavailable("the checkpoint is not there")


def faulty() -> Core:
    raise ZeroDivisionError("a red house")


@pytest.mark.parametrize(
    ("load", "error", "words"),
    [(not_loaded, CoreUnavailable, "is not there"), (faulty, CoreFailed, "ZeroDivisionError")],
)
def test_a_core_that_cannot_be_loaded_says_why_and_quotes_nothing(
    load: Callable[[], Core], error: type[Exception], words: str
) -> None:
    core = ProcessCore(INFO, load)
    with pytest.raises(error, match=words) as told:
        core.load()
    assert "red house" not in str(told.value)
    core.close()


def test_a_checkpoint_draws_the_same_and_shows_its_words(tiny_sd: Path) -> None:
    here = DiffusersCore(tiny_sd, device="cpu")
    there = ProcessCore(here.info, partial(DiffusersCore, tiny_sd, device="cpu"))
    request = here.info.request("a red house on a hill", seed=3)
    np.testing.assert_allclose(here.generate(request)[0], there.generate(request)[0], atol=1)
    words = [one.word for one in here.word_maps(request)]
    assert words
    assert [one.word for one in there.word_maps(request)] == words
    there.close()
