"""``GET /v1/decisions/{id}``: why something was refused, held or delivered."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from guard.decisions import Found, find_decision
from guard.errors import DecisionNotFound
from guard.gateway.callers import Identity, Role, Scope, require, sees_commitment
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


def visible_decision(home: Home, decision_id: str, identity: Identity) -> Found:
    """A decision that exists for ``identity``. Raises DecisionNotFound, LedgerUnavailable."""
    found = find_decision(home.ledger, decision_id)
    if not sees_commitment(identity, found.tenant, home.commitment_key):
        raise DecisionNotFound(
            f"no decision {decision_id!r} is on record; its id stands in the answer to the request"
        )
    return found
