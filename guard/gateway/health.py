"""Is it up, and can it serve?"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from guard.policy_watch import PolicyWatch
from policies.errors import WardmarkError

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Every part is there; where one is not, 503 and its name. A change of the policy's file that
    was refused is told here, while the policy before it stays in force."""
    pipeline = request.app.state.pipeline
    ledger = pipeline.provenance.ledger
    try:
        await run_in_threadpool(ledger.checkpoint)
    except WardmarkError as error:
        missing: dict[str, Any] = {"status": "not ready", "missing": {"ledger": str(error)}}
        return JSONResponse(missing, 503)
    told: dict[str, Any] = {"status": "ready", "policy": pipeline.policy.ref.model_dump()}
    watch: PolicyWatch | None = getattr(request.app.state, "policy_watch", None)
    if watch is not None and watch.fault is not None:
        told["policy_refused"] = watch.fault
    return JSONResponse(told)
