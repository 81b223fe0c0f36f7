"""The review queue: what a policy holds, blurred until somebody wants to see it, and the ruling."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from guard.check import Checker
from guard.console.access import Ruling, SignedIn, Who, sent_form
from guard.console.page import ROOT, Page, go, show
from guard.console.views import held as views
from guard.console.views.decisions import fired
from guard.errors import HeldNotFound, InvalidRequest
from guard.gateway.callers import sees_commitment
from guard.review import Review, Shown, Verdict
from guard.review.review import MAX_WORDS
from provenance.home import Home

router = APIRouter(prefix=f"{ROOT}/review", route_class=Page, include_in_schema=False)

Place = Annotated[str, Path(pattern="^(request|[0-9])$")]


@router.get("")
async def listed(request: Request, who: Who) -> Response:
    """What waits, oldest first."""
    home: Home = request.app.state.home
    review: Review = request.app.state.review

    def look() -> Response:
        rows = views.queue(
            home.ledger, review.queue(), lambda one: _sees(request, who, one.tenant)
        )
        return show(request, "review.html", rows=rows, keeps=home.settings.review.keep)

    return await run_in_threadpool(look)


@router.get("/{decision}/{place}")
async def one(request: Request, who: Who, decision: str, place: Place) -> Response:
    """One thing: what was asked, why it was held, the picture under its veil."""
    shown = await run_in_threadpool(_open, request, who, decision, place)
    return _page(request, shown)


@router.get("/{decision}/{place}/{kind}.png")
async def picture(
    request: Request,
    who: Who,
    decision: str,
    place: Place,
    kind: Literal["picture", "input", "overlay"],
) -> Response:
    """What was drawn, what was sent in, or the first with what objects to it."""
    shown = await run_in_threadpool(_open, request, who, decision, place)
    data = shown.input_image if kind == "input" else shown.picture_png
    if data is None:
        raise HeldNotFound(f"{decision} has no such picture")
    if kind == "input":
        data = await run_in_threadpool(views.shown_png, data)
    elif kind == "overlay":
        checker: Checker = request.app.state.checker
        data = await run_in_threadpool(views.overlay, data, checker)
    return Response(data, media_type="image/png")


@router.post("/{decision}/{place}")
async def rule(request: Request, who: Ruling, decision: str, place: Place) -> Response:
    """Release or refuse it. A ruling without words is not taken, and what was written is kept."""
    fields = await sent_form(request, who)
    shown = await run_in_threadpool(_open, request, who, decision, place)
    review: Review = request.app.state.review
    words, verdict = fields.get("words", "").replace("\r\n", "\n"), fields.get("verdict", "")
    try:
        chosen, by = _verdict(verdict), who.identity.subject
        await run_in_threadpool(
            lambda: review.rule(decision, shown.picture, chosen, by=by, words=words)
        )
    except InvalidRequest as error:
        page = _page(request, shown, said=str(error), words=words, verdict=verdict)
        page.status_code = error.http_status
        return page
    return go(f"{ROOT}/review")


def _verdict(chosen: str) -> Verdict:
    if chosen not in tuple(Verdict):
        raise InvalidRequest("choose whether it is released or refused")
    return Verdict(chosen)


def _page(request: Request, shown: Shown, **more: Any) -> Response:
    return show(
        request,
        "held.html",
        held=shown,
        place=views.place_of(shown.picture),
        fired=fired(shown.decision.reasons),
        most=MAX_WORDS,
        **{"said": "", "words": "", "verdict": ""} | more,
    )


def _open(request: Request, who: SignedIn, decision: str, place: str) -> Shown:
    review: Review = request.app.state.review
    shown = review.open(decision, None if place == views.REQUEST else int(place))
    if not _sees(request, who, shown.tenant):
        raise HeldNotFound(f"nothing is held of {decision!r} any more")
    return shown


def _sees(request: Request, who: SignedIn, tenant: str | None) -> bool:
    home: Home = request.app.state.home
    return sees_commitment(who.identity, tenant, home.commitment_key)
