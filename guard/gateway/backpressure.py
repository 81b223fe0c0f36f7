"""How much is drawn at once, and how much may wait for it: a bounded queue before the core.

Whoever finds the queue full is told at once to come back (429 ``queue_full``), so that a crowd
costs neither memory nor the patience of those who wait. A place is given in the order of coming.
"""

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request

from guard.errors import GenerationCancelled, QueueFull
from provenance.work import WorkSettings

T = TypeVar("T")

Stopped = Callable[[], bool]
"""Whether the work is to be given up; asked by the thread that does it."""

MAX_RETRY_AFTER = 120  # seconds; the official client does not try again where more is named
FIRST_GUESS = 5.0  # seconds that a picture may take, until one has been seen
WEIGHT = 0.2  # of the newest in the mean of how long work takes


class Places:
    """The places at which a process draws. For one event loop.

    ``close`` stops what runs; threads end at the next step of their core.
    """

    def __init__(self, settings: WorkSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.running, thread_name_prefix="drawing")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._running = 0
        self._seconds = FIRST_GUESS
        self._closed = False

    @property
    def running(self) -> int:
        """How many are drawn now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    async def do(
        self,
        work: Callable[[Stopped], T],
        *,
        left: Awaitable[Any] | None = None,
        patient: bool = False,
    ) -> T:
        """Do ``work`` in a thread, when there is a place.

        ``left`` comes to an end when nobody waits for the result any more: the work is told to
        stop. It is told so too when this call is cancelled. ``patient``: wait however long the
        queue is. Raises QueueFull, GenerationCancelled, and what ``work`` raises.
        """
        gone = None if left is None else asyncio.ensure_future(left)
        stop = False

        def stopped() -> bool:
            return stop or self._closed

        try:
            await self._take_place(gone, patient)
            began = time.monotonic()
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            drawn = loop.run_in_executor(self._threads, context.run, work, stopped)
            # The place is free when the thread is, even if nobody waits for it here any more.
            drawn.add_done_callback(lambda done: self._leave_place(done, began))
            if gone is not None:
                await asyncio.wait({drawn, gone}, return_when=asyncio.FIRST_COMPLETED)
                stop = gone.done()
            return await asyncio.shield(drawn)
        finally:
            stop = True
            if gone is not None:
                gone.cancel()

    async def _take_place(self, gone: asyncio.Future[Any] | None, patient: bool) -> None:
        if self._running < self._settings.running and not self._waiting:
            self._running += 1
            return
        if not patient and len(self._waiting) >= self._settings.waiting:
            raise self._full()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        patience = None if patient else self._settings.patience
        try:
            await asyncio.wait(
                {turn} if gone is None else {turn, gone},
                timeout=patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            self._step_out(turn)
            raise
        if not turn.done():
            self._step_out(turn)
            if gone is not None and gone.done():
                raise GenerationCancelled("the caller left before anything was drawn")
            raise self._full()

    def _step_out(self, turn: asyncio.Future[None]) -> None:
        if turn.done():  # the place was given in this very moment
            self._pass_on()
        else:
            self._waiting.remove(turn)

    def _leave_place(self, drawn: asyncio.Future[Any], began: float) -> None:
        if not drawn.cancelled():
            drawn.exception()  # seen, so that asyncio does not complain where nobody waited
        self._seconds += WEIGHT * (time.monotonic() - began - self._seconds)
        self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._running -= 1

    def _full(self) -> QueueFull:
        turns = (len(self._waiting) + 1) / self._settings.running
        wait = min(MAX_RETRY_AFTER, max(1, math.ceil(turns * self._seconds)))
        return QueueFull(
            f"{len(self._waiting)} requests wait already; try again in {wait} s", retry_after=wait
        )

    def close(self) -> None:
        """Stop what runs, and wait for its threads."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)


async def has_left(request: Request) -> None:
    """Comes to an end when the client closes the connection. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
