"""The ledger: its head and witnesses, entries found and proved."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.console.access import OPERATORS
from guard.console.page import ROOT, Page, attached, show
from guard.console.routes.decisions import time_of
from guard.console.views import ledger as views
from guard.console.views.proofs import prove
from provenance.errors import LedgerEntryNotFound
from provenance.home import Home
from provenance.ledger.bundle import Bundle
from provenance.ledger.event import MAX_ID

router = APIRouter(
    prefix=f"{ROOT}/ledger", route_class=Page, include_in_schema=False, dependencies=[OPERATORS]
)

Wanted = Annotated[str, Query(max_length=MAX_ID)]


@router.get("")
async def search(
    request: Request,
    q: Wanted = "",
    kind: Annotated[str, Query(max_length=64)] = "",
    until: str = "",
    before: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """The head, and what was looked for; without a word the newest entries."""
    home: Home = request.app.state.home
    wanted, kind, end = q.strip(), kind.strip(), time_of(until)

    def look() -> Response:
        listed = (
            tuple(views.find(home.ledger, wanted))
            if wanted
            else views.latest(home.ledger, kind, before, end)
        )
        more = len(listed) == views.SHOWN and not wanted
        return show(
            request,
            "ledger.html",
            head=views.head(home.ledger),
            entries=listed,
            wanted=wanted,
            kind=kind,
            until=end,
            older=listed[-1].index if more else None,
            query=request.url.remove_query_params(["before"]).query,
        )

    return await run_in_threadpool(look)


@router.get("/entry")
async def entry(request: Request, id: Wanted) -> Response:
    """One entry, with its proof made and verified now."""
    home: Home = request.app.state.home

    def look() -> Response:
        found = home.ledger.find([id])
        if not found:
            raise LedgerEntryNotFound(f"the ledger has no entry of the id {id!r}")
        decision = found[0].body.get("decision_id")
        return show(
            request,
            "entry.html",
            entry=found[0],
            proof=prove(home.ledger, id),
            decision=decision if isinstance(decision, str) else "",
        )

    return await run_in_threadpool(look)


@router.get("/proof")
async def proof(request: Request, id: Wanted, form: Literal["json", "text"] = "json") -> Response:
    """The proof of an entry, to keep: ours, or as C2SP tlog-proof has it."""
    home: Home = request.app.state.home
    made = await run_in_threadpool(home.ledger.prove, id)
    if form == "text":
        return attached(Bundle.of(made).text(), f"entry-{made.index}.tlog-proof", "text/plain")
    return attached(made.model_dump_json(indent=2), f"entry-{made.index}-proof.json")


@router.get("/checkpoint")
async def checkpoint(request: Request) -> Response:
    """The signed head, with the cosignatures that it has."""
    home: Home = request.app.state.home
    head = await run_in_threadpool(home.ledger.checkpoint)
    return attached(head.note, f"checkpoint-{head.size}.txt", "text/plain")
