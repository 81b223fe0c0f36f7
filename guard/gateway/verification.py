"""``POST /v1/verify``: the free, public detector. Keeps nothing."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from starlette.concurrency import run_in_threadpool

from provenance.errors import PictureTooLarge
from provenance.home import Home
from provenance.verify import verify

MAX_UPLOAD_BYTES = 32 * 1024 * 1024

router = APIRouter(prefix="/v1")


@router.post("/verify")
async def verify_upload(request: Request, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """Where does this picture come from? The JSON of ``wardmark verify``."""
    home: Home = request.app.state.home
    data = await file.read(MAX_UPLOAD_BYTES + 1)
    if len(data) > MAX_UPLOAD_BYTES:
        raise PictureTooLarge(f"the file has more than {MAX_UPLOAD_BYTES:,} bytes")
    report = await run_in_threadpool(verify, data, sources=home.sources())
    return report.model_dump(mode="json") | {"file": file.filename or ""}
