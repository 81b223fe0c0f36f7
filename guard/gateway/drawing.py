"""What every request for pictures goes through: now, as a stream, once for a key, or as a job.

    Idempotency-Key   the same request again has the same answer, from the record
    Prefer: respond-async   202 and a job, whose answer is fetched later
    stream            events, see ``streaming``
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from inspect import CORO_CREATED, getcoroutinestate
from secrets import token_hex
from typing import Any

import cbor2
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from guard.errors import DecisionRefused, InvalidRequest, JobInterrupted
from guard.gateway.answers import Answer, answer_of, answer_to
from guard.gateway.backpressure import Places, Stopped, has_left
from guard.gateway.callers import Admitted, Callers, Identity
from guard.gateway.errors import NO_RETRY
from guard.gateway.idempotency import REPLAYED, key_of
from guard.gateway.jobs.document import document
from guard.gateway.jobs.holding import Holding
from guard.gateway.jobs.sealing import Seal
from guard.gateway.jobs.store import Claimed, Jobs
from guard.gateway.streaming import replayed_events, streamed
from guard.pipeline import Caller, ImageRequest, Pipeline, Progress
from guard.pipeline.admit import admit
from guard.pipeline.release import content_payload
from provenance.errors import EventConflict
from provenance.home import Home
from provenance.ledger.database import Database

Admitting = Callable[[ImageRequest], AbstractAsyncContextManager[Admitted]]

MAX_BEGUN = 3  # a job that took its process down so often is not begun again


class Drawing:
    """Draws for one process. ``pipeline`` gives the one that is in force."""

    def __init__(self, pipeline: Callable[[], Pipeline], places: Places, jobs: Jobs) -> None:
        self.pipeline = pipeline
        self.places = places
        self.jobs = jobs
        self.holding = Holding(jobs)
        self.job_put = asyncio.Event()

    @classmethod
    def of(cls, home: Home, pipeline: Callable[[], Pipeline]) -> "Drawing":
        """Of one process at ``home``. Raises LedgerKeyInvalid."""
        settings = home.settings.work
        worker = f"{socket.gethostname()[:32]}-{os.getpid()}-{token_hex(4)}"
        seal = Seal(home.commitment_key)
        database = Database(home.ledger_url)
        jobs = Jobs(database, seal, settings.keep, worker, settings.queued_jobs)
        return cls(pipeline, Places(settings), jobs)

    async def now(
        self,
        asked: ImageRequest,
        left: Coroutine[Any, Any, Any] | None,
        progress: Progress | None = None,
        *,
        claimed: Claimed | None = None,
        patient: bool = False,
        admission: Admitting | None = None,
    ) -> Answer:
        """Draw in a thread when there is a place. Raises as ``Places.do`` and ``Pipeline.run``,
        and JobInterrupted where ``claimed`` was delivered before and its answer is lost.

        ``admission``: counts it for its caller; raises as ``Admission.drawing``. None where that
        was done before.
        """
        if admission is None:
            return await self._drawn(Admitted(asked), left, progress, claimed, patient)
        try:
            async with admission(asked) as admitted:
                return await self._drawn(admitted, left, progress, claimed, patient)
        finally:
            if left is not None and getcoroutinestate(left) == CORO_CREATED:
                left.close()  # it was not admitted, so nobody waited for its caller to leave

    async def _drawn(
        self,
        admitted: Admitted,
        left: Coroutine[Any, Any, Any] | None,
        progress: Progress | None,
        claimed: Claimed | None,
        patient: bool,
    ) -> Answer:
        pipeline, asked = self.pipeline(), admitted.asked

        def work(stopped: Stopped) -> Answer:
            if claimed is not None:
                _check_begun_anew(pipeline, asked, claimed)
            name = None if claimed is None else claimed.id
            try:
                outcome = pipeline.run(asked, progress=progress, cancelled=stopped, work=name)
            except EventConflict as error:
                raise _interrupted() from error
            admitted.delivered = len(outcome.released)
            return answer_of(outcome, asked.format)

        return await self.places.do(work, left=left, patient=patient)

    async def once(
        self,
        asked: ImageRequest,
        left: Coroutine[Any, Any, Any],
        progress: Progress | None,
        claimed: Claimed,
        admission: Admitting | None = None,
    ) -> Answer:
        """Draw for an idempotency key, and keep what was decided; an outage frees the key."""
        kept = False
        try:
            with self.holding.of(claimed.id):
                answer = await self.now(asked, left, progress, claimed=claimed, admission=admission)
                kept = await run_in_threadpool(self.jobs.finish, claimed.id, answer)
            return answer
        except (DecisionRefused, JobInterrupted) as error:
            kept = await run_in_threadpool(self.jobs.finish, claimed.id, answer_to(error))
            raise
        finally:
            if not kept:
                await asyncio.shield(run_in_threadpool(self.jobs.forget, claimed.id))


async def draw(
    request: Request,
    asked: ImageRequest,
    identity: Identity,
    *,
    stream: str | None = None,
    end_user: str | None = None,
) -> Response:
    """Answer a request for pictures. ``stream``: the name of its events, where they are wanted.
    ``end_user``: as the request names them."""
    drawing: Drawing = request.app.state.drawing
    callers: Callers = request.app.state.callers
    admission = partial(callers.admission.drawing, identity, end_user=end_user)
    key = key_of(request)
    if _wants_a_job(request):
        if stream is not None:
            raise InvalidRequest("a job is not streamed; leave out stream, or Prefer")
        return await _later(drawing, asked, identity, key, admission)
    claimed = None
    if key is not None:
        begun = await run_in_threadpool(drawing.jobs.begin, identity.subject, _meant(asked), key)
        if isinstance(begun, Answer):
            if stream is not None and begun.status < 400:
                return replayed_events(begun, stream)
            return _replayed(begun)
        claimed = begun

    async def doing(progress: Progress | None) -> Answer:
        left = has_left(request)
        if claimed is None:
            return await drawing.now(asked, left, progress, admission=admission)
        return await drawing.once(asked, left, progress, claimed, admission)

    if stream is not None:
        return await streamed(doing, stream)
    answer = await doing(None)
    return Response(answer.body, answer.status, media_type="application/json")


async def _later(
    drawing: Drawing,
    asked: ImageRequest,
    identity: Identity,
    key: str | None,
    admission: Admitting,
) -> Response:
    await run_in_threadpool(admit, asked, drawing.pipeline().core.info)  # said at once
    jobs, subject, job = drawing.jobs, identity.subject, None
    if key is not None:
        job = await run_in_threadpool(jobs.left, subject, key, _meant(asked))
    if job is None:
        async with admission(asked) as admitted:
            put = partial(jobs.put, subject, packed(admitted.asked), key, _meant(asked))
            job = await run_in_threadpool(put)
            admitted.delivered = asked.count  # counted on the day on which it was asked for
        drawing.job_put.set()
    headers = {"location": f"/v1/jobs/{job.id}", "preference-applied": "respond-async"}
    return Response(document(job), 202, headers, "application/json")


def packed(asked: ImageRequest) -> bytes:
    """A request as bytes."""
    return bytes(cbor2.dumps(asked.model_dump()))


def unpacked(data: bytes) -> ImageRequest:
    """The request that ``packed`` made."""
    return ImageRequest.model_validate(cbor2.loads(data))


def _meant(asked: ImageRequest) -> bytes:
    """What makes two requests the same: not how much quota was left to the caller by then."""
    return packed(asked.model_copy(update={"caller": Caller()}))


def _wants_a_job(request: Request) -> bool:
    """RFC 7240."""
    sent = ",".join(request.headers.getlist("prefer"))
    return any(wish.split(";")[0].strip().lower() == "respond-async" for wish in sent.split(","))


def _replayed(answer: Answer) -> Response:
    headers = {REPLAYED: "true", **(NO_RETRY if answer.status >= 400 else {})}
    return Response(answer.body, answer.status, headers, "application/json")


def _check_begun_anew(pipeline: Pipeline, asked: ImageRequest, claimed: Claimed) -> None:
    """Raise JobInterrupted where it was delivered before, or took down who drew it too often."""
    if claimed.begun > MAX_BEGUN:
        raise JobInterrupted(
            f"{claimed.begun - 1} processes ended while they drew this; it is not begun again"
        )
    if claimed.begun == 1:
        return
    for index in range(asked.count):
        payload = content_payload(pipeline.commitment_key, claimed.id, index)
        if pipeline.provenance.ledger.record_by_content_id(payload.hex()) is not None:
            raise _interrupted()


def _interrupted() -> JobInterrupted:
    return JobInterrupted(
        "the process that drew this ended after a picture was recorded and before it was kept, so"
        " it is lost; ask again, under another idempotency key, for a new one"
    )
