"""A core in a process of its own.

Threads of one process take turns at running Python, so that guards which look at one batch slow the
core that draws the next (docs/adr/0027). And what kills a core (its memory, a driver) kills no more
than it: what was drawn fails, and the next request starts the process again.
"""

import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Literal

from guard.errors import CoreFailed, GenerationCancelled
from guard.generation.core import LOOK_SECONDS, Core, CoreInfo, GenerationRequest, Progress
from guard.generation.word_maps import WordMap
from policies.errors import WardmarkError
from provenance.picture import Pixels

CLOSE_SECONDS: Final = 1.0  # that an end may wait for a run, and for the process
_SPAWN: Final = get_context("spawn")  # a copy of a process with threads may hang


@dataclass(frozen=True)
class _Call:
    method: Literal["load", "generate_batch", "word_maps"]
    asked: Sequence[GenerationRequest] | GenerationRequest | None = None


@dataclass(frozen=True)
class _Stop:
    """What is drawn is not wanted any more."""


@dataclass(frozen=True)
class _Step:
    """Steps done, of all."""

    done: int
    steps: int


@dataclass(frozen=True)
class _Result:
    value: Any


@dataclass(frozen=True)
class _Child:
    """The process, and this end of the pipe to it."""

    process: SpawnProcess
    pipe: Connection


class ProcessCore(Core):
    """What ``load`` gives, in a process that the first call starts. ``load`` can be pickled;
    ``info``: of that core. Safe to call from several threads, which take turns."""

    def __init__(self, info: CoreInfo, load: Callable[[], Core]) -> None:
        self._info = info
        self._load = load
        self._turn = threading.Lock()
        self._child: _Child | None = None

    @property
    def info(self) -> CoreInfo:
        """As it was given."""
        return self._info

    def load(self) -> None:
        """See `Core.load`."""
        self._ask(_Call("load"))

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """See `Core.generate_batch`; a process that dies is CoreFailed."""
        self.info.check_batch(requests)
        drawn: list[list[Pixels]] = self._ask(
            _Call("generate_batch", requests), progress, cancelled
        )
        return drawn

    def word_maps(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[WordMap, ...]:
        """See `Core.word_maps`."""
        self.info.check(request)
        maps: tuple[WordMap, ...] = self._ask(_Call("word_maps", request), progress, cancelled)
        return maps

    def close(self) -> None:
        """End the process, at the next step of what it draws. It ends with this one in any case."""
        idle = self._turn.acquire(timeout=CLOSE_SECONDS)
        child, self._child = self._child, None
        if child is not None:
            if idle:
                child.pipe.close()
                child.process.join(CLOSE_SECONDS)
            child.process.terminate()
        if idle:
            self._turn.release()

    def _ask(
        self,
        call: _Call,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Any:
        cancelled = cancelled or _never
        while not self._turn.acquire(timeout=LOOK_SECONDS):
            if cancelled():
                raise GenerationCancelled
        try:
            if self._child is None or not self._child.process.is_alive():
                self._child = _start(self._load)
            child = self._child
            try:
                child.pipe.send(call)
                answer = _answer(child.pipe, progress, cancelled)
            except BaseException as error:
                # What comes through the pipe from here on would answer nobody knows what.
                self._child = None
                child.process.terminate()
                if isinstance(error, EOFError | OSError):
                    raise CoreFailed(_death(self._info.name, child.process)) from error
                raise
        finally:
            self._turn.release()
        if isinstance(answer, WardmarkError):
            raise answer
        return answer.value


def _start(load: Callable[[], Core]) -> _Child:
    ours, theirs = _SPAWN.Pipe()
    # A daemon: it ends with this process, whose own end is a closed pipe to it in any case.
    process = _SPAWN.Process(target=_serve, args=(load, theirs), name="wardmark-core", daemon=True)
    process.start()
    theirs.close()  # so that the pipe is at its end when the process is
    return _Child(process, ours)


def _answer(
    pipe: Connection, progress: Progress | None, cancelled: Callable[[], bool]
) -> _Result | WardmarkError:
    """What the process comes to. Raises EOFError or OSError where it died."""
    stopped = False
    while True:
        if not stopped and cancelled():
            stopped = True
            pipe.send(_Stop())
        if not pipe.poll(LOOK_SECONDS):
            continue
        told: _Step | _Result | WardmarkError = pipe.recv()
        if not isinstance(told, _Step):
            return told
        if progress is not None:
            progress(told.done, told.steps)


def _death(name: str, process: SpawnProcess) -> str:
    process.join(1.0)
    code = process.exitcode
    how = f"by signal {signal.Signals(-code).name}" if code and code < 0 else f"with code {code}"
    return (
        f"The process of {name!r} ended {how}, and with it what it drew; the next request starts"
        " it again. If it stays so, look whether its memory suffices, and ask for less at once."
    )


def _serve(load: Callable[[], Core], pipe: Connection) -> None:
    """Answer one call after the other until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which then ends this

    def progress(done: int, steps: int) -> None:
        pipe.send(_Step(done, steps))

    core: Core | None = None
    with suppress(EOFError, OSError):  # nobody is there any more
        while True:
            call: _Call | _Stop = pipe.recv()
            if isinstance(call, _Stop):  # it came when all was drawn
                continue
            answer: _Result | WardmarkError
            try:
                core = core or load()
                if call.method == "load":
                    core.load()
                    answer = _Result(None)
                else:
                    # What comes while it draws is the word to stop.
                    told = {"progress": progress, "cancelled": pipe.poll}
                    answer = _Result(getattr(core, call.method)(call.asked, **told))
            except WardmarkError as error:
                answer = error
            except Exception as error:  # noqa: BLE001  # its words may hold a prompt
                answer = CoreFailed(f"The core broke ({type(error).__name__}).")
            pipe.send(answer)


def _never() -> bool:
    return False
