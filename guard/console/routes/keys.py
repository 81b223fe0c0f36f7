"""Keys: API keys made, exchanged and ended; signers and how long they last."""

from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from guard.console.access import Admin, sent_form
from guard.console.page import ROOT, Page, go, show
from guard.console.views import keys as views
from guard.errors import InvalidRequest
from guard.gateway.callers import ApiKeys, Callers, Issued, KeyTerms, Role
from policies.errors import WardmarkError
from provenance.home import Home

DAYS: Final = 90  # that a new key is good for, unless somebody says otherwise
MAX_DAYS: Final = 3_650
OVERLAP: Final = timedelta(days=1)  # that the old secret stays good after an exchange

router = APIRouter(prefix=f"{ROOT}/keys", route_class=Page, include_in_schema=False)


@router.get("")
async def listed(request: Request, who: Admin) -> Response:  # noqa: ARG001  # its rights are asked
    """Every key."""
    return await run_in_threadpool(_page, request)


@router.post("")
async def create(request: Request, who: Admin) -> Response:
    """Make an API key and show it, once."""
    fields = await sent_form(request, who)
    try:
        terms = _terms(fields)
        issued = await run_in_threadpool(_keys(request).create, terms)
    except WardmarkError as error:
        return await run_in_threadpool(_page, request, None, str(error), error.http_status)
    return await run_in_threadpool(_page, request, issued)


@router.post("/{key}/rotate")
async def rotate(request: Request, who: Admin, key: str) -> Response:
    """Give a key a new secret and show it, once; the old one is good for another day."""
    await sent_form(request, who)
    issued = await run_in_threadpool(_keys(request).rotate, key, OVERLAP)
    return await run_in_threadpool(_page, request, issued)


@router.post("/{key}/revoke")
async def revoke(request: Request, who: Admin, key: str) -> Response:
    """End a key, and every session that was begun with it."""
    await sent_form(request, who)
    await run_in_threadpool(_keys(request).revoke, key)
    return go(f"{ROOT}/keys")


def _keys(request: Request) -> ApiKeys:
    callers: Callers = request.app.state.callers
    return callers.keys


def _terms(fields: dict[str, str]) -> KeyTerms:
    days = fields.get("days", "")
    if not days.isascii() or not days.isdigit() or not 1 <= int(days) <= MAX_DAYS:
        raise InvalidRequest(f"a key is good for 1 to {MAX_DAYS:,} days")
    try:
        return KeyTerms(
            label=fields.get("label", "").strip(),
            role=Role(fields.get("role", "")),
            tenant=fields.get("tenant", "").strip() or None,
            expires_at=datetime.now(UTC) + timedelta(days=int(days)),
        )
    except (ValueError, ValidationError) as error:
        raise InvalidRequest(f"this key cannot be made: {error}") from error


def _page(
    request: Request, issued: Issued | None = None, said: str = "", status: int = 200
) -> Response:
    home: Home = request.app.state.home
    now = datetime.now(UTC)
    return show(
        request,
        "keys.html",
        status,
        rows=views.api_keys(_keys(request).all(), now),
        signers=views.signers(home, now),
        signer_kind=home.settings.signer.kind.value,
        issued=issued,
        said=said,
        roles=tuple(Role),
        days=DAYS,
        max_days=MAX_DAYS,
    )
