"""The queue before the core: bounded, in order, and left by whoever leaves."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from guard.errors import GenerationCancelled, QueueFull
from guard.gateway.backpressure import MAX_RETRY_AFTER, Places
from provenance.work import WorkSettings

PATIENCE = 20.0  # seconds, after which a test gives up


def until_stopped(stopped: Callable[[], bool]) -> str:
    limit = threading.Event()
    for _ in range(int(PATIENCE * 100)):
        if stopped():
            raise GenerationCancelled("stopped")
        limit.wait(0.01)
    return "never stopped"


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


class Held:
    """Work that takes as long as a test likes, and tells in which order it was begun."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self._open = threading.Event()

    def work(self, number: int) -> Callable[[Callable[[], bool]], int]:
        def run(_: Callable[[], bool]) -> int:
            self.begun.append(number)
            assert self._open.wait(PATIENCE)
            return number

        return run

    def finish(self) -> None:
        self._open.set()


def run(test: Callable[[Places, Held], Any], **settings: Any) -> None:
    async def whole() -> None:
        places, held = Places(WorkSettings(**settings)), Held()
        try:
            await test(places, held)
        finally:
            held.finish()
            places.close()

    asyncio.run(whole())


def test_whoever_finds_the_queue_full_is_told_when_to_come_back() -> None:
    async def test(places: Places, held: Held) -> None:
        doing = [asyncio.create_task(places.do(held.work(i))) for i in range(3)]
        await soon(lambda: (places.running, places.waiting) == (1, 2))
        with pytest.raises(QueueFull) as full:
            await places.do(held.work(9))
        assert 1 <= full.value.retry_after <= MAX_RETRY_AFTER
        held.finish()
        assert await asyncio.gather(*doing) == [0, 1, 2]
        assert (places.running, places.waiting) == (0, 0)
        assert await places.do(held.work(4)) == 4

    run(test, running=1, waiting=2)


def test_places_are_given_in_the_order_of_coming() -> None:
    async def test(places: Places, held: Held) -> None:
        doing = [asyncio.create_task(places.do(held.work(i))) for i in range(20)]
        held.finish()
        await asyncio.gather(*doing)
        assert held.begun == list(range(20))

    run(test, running=1, waiting=20)


def test_nobody_waits_longer_than_the_settings_say() -> None:
    async def test(places: Places, held: Held) -> None:
        first = asyncio.create_task(places.do(held.work(1)))
        await soon(lambda: places.running == 1)
        with pytest.raises(QueueFull):
            await places.do(held.work(2))
        held.finish()
        assert await first == 1
        assert held.begun == [1]

    run(test, running=1, waiting=5, patience=0.05)


def test_what_runs_is_stopped_when_nobody_waits_for_it_any_more() -> None:
    async def test(places: Places, _: Held) -> None:
        left = asyncio.Event()
        doing = asyncio.create_task(places.do(until_stopped, left=left.wait()))
        await soon(lambda: places.running == 1)
        left.set()
        with pytest.raises(GenerationCancelled):
            await doing
        assert places.running == 0

    run(test, running=1)


def test_who_leaves_the_queue_takes_no_place_and_harms_nobody_behind() -> None:
    async def test(places: Places, held: Held) -> None:
        left = asyncio.Event()
        first = asyncio.create_task(places.do(held.work(1)))
        leaving = asyncio.create_task(places.do(held.work(2), left=left.wait()))
        cancelled = asyncio.create_task(places.do(held.work(3)))
        last = asyncio.create_task(places.do(held.work(4)))
        await soon(lambda: places.waiting == 3)
        left.set()
        cancelled.cancel()
        with pytest.raises(GenerationCancelled):
            await leaving
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        held.finish()
        assert await asyncio.gather(first, last) == [1, 4]
        assert held.begun == [1, 4]

    run(test, running=1)


def test_a_place_stays_taken_until_its_thread_is_done() -> None:
    async def test(places: Places, held: Held) -> None:
        doing = asyncio.create_task(places.do(held.work(1)))
        await soon(lambda: held.begun == [1])
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert places.running == 1
        held.finish()
        await soon(lambda: places.running == 0)

    run(test, running=1)


def test_closing_stops_what_runs() -> None:
    async def test(places: Places, _: Held) -> None:
        doing = asyncio.create_task(places.do(until_stopped))
        await soon(lambda: places.running == 1)
        await asyncio.to_thread(places.close)
        with pytest.raises(GenerationCancelled):
            await doing

    run(test, running=1)
