"""``/v1/appeals``: a person disagrees with a decision, and reads the answer of another."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from guard.appeals import Appeal, Appeals, Statement
from guard.errors import AppealNotFound, AppealRefused
from guard.gateway.callers import Identity, Scope, require, sees_commitment
from guard.gateway.callers.identity import ANONYMOUS
from guard.gateway.decisions import visible_decision
from guard.gateway.limits import RateLimiter
from provenance.home import Home

PER_MINUTE = 30  # appeals of one caller; an application may relay those of many people

router = APIRouter(prefix="/v1")

Appellant = Annotated[Identity, Depends(require(scope=Scope.APPEAL))]


class AppealBody(Statement):
    """An appeal as it is sent. ``decision_id`` stands in the answer that refused."""

    decision_id: str


@router.post("/appeals", status_code=201)
async def open_appeal(body: AppealBody, request: Request, identity: Appellant) -> dict[str, Any]:
    """Appeal against a refusal, or against holding a picture back. One at a time, three in all.

    The statement is kept sealed, and can be erased. A moderator answers; the answer stands under
    ``GET /v1/appeals/{id}``.
    """
    limiter: RateLimiter = request.app.state.appeal_limit
    address = request.client.host if request.client else ""
    limiter.take(address if identity.subject == ANONYMOUS else identity.subject)
    home: Home = request.app.state.home
    appeals: Appeals = request.app.state.appeals
    if not home.settings.appeals.accept:
        raise AppealRefused("this gateway takes no appeals; write to who runs it")

    def open_it() -> Appeal:
        said = Statement.model_validate(body.model_dump(exclude={"decision_id"}))
        return appeals.open(visible_decision(home, body.decision_id, identity), said)

    return _told(await run_in_threadpool(open_it))


@router.get("/appeals/{appeal_id}")
async def read_appeal(appeal_id: str, request: Request, identity: Appellant) -> dict[str, Any]:
    """Whether an appeal is open, and what came of it."""
    home: Home = request.app.state.home
    appeals: Appeals = request.app.state.appeals
    appeal = await run_in_threadpool(appeals.read, appeal_id)
    if not sees_commitment(identity, appeal.tenant, home.commitment_key):
        raise AppealNotFound(f"no appeal {appeal_id!r}; its id stands in the answer to it")
    return _told(appeal)


def _told(appeal: Appeal) -> dict[str, Any]:
    """What the appellant is told: not who answered, and nothing of scores."""
    answer = appeal.answer
    return {
        "id": appeal.id,
        "object": "appeal",
        "decision_id": appeal.decision_id,
        "state": appeal.state,
        "opened_at": appeal.opened_at.isoformat(),
        "erased": appeal.erased,
        "answer": answer
        and {"outcome": answer.outcome, "words": answer.words, "at": answer.at.isoformat()},
    }
