"""Decisions: the list as it grows, one with its reasons, its words explained, its proof."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.check import Checker
from guard.console.access import SignedIn, Who, sees, sent_form
from guard.console.page import ROOT, Page, attached, show
from guard.console.views import decisions as views
from guard.console.views.explanation import explained
from guard.console.views.proofs import prove
from guard.decisions import Result
from guard.errors import DecisionNotFound, InvalidRequest
from guard.gateway.decisions import visible_decision
from policies.decision import Action
from provenance.home import Home

MAX_PROMPT_BYTES = 256 * 1024  # of the form that brings one; percent signs triple a letter
POLL_SECONDS = 5

router = APIRouter(prefix=f"{ROOT}/decisions", route_class=Page, include_in_schema=False)


class Asked(NamedTuple):
    """The filter of the address line, and the index to list before."""

    filter: views.Filter
    before: int | None
    query: str


async def asked_for(
    request: Request,
    result: Result | Literal[""] = "",
    action: Action | Literal[""] = "",
    stage: Literal["", "prompt", "image"] = "",
    rule: Annotated[str, Query(max_length=64)] = "",
    since: str = "",
    until: str = "",
    before: Annotated[int | None, Query(ge=0)] = None,
) -> Asked:
    """The filter in an address. Raises InvalidRequest."""
    looked_for = views.Filter(
        result=result or None,
        action=action or None,
        stage=stage,
        rule=rule.strip(),
        since=time_of(since),
        until=time_of(until),
    )
    return Asked(looked_for, before, request.url.remove_query_params(["before", "newest"]).query)


Asking = Annotated[Asked, Depends(asked_for)]


@router.get("")
async def listed(request: Request, who: Who, asked: Asking) -> Response:
    """The newest decisions that match the filter."""
    found = await run_in_threadpool(_listing, request, who, asked)
    return show(
        request,
        "decisions.html",
        found=found,
        asked=asked,
        actions=tuple(Action),
        results=tuple(Result),
        poll_seconds=POLL_SECONDS,
    )


@router.get("/rows")
async def rows(request: Request, who: Who, asked: Asking, newest: int = -1) -> Response:
    """The list alone, for the page that asks every few seconds; 204 where nothing is new."""
    found = await run_in_threadpool(_listing, request, who, asked)
    if found.newest == newest:
        return Response(status_code=204)
    return show(
        request, "decision-rows.html", found=found, asked=asked, poll_seconds=POLL_SECONDS
    )


@router.get("/{decision}")
async def one(request: Request, who: Who, decision: str) -> Response:
    """One decision."""
    return await run_in_threadpool(_one, request, who, decision)


@router.get("/{decision}/proof")
async def proof(request: Request, who: Who, decision: str, entry: str) -> Response:
    """The proof that an ending of this decision stands in the ledger, to keep."""
    home: Home = request.app.state.home
    found = await run_in_threadpool(visible_decision, home, decision, who.identity)
    if entry not in {ending.entry for ending in found.record.endings}:
        raise DecisionNotFound(f"decision {decision} has no ending {entry!r}")
    made = await run_in_threadpool(home.ledger.prove, entry)
    return attached(made.model_dump_json(indent=2), f"{decision}-proof.json")


@router.post("/{decision}/explain")
async def explain(request: Request, who: Who, decision: str) -> Response:
    """The same with the words of its prompt explained, which somebody pastes: it is not stored."""
    fields = await sent_form(request, who, MAX_PROMPT_BYTES)
    prompt = fields.get("prompt", "").replace("\r\n", "\n")
    return await run_in_threadpool(_one, request, who, decision, prompt)


def time_of(text: str) -> datetime | None:
    """A time in an address; without a zone it is UTC. Raises InvalidRequest."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no time; write 2026-11-20T12:00") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _listing(request: Request, who: SignedIn, asked: Asked) -> views.Listing:
    home: Home = request.app.state.home
    key = home.commitment_key
    return views.listing(
        home.ledger, asked.filter, lambda entry: sees(who, entry, key), before=asked.before
    )


def _one(
    request: Request, who: SignedIn, decision: str, prompt: str | None = None
) -> Response:
    home: Home = request.app.state.home
    record = visible_decision(home, decision, who.identity).record
    words = None
    if prompt is not None:
        checker: Checker = request.app.state.checker
        entries = home.ledger.find([record.endings[0].entry])
        words = explained(prompt, checker, entries[0], home.commitment_key)
    return show(
        request,
        "decision.html",
        decision=views.whole(record),
        document=record.document(margins=True),
        proofs={ending.entry: prove(home.ledger, ending.entry) for ending in record.endings},
        words=words,
        prompt=prompt or "",
    )
