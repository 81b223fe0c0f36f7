"""``/v1/jobs``: what was asked for with ``Prefer: respond-async``."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.gateway.callers import Identity, Scope, require
from guard.gateway.drawing import Drawing
from guard.gateway.jobs.document import document

router = APIRouter(prefix="/v1/jobs")

Reader = Annotated[Identity, Depends(require(scope=Scope.READ))]
Asker = Annotated[Identity, Depends(require(scope=Scope.GENERATE))]


@router.get("/{job_id}")
async def show(job_id: str, request: Request, identity: Reader) -> Response:
    """Where a job of yours stands: queued, in_progress, completed with its result, failed with its
    error, or cancelled."""
    drawing: Drawing = request.app.state.drawing
    job = await run_in_threadpool(drawing.jobs.find, identity.subject, job_id)
    return Response(document(job), media_type="application/json")


@router.delete("/{job_id}")
async def cancel(job_id: str, request: Request, identity: Asker) -> Response:
    """Stop a job of yours, or erase the answer of one that is done."""
    drawing: Drawing = request.app.state.drawing
    job = await run_in_threadpool(drawing.jobs.cancel, identity.subject, job_id)
    drawing.holding.drop(job_id)
    return Response(document(job), media_type="application/json")
