"""Requests of several threads drawn in one run of a core.

A request waits a few milliseconds for others that fit (``GenerationRequest.batch_key``), then all
that came are drawn together, the oldest first. Each has its own seeds, so that it gets the picture
that it would have got alone; a request that fails or is cancelled takes no other with it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from guard.errors import GenerationCancelled
from guard.generation.core import LOOK_SECONDS, Core, CoreInfo, GenerationRequest, Progress
from guard.generation.word_maps import WordMap
from provenance.picture import Pixels


@dataclass(eq=False)
class _Ticket:
    """What one thread wants drawn, and later what became of it."""

    request: GenerationRequest
    progress: Progress | None
    cancelled: Callable[[], bool]
    came: float  # seconds of the monotonic clock
    done: threading.Event = field(default_factory=threading.Event)
    drawn: list[Pixels] = field(default_factory=list)
    error: Exception | None = None


class BatchingCore(Core):
    """``core`` behind a queue, drawn by one thread. ``wait``: seconds for which the first request
    of a batch waits for others; as soon as a batch is full it is drawn.

    The queue is as long as there are threads that call; the gateway bounds them.
    """

    def __init__(self, core: Core, wait: float) -> None:
        self._core = core
        self._wait = wait
        self._queue: deque[_Ticket] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> CoreInfo:
        """Of the core itself."""
        return self._core.info

    def load(self) -> None:
        """Of the core itself."""
        self._core.load()

    def close(self) -> None:
        """Of the core itself."""
        self._core.close()

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """What is a batch already is drawn as it is; see ``Core.generate_batch``."""
        if len(requests) != 1:
            return self._core.generate_batch(requests, progress=progress, cancelled=cancelled)
        self.info.check_batch(requests)
        ticket = _Ticket(requests[0], progress, cancelled or _never, time.monotonic())
        with self._changed:
            self._queue.append(ticket)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
                self._thread.start()
        while not ticket.done.wait(LOOK_SECONDS):
            if ticket.cancelled():
                raise GenerationCancelled
        if ticket.error is not None:
            raise ticket.error
        return [ticket.drawn]

    def word_maps(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[WordMap, ...]:
        """Of the core itself, which is watched alone."""
        return self._core.word_maps(request, progress=progress, cancelled=cancelled)

    def _run(self) -> None:
        while True:
            batch = self._next()
            try:
                self._draw(batch)
            except Exception as error:  # noqa: BLE001  # the threads that wait raise it
                self._end(batch, error)
            for ticket in batch:
                ticket.done.set()

    def _next(self) -> list[_Ticket]:
        """The oldest request and those behind it that can be drawn with it, when there are enough
        or the oldest has waited long enough."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue)
            until = self._queue[0].came + self._wait
            while True:
                batch = self._fitting()
                left = until - time.monotonic()
                if left <= 0 or sum(t.request.count for t in batch) >= self.info.max_batch:
                    break
                self._changed.wait(left)
            for ticket in batch:
                self._queue.remove(ticket)
            return batch

    def _fitting(self) -> list[_Ticket]:
        first, room = self._queue[0], self.info.max_batch
        batch = []
        for ticket in self._queue:
            count = ticket.request.count
            if ticket.request.batch_key == first.request.batch_key and count <= room:
                batch.append(ticket)
                room -= count
        return batch

    def _draw(self, batch: list[_Ticket]) -> None:
        wanted = [ticket for ticket in batch if not ticket.cancelled()]
        self._end([ticket for ticket in batch if ticket not in wanted], GenerationCancelled())
        if not wanted:
            return

        def progress(step: int, steps: int) -> None:
            for ticket in wanted:
                if ticket.progress is not None:
                    ticket.progress(step, steps)

        try:
            drawn = self._core.generate_batch(
                [ticket.request for ticket in wanted],
                progress=progress,
                cancelled=lambda: all(ticket.cancelled() for ticket in wanted),
            )
        except Exception as error:  # noqa: BLE001  # the thread that waits raises it
            if len(wanted) == 1:
                self._end(wanted, error)
                return
            for ticket in wanted:  # one of them is to blame, and the others are not
                self._draw([ticket])
            return
        for ticket, pixels in zip(wanted, drawn, strict=True):
            ticket.drawn = pixels

    @staticmethod
    def _end(batch: list[_Ticket], error: Exception) -> None:
        for ticket in batch:
            ticket.error = error


def _never() -> bool:
    return False
