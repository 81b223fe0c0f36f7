"""Appeals: who waits for an answer, what they say, and the answer to them."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.appeals import MAX_WORDS, Appeal, Appeals, Outcome
from guard.check import Checker
from guard.console.access import Ruling, SignedIn, Who, sent_form
from guard.console.page import ROOT, Page, go, show
from guard.console.views import decisions as views
from guard.console.views.explanation import explained
from guard.console.views.proofs import prove
from guard.decisions import find_decision
from guard.errors import AppealNotFound, InvalidRequest
from guard.gateway.callers import sees_commitment
from policies.errors import WardmarkError
from provenance.home import Home

ANSWERED_SHOWN = 20

router = APIRouter(prefix=f"{ROOT}/appeals", route_class=Page, include_in_schema=False)


@router.get("")
async def listed(request: Request, who: Who) -> Response:
    """Those that wait, the longest first, and those that were answered last."""
    appeals: Appeals = request.app.state.appeals
    waiting = await run_in_threadpool(appeals.waiting)
    answered = await run_in_threadpool(appeals.answered, ANSWERED_SHOWN)
    return show(
        request,
        "appeals.html",
        waiting=[one for one in waiting if _sees(request, who, one)],
        answered=[one for one in answered if _sees(request, who, one)],
    )


@router.get("/{appeal_id}")
async def one(request: Request, who: Who, appeal_id: str) -> Response:
    """What somebody says against a decision."""
    return await run_in_threadpool(_one, request, who, appeal_id)


@router.post("/{appeal_id}")
async def answer(request: Request, who: Ruling, appeal_id: str) -> Response:
    """Answer it. What was wrong with an answer is said beside the form, and the words are kept."""
    fields = await sent_form(request, who)
    appeals: Appeals = request.app.state.appeals
    await run_in_threadpool(_visible, request, who, appeal_id)
    words = fields.get("words", "").replace("\r\n", "\n")
    try:
        if fields.get("outcome") not in tuple(Outcome):
            raise InvalidRequest("choose whether the decision is upheld or overturned")
        outcome = Outcome(fields["outcome"])
        by = who.identity.subject
        await run_in_threadpool(lambda: appeals.answer(appeal_id, outcome, words, by=by))
    except WardmarkError as error:
        shown = {"said": str(error), "words": words, "outcome": fields.get("outcome", "")}
        page = await run_in_threadpool(_one, request, who, appeal_id, shown)
        page.status_code = error.http_status
        return page
    return go(f"{ROOT}/appeals")


def _one(
    request: Request, who: SignedIn, appeal_id: str, shown: dict[str, Any] | None = None
) -> Response:
    home: Home = request.app.state.home
    appeal = _visible(request, who, appeal_id)
    record = find_decision(home.ledger, appeal.decision_id).record
    explanation = None
    if appeal.prompt is not None:
        checker: Checker = request.app.state.checker
        (entry,) = home.ledger.find([record.endings[0].entry])
        explanation = explained(appeal.prompt, checker, entry, home.commitment_key)
    return show(
        request,
        "appeal.html",
        appeal=appeal,
        decision=views.whole(record),
        explanation=explanation,
        proof=prove(home.ledger, appeal.entry),
        most=MAX_WORDS,
        **{"said": "", "words": "", "outcome": ""} | (shown or {}),
    )


def _visible(request: Request, who: SignedIn, appeal_id: str) -> Appeal:
    appeals: Appeals = request.app.state.appeals
    appeal = appeals.read(appeal_id)
    if not _sees(request, who, appeal):
        raise AppealNotFound(f"no appeal {appeal_id!r}; its id stands in the answer to it")
    return appeal


def _sees(request: Request, who: SignedIn, appeal: Appeal) -> bool:
    home: Home = request.app.state.home
    return sees_commitment(who.identity, appeal.tenant, home.commitment_key)
