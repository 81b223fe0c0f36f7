"""Who is told how long each step takes and what was decided: logs, metrics, traces.

with observing(observer):
    pipeline.run(request)

The observer belongs to the context (``contextvars``), so that a thread which a request is handed
to reports to the observer of that request. What it raises is not caught: an observer must not fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol

from guard.assessment import Assessment
from policies.decision import Decision


class Observer(Protocol):
    """Told of each step that ended, well or not, and of each decision. Never of a prompt."""

    def began(self, decision_id: str) -> None:
        """The pipeline took a request on, which has this id in the ledger."""
        ...

    def ran(self, step: str, seconds: float) -> None:
        """``step`` took so long; names as in ``guard.pipeline.trail``."""
        ...

    def decided(self, assessment: Assessment, decision: Decision) -> None:
        """A policy answered on what ``assessment`` says."""
        ...


_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Let ``observer`` be told of what happens in this context."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Tell the observer, if there is one, how long this took."""
    began = perf_counter()
    try:
        yield
    finally:
        observer = _observer.get()
        if observer is not None:
            observer.ran(step, perf_counter() - began)


def begun(decision_id: str) -> None:
    """Tell the observer, if there is one, of a request that is taken on."""
    observer = _observer.get()
    if observer is not None:
        observer.began(decision_id)


def tell(assessment: Assessment, decision: Decision) -> None:
    """Tell the observer, if there is one, of a decision."""
    observer = _observer.get()
    if observer is not None:
        observer.decided(assessment, decision)
