"""All routes of the console, put into a gateway."""

from typing import Final

from fastapi import APIRouter, FastAPI

from guard.console.page import ROOT, Page
from guard.console.routes import (
    appeals,
    checklists,
    data_sets,
    decisions,
    front,
    keys,
    ledger,
    policies,
    review,
    sign_in,
)
from guard.gateway.limits import RateLimiter

SIGN_INS_PER_MINUTE: Final = 10  # from one address

PARTS: Final = (
    sign_in,
    front,
    decisions,
    review,
    appeals,
    policies,
    ledger,
    data_sets,
    checklists,
    keys,
)


def install(app: FastAPI) -> None:
    """Give ``app`` the pages. It has its home, pipeline and callers in its state already."""
    app.state.sign_in_limit = RateLimiter(SIGN_INS_PER_MINUTE)
    for part in PARTS:
        app.include_router(part.router)
    last = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
    last.add_api_route("/{rest:path}", front.nowhere)
    app.include_router(last)
