"""The front page: what needs attention."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.appeals import Appeals
from guard.console.access import SignedIn, Who, sees
from guard.console.page import ROOT, Page, show
from guard.console.routes.policies import drafts_of
from guard.console.views import front as views
from guard.console.views.keys import signers
from guard.gateway.callers import sees_commitment
from guard.policy_watch import PolicyWatch
from guard.review import Review
from provenance.home import Home

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("")
@router.get("/")
async def front(request: Request, who: Who) -> Response:
    """Every sign that somebody may see."""
    signs = await run_in_threadpool(_signs, request, who)
    return show(request, "front.html", signs=signs)


async def nowhere(request: Request, who: Who) -> Response:  # noqa: ARG001  # its rights are asked
    """Any other address below the console's."""
    said = "There is no such page."
    return show(request, "problem.html", 404, said=said, code="not_found")


def _signs(request: Request, who: SignedIn) -> list[views.Sign]:
    home: Home = request.app.state.home
    key = home.commitment_key
    entries = views.recent(home.ledger, lambda entry: sees(who, entry, key))
    now = datetime.now(UTC)
    appeals: Appeals = request.app.state.appeals
    waiting = [
        appeal.opened_at
        for appeal in appeals.waiting()
        if sees_commitment(who.identity, appeal.tenant, key)
    ]
    review: Review = request.app.state.review
    held = [
        one.kept_at
        for one in review.queue()
        if sees_commitment(who.identity, one.tenant, key)
    ]
    signs = [views.of_queue(held, now), views.of_appeals(waiting, now)]
    signs += views.of_decisions(entries)
    if who.everywhere:
        watch: PolicyWatch | None = getattr(request.app.state, "policy_watch", None)
        fault = watch.fault if watch else None
        policy = request.app.state.pipeline.policy.ref
        signs.append(views.of_policy(policy, fault, drafts_of(request).all()))
        signs.append(views.of_drift(entries))
        told = (*appeals.waiting(), *appeals.answered())
        signs += views.of_assessors(entries, {appeal.decision_id for appeal in told})
        signs.append(views.of_ledger(home.ledger, now))
        signs += views.of_signers(signers(home, now))
    return signs
