"""A replay that tells how far it is while a page is being sent."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from guard.policy_replay import Progress, ReplayReport
from policies.errors import WardmarkError

TICK_SECONDS = 0.3  # between two words on how far it is


class Tick(NamedTuple):
    """How many entries of how many were read."""

    done: int
    entries: int


class Replaying:
    """Iterating runs the work and yields its progress; then ``report`` or ``error`` is set."""

    def __init__(self, work: Callable[[Progress], ReplayReport]) -> None:
        self._work = work
        self.report: ReplayReport | None = None
        self.error: WardmarkError | None = None

    def __iter__(self) -> Iterator[Tick]:
        latest: queue.SimpleQueue[Tick | None] = queue.SimpleQueue()
        far = Tick(0, 0)

        def note(done: int, entries: int) -> None:
            nonlocal far
            far = Tick(done, entries)

        def run() -> None:
            try:
                self.report = self._work(note)
            except WardmarkError as error:
                self.error = error
            finally:
                latest.put(None)

        threading.Thread(target=run, name="console-replay", daemon=True).start()
        while True:
            try:
                latest.get(timeout=TICK_SECONDS)
            except queue.Empty:
                yield far
            else:
                return
