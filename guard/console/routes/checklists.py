"""Checklists: the items of a standard or law, their evidence, and how they stand now."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from datasets_audit.report import Status
from guard.console.access import OPERATORS
from guard.console.page import ROOT, Page, show
from guard.console.views import checklists as views
from provenance.home import Home

router = APIRouter(
    prefix=f"{ROOT}/checklists", route_class=Page, include_in_schema=False, dependencies=[OPERATORS]
)


@router.get("")
async def listed(request: Request) -> Response:
    """Every framework in a line."""
    home: Home = request.app.state.home
    found = await run_in_threadpool(views.summaries, home)
    return show(request, "checklists.html", summaries=found, states=views.STATES)


@router.get("/{name}")
async def one(request: Request, name: str, status: Status | Literal[""] = "") -> Response:
    """The items of a framework, all or those of one status."""
    home: Home = request.app.state.home
    framework, statuses = await run_in_threadpool(views.items, home, name)
    return show(
        request,
        "checklist.html",
        framework=framework,
        items=[one for one in statuses if status in ("", one.status)],
        wanted=status,
        states=views.STATES,
    )
