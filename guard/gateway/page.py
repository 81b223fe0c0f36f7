"""``GET /verify``: the page for people. Works without scripts, keeps nothing, tells in words."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from guard.gateway.errors import retry_headers
from guard.gateway.feedback import MAX_WORDS, Feedback, keep
from guard.gateway.uploads import MAX_UPLOAD_BYTES, read_form, read_sent
from guard.gateway.verification import Detector, Examined
from guard.verification.page import View, environment, stylesheet, view
from policies.errors import Unavailable, WardmarkError
from provenance.credential.container import VIDEO
from provenance.picture import READABLE, decode

if TYPE_CHECKING:
    from jinja2 import Environment

FEEDBACK_PER_MINUTE = 6  # from one address

POLICY = {
    # No inline script or style, nothing from elsewhere; data: is the picture that was sent.
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

router = APIRouter(prefix="/verify", include_in_schema=False)


@router.get("")
async def form(request: Request) -> HTMLResponse:
    """The page with nothing in it yet."""
    return _page(request)


@router.post("")
async def answer(request: Request) -> HTMLResponse:
    """The page with the answer on the file that the form sent."""
    detector: Detector = request.app.state.detector
    try:
        detector.count(request)
        examined = await detector.examine(await read_sent(request))
    except WardmarkError as error:
        return _refused(request, error)
    return _page(request, shown=await run_in_threadpool(_view, examined), name=examined.report.file)


@router.post("/feedback")
async def take_feedback(request: Request) -> HTMLResponse:
    """Keep what somebody thinks of an answer, and say thank you."""
    try:
        request.app.state.feedback_limit.take(request.client.host if request.client else "")
        feedback = Feedback.of(await read_form(request))
        await run_in_threadpool(keep, feedback, request.app.state.home)
    except WardmarkError as error:
        return _refused(request, error)
    return _page(request, thanks=True)


@router.get("/style.css")
async def style() -> Response:
    """The style of the page."""
    return _static(stylesheet() + _own("style.css"), "text/css")


@router.get("/page.js")
async def script() -> Response:
    """Drag and drop; the page works without it."""
    return _static(_own("page.js"), "text/javascript")


def _view(examined: Examined) -> View:
    film = examined.report.media_type == VIDEO
    return view(examined.report, None if film else decode(examined.data).pixels)


def _refused(request: Request, error: WardmarkError) -> HTMLResponse:
    outage = isinstance(error, Unavailable)
    message = "Something that is needed is not there just now. Try again later." if outage else ""
    response = _page(request, problem=message or str(error))
    response.status_code = error.http_status
    response.headers.update(retry_headers(error))
    return response


def _page(request: Request, **shown: Any) -> HTMLResponse:
    template = _environment().get_template("verify.html")
    html = template.render(
        readable=READABLE,
        megabytes=MAX_UPLOAD_BYTES // 2**20,
        max_words=MAX_WORDS,
        fetching=request.app.state.detector.fetcher is not None,
        provider=request.app.state.home.settings.provider,
        **{"shown": None, "name": "", "problem": "", "thanks": False} | shown,
    )
    return HTMLResponse(html, headers=POLICY)


def _static(text: str, media_type: str) -> Response:
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return Response(text, media_type=media_type, headers=headers)


@cache
def _own(name: str) -> str:
    return (files("guard.gateway") / "static" / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import ChoiceLoader, PackageLoader

    shared = environment()
    own = PackageLoader("guard.gateway", "templates")
    return shared.overlay(loader=ChoiceLoader([own, *([shared.loader] if shared.loader else [])]))
