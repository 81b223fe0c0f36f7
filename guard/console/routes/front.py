"""The front page: what needs attention."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.appeals import Appeals
from guard.console.access import SignedIn, Who, sees
from guard.console.page import ROOT, Page, show
from guard.console.views import front as views
from guard.gateway.callers import sees_commitment
from provenance.home import Home

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("")
@router.get("/")
async def front(request: Request, who: Who) -> Response:
    """Every sign that somebody may see."""
    signs = await run_in_threadpool(_signs, request, who)
    return show(request, "front.html", signs=signs)


def _signs(request: Request, who: SignedIn) -> list[views.Sign]:
    home: Home = request.app.state.home
    key = home.commitment_key
    rows = views.recent(home.ledger, lambda entry: sees(who, entry, key))
    now = datetime.now(UTC)
    appeals: Appeals = request.app.state.appeals
    waiting = [
        appeal.opened_at
        for appeal in appeals.waiting()
        if sees_commitment(who.identity, appeal.tenant, key)
    ]
    signs = [views.of_appeals(waiting, now), *views.of_decisions(rows)]
    if who.everywhere:
        signs.append(views.of_ledger(home.ledger, now))
    return signs
