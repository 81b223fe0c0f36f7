"""Where the pass runs. An engine maps a function over batches and keeps their order."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Final, Protocol, TypeVar

from datasets_audit.errors import EngineUnknown, WorkerLost

Work = TypeVar("Work")
Result = TypeVar("Result")

BATCHES_AHEAD: Final = 4  # for each worker; bounds memory while nobody waits


class Engine(Protocol):
    """Runs a pure function over work, anywhere, and yields the results in the order of the work."""

    def map(self, function: Callable[[Work], Result], work: Iterable[Work]) -> Generator[Result]:
        """``function`` must be importable by name, work and results picklable.

        Close it to stop early: what runs is then let finish, and no more is begun.
        """
        ...


class LocalEngine:
    """This process alone (``workers=1``), or worker processes on this machine.

    Workers are spawned, not forked: a fork copies the locks of decoders' threads in any state.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def map(self, function: Callable[[Work], Result], work: Iterable[Work]) -> Generator[Result]:
        """Results in order. Raises WorkerLost if a worker process dies."""
        if self._workers <= 1:
            yield from map(function, work)
            return
        pool = ProcessPoolExecutor(self._workers, multiprocessing.get_context("spawn"))
        waiting: deque[Future[Result]] = deque()
        try:
            rest = iter(work)
            for item in islice(rest, self._workers * BATCHES_AHEAD):
                waiting.append(pool.submit(function, item))
            while waiting:
                result = waiting.popleft().result()
                for item in islice(rest, 1):
                    waiting.append(pool.submit(function, item))
                yield result
        except BrokenProcessPool as error:
            raise WorkerLost(
                "A worker process ended in the middle of the pass (killed, or out of memory). "
                "Nothing was written; try again with workers=1. A script of your own must call "
                "this below if __name__ == '__main__'."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def default_workers() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def load_engine(name: str, workers: int) -> Engine:
    """The engine of that name. Raises EngineUnknown."""
    if name == "local":
        return LocalEngine(workers)
    if name == "ray":
        from datasets_audit.ray_engine import RayEngine

        return RayEngine(workers)
    raise EngineUnknown(f"There is no engine {name!r}. Use local or ray.")
