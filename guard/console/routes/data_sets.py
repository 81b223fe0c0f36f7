"""Data sets: what was audited, the reports, and whether they still say what their files say."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.console.access import OPERATORS, Operator, sent_form
from guard.console.page import ROOT, Page, show
from guard.console.views import data_sets as views
from guard.console.views.proofs import prove
from provenance.home import Home

REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Of a report, which is a file by itself: it runs nothing and loads nothing."""

router = APIRouter(
    prefix=f"{ROOT}/data-sets", route_class=Page, include_in_schema=False, dependencies=[OPERATORS]
)


@router.get("")
async def listed(request: Request) -> Response:
    """Every data set on record, and the last withdrawals."""
    home: Home = request.app.state.home

    def look() -> Response:
        return show(
            request,
            "data-sets.html",
            data_sets=views.data_sets(home),
            withdrawals=views.withdrawals(home.ledger),
        )

    return await run_in_threadpool(look)


@router.get("/{root}")
async def one(request: Request, root: str) -> Response:
    """One version."""
    return await run_in_threadpool(_one, request, root, None)


@router.post("/{root}/check")
async def check(request: Request, who: Operator, root: str) -> Response:
    """Hold the report of a version against its files, its figures and the ledger."""
    await sent_form(request, who)
    home: Home = request.app.state.home
    checked = await run_in_threadpool(views.check, home, root)
    return await run_in_threadpool(_one, request, root, checked)


@router.get("/{root}/report")
async def report(request: Request, root: str) -> Response:
    """The report for people, as it was written."""
    home: Home = request.app.state.home
    text = await run_in_threadpool(lambda: views.report_of(home, root).read_bytes())
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(text, media_type="text/html", headers=headers)


def _one(request: Request, root: str, checked: views.Checked | None) -> Response:
    home: Home = request.app.state.home
    version = views.version_of(home, root)
    return show(
        request,
        "data-set.html",
        version=version,
        proof=prove(home.ledger, version.entry),
        checked=checked,
    )
