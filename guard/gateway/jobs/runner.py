"""Draws jobs, beside the requests that somebody waits for.

Each process runs some at once; they take the places of ``backpressure`` as everybody does, only
that they do not mind how long the queue is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from guard.errors import DecisionRefused, GenerationCancelled
from guard.gateway.answers import Answer, answer_to
from guard.gateway.callers import Admission
from guard.gateway.drawing import Drawing, unpacked
from guard.gateway.errors import error_body
from guard.gateway.jobs.store import Claimed
from guard.gateway.seeing import Watcher
from guard.pipeline.observing import observing
from policies.errors import WardmarkError
from provenance.errors import ProvenanceUnavailable
from provenance.work import WorkSettings

LOOK_SECONDS = 1.0  # between looks for jobs that another process left
SWEEP_SECONDS = 60.0  # between looks for answers whose time is over
LOADED_SECONDS = 0.1  # within which a core that loads nothing has said so
log = logging.getLogger(__name__)


class Runner:
    """The tasks of one process that draw jobs, renew leases and erase what is over."""

    def __init__(self, drawing: Drawing, admission: Admission, settings: WorkSettings) -> None:
        self._drawing = drawing
        self._admission = admission
        self._settings = settings
        self._closing = False
        self._runners: list[asyncio.Task[None]] = []
        self._keepers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._runners = [asyncio.create_task(self._run()) for _ in range(self._settings.jobs)]
        self._keepers = [
            asyncio.create_task(self._drawing.holding.run()),
            asyncio.create_task(self._sweep()),
        ]

    async def close(self) -> None:
        """Take on nothing more, finish what runs within ``grace``, and return what does not."""
        self._closing = True
        self._drawing.job_put.set()
        if self._runners:
            await asyncio.wait(self._runners, timeout=self._settings.grace)
        await asyncio.to_thread(self._drawing.places.close)
        await asyncio.gather(*self._runners, return_exceptions=True)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.to_thread(self._drawing.jobs.close)

    async def _run(self) -> None:
        while not self._closing:
            try:
                claimed = await run_in_threadpool(self._drawing.jobs.claim)
                if claimed is not None:
                    await self._draw(claimed)
                    continue
            except ProvenanceUnavailable as error:
                log.warning("jobs wait for the database: %s", error)
            await self._wait()

    async def _wait(self) -> None:
        put = self._drawing.job_put
        with suppress(TimeoutError):
            await asyncio.wait_for(put.wait(), LOOK_SECONDS)
        if not self._closing:
            put.clear()

    async def _draw(self, claimed: Claimed) -> None:
        """Draw one job. Raises ProvenanceUnavailable where its answer cannot be kept; its lease
        runs out then."""
        drawing = self._drawing
        with drawing.holding.of(claimed.id) as lost:
            answer = await self._answer(claimed, lost)
            if answer is not None:
                await run_in_threadpool(drawing.jobs.finish, claimed.id, answer)
            elif not lost.is_set():
                await run_in_threadpool(drawing.jobs.give_back, claimed.id)

    async def _answer(self, claimed: Claimed, lost: asyncio.Event) -> Answer | None:
        """What came of it; None where it was stopped."""
        try:
            asked = unpacked(claimed.request)
            return await self._drawing.now(asked, lost.wait(), claimed=claimed, patient=True)
        except GenerationCancelled:
            return None
        except DecisionRefused as error:
            subject = await run_in_threadpool(self._drawing.jobs.subject, claimed.id)
            await self._admission.learn(subject, asked.prompt)
            return answer_to(error)
        except WardmarkError as error:
            return answer_to(error)
        except Exception:
            log.exception("job %s failed by a fault of ours", claimed.id)
            body = error_body(
                f"internal error; quote {claimed.id} to the operator",
                status=500,
                code="internal_error",
            )
            return Answer(500, orjson.dumps(body))

    async def _sweep(self) -> None:
        while True:
            with suppress(ProvenanceUnavailable):
                await run_in_threadpool(self._drawing.jobs.sweep)
            await asyncio.sleep(SWEEP_SECONDS)


@asynccontextmanager
async def working(app: FastAPI) -> AsyncIterator[None]:
    """The life of ``app``: jobs are drawn from its start to its stop."""
    state = app.state
    runner = Runner(state.drawing, state.callers.admission, state.home.settings.work)
    with observing(Watcher(app.state.metrics)):  # of the tasks that are begun here
        runner.start()
    if state.home.settings.work.load_core:
        state.loading.start()
        # A core whose weights lie elsewhere has nothing to load: that is known before anyone asks.
        await asyncio.to_thread(state.loading.close, LOADED_SECONDS)
    try:
        yield
    finally:
        await runner.close()
        await asyncio.to_thread(state.loading.close, state.home.settings.work.grace)
        await asyncio.to_thread(state.pipeline.core.close)
        await asyncio.to_thread(app.state.review.close)
