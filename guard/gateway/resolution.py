"""C2PA Soft Binding Resolution API (2.4): a mark or a picture leads back to its credential.

``/matches/byBinding``, ``/matches/byContent``, ``/manifests/{id}`` and
``/services/supportedAlgorithms``, at the root and under ``/v1``. Public, as verification is; what
is sent is not kept.
"""

import base64
import binascii
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from guard.errors import InvalidRequest
from guard.gateway.uploads import read_picture
from guard.gateway.verification import Detector
from guard.verification.repository import Kept, Repository
from provenance.errors import PictureInvalid
from provenance.home import Home

MOST_RESULTS = 100
MANIFEST_STORE = "application/c2pa"

MaxResults = Annotated[int, Query(alias="maxResults", ge=1)]

router = APIRouter()


class Binding(BaseModel):
    """A soft binding to look up; ``value`` is base64 of what the algorithm says."""

    model_config = ConfigDict(extra="ignore")

    alg: str
    value: str


@router.get("/matches/byBinding")
async def by_binding(
    request: Request, alg: str, value: str, most: MaxResults = 10
) -> dict[str, Any]:
    """Manifests that a soft binding leads to."""
    return await _matches_of(request, Binding(alg=alg, value=value), most)


@router.post("/matches/byBinding")
async def by_large_binding(
    request: Request, binding: Binding, most: MaxResults = 10
) -> dict[str, Any]:
    """The same, for values that are too long for an address."""
    return await _matches_of(request, binding, most)


@router.post(
    "/matches/byContent",
    openapi_extra={"requestBody": {"required": True, "content": {"image/*": {}}}},
)
async def by_content(
    request: Request,
    alg: str | None = None,
    most: MaxResults = 10,
    hint_alg: Annotated[str | None, Query(alias="hintAlg")] = None,
    hint_value: Annotated[str | None, Query(alias="hintValue")] = None,
) -> dict[str, Any]:
    """Manifests that a picture leads to, by its marks and its looks; a hint is a soft binding that
    was read in it already."""
    detector: Detector = request.app.state.detector
    detector.count(request)
    repository, data = _repository(request), await read_picture(request)
    try:
        found = await detector.run(partial(repository.by_content, data, alg))
    except PictureInvalid as error:
        raise HTTPException(415, str(error)) from error  # as the specification has it
    if hint_alg is not None and hint_value is not None:
        hinted = _value(hint_value)
        found = (*found, *await run_in_threadpool(repository.by_binding, hint_alg, hinted))
    return _matches(found, most)


@router.get("/manifests/{name:path}")
async def manifest(
    request: Request,
    name: str,
    active_only: Annotated[bool, Query(alias="returnActiveManifest")] = False,
) -> Response:
    """A manifest store, or its active manifest alone."""
    look_up = partial(_repository(request).manifest, name, active_only=active_only)
    store = await run_in_threadpool(look_up)
    if store is None:
        raise HTTPException(404, f"no manifest {name[:100]!r} is kept here")
    return Response(store, media_type=MANIFEST_STORE, headers={"x-content-type-options": "nosniff"})


@router.get("/services/supportedAlgorithms")
async def supported_algorithms(request: Request) -> dict[str, Any]:
    """The soft binding algorithms that can be looked up."""
    repository = _repository(request)
    return {
        "watermarks": [{"alg": alg} for alg in repository.watermarks],
        "fingerprints": [{"alg": alg} for alg in repository.fingerprints],
    }


def _repository(request: Request) -> Repository:
    home: Home = request.app.state.home
    return Repository(home.ledger, home.sources().schemes)


async def _matches_of(request: Request, binding: Binding, most: int) -> dict[str, Any]:
    look_up = partial(_repository(request).by_binding, binding.alg, _value(binding.value))
    return _matches(await run_in_threadpool(look_up), most)


def _value(text: str) -> bytes:
    # A plus sign that was not escaped in an address has become a space.
    try:
        return base64.b64decode(text.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"give value as base64; this is not: {error}") from error


def _matches(found: tuple[Kept, ...], most: int) -> dict[str, Any]:
    """The result in the specification's shape, each manifest once."""
    kept = {item.manifest: item for item in reversed(found)}
    return {
        "matches": [
            {"manifestId": item.manifest}
            | ({} if item.similarity is None else {"similarityScore": item.similarity})
            for item in list(reversed(kept.values()))[: min(most, MOST_RESULTS)]
        ]
    }
