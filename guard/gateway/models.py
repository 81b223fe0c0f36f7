"""``GET /v1/models``: the cores that can be asked."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from guard.gateway.callers import Identity, Scope, require

router = APIRouter(prefix="/v1")


@router.get("/models")
async def list_models(
    request: Request, _: Annotated[Identity, Depends(require(scope=Scope.READ))]
) -> dict[str, Any]:
    """The core behind this gateway, in the OpenAI list shape."""
    info = request.app.state.pipeline.core.info
    model = {
        "id": info.name,
        "object": "model",
        "created": 0,
        "owned_by": request.app.state.home.settings.provider,
        "version": info.version,
        "digest": info.digest,
        "domain": info.domain,
    }
    return {"object": "list", "data": [model]}
