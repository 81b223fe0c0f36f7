"""``/v1/decisions/{id}``: why something was refused, held or delivered, and what was released."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from guard.decisions import Found, find_decision
from guard.errors import DecisionNotFound
from guard.gateway.callers import Identity, Role, Scope, require, sees_commitment
from guard.review import Review
from provenance.home import Home

router = APIRouter(prefix="/v1")

Reader = Annotated[Identity, Depends(require(scope=Scope.READ))]
SEE_MARGINS = frozenset({Role.MODERATOR, Role.AUDITOR, Role.ADMIN})


@router.get("/decisions/{decision_id}")
async def read_decision(decision_id: str, request: Request, identity: Reader) -> dict[str, Any]:
    """Every ending of a request with its reasons, receipts and steps that did not run.

    Its id is enough for whoever was told it, but for a key of another tenant, to which it does
    not exist. Limits and values stand in it for moderators, auditors and admins.
    """
    home: Home = request.app.state.home
    found = await run_in_threadpool(visible_decision, home, decision_id, identity)
    return found.record.document(margins=identity.role in SEE_MARGINS)


@router.get("/decisions/{decision_id}/pictures")
async def read_pictures(decision_id: str, request: Request, identity: Reader) -> dict[str, Any]:
    """The pictures that were held for review and released, in the shape of the images API.

    None is there before somebody ruled, and none after its time, which the retention plan says.
    """
    home: Home = request.app.state.home
    review: Review = request.app.state.review
    await run_in_threadpool(visible_decision, home, decision_id, identity)
    files = await run_in_threadpool(review.collected, decision_id)
    data = [
        {
            "b64_json": base64.b64encode(file.data).decode("ascii"),
            "gateway": {
                "content_id": file.content_id,
                "sha256": file.sha256,
                "media_type": file.media_type,
                "receipts": list(file.receipts),
            },
        }
        for file in files
    ]
    return {"decision_id": decision_id, "data": data}


def visible_decision(home: Home, decision_id: str, identity: Identity) -> Found:
    """A decision that exists for ``identity``. Raises DecisionNotFound, LedgerUnavailable."""
    found = find_decision(home.ledger, decision_id)
    if not sees_commitment(identity, found.tenant, home.commitment_key):
        raise DecisionNotFound(
            f"no decision {decision_id!r} is on record; its id stands in the answer to the request"
        )
    return found
