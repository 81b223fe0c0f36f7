"""Is it up, and can it serve?"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from policies.errors import WardmarkError

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Every part is there; where one is not, 503 and its name."""
    ledger = request.app.state.pipeline.provenance.ledger
    try:
        await run_in_threadpool(ledger.checkpoint)
    except WardmarkError as error:
        missing: dict[str, Any] = {"status": "not ready", "missing": {"ledger": str(error)}}
        return JSONResponse(missing, 503)
    return JSONResponse({"status": "ready"})
