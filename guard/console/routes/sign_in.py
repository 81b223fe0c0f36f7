"""Signing in with an API key, and out."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL

from guard.console.access import COOKIE, Who, check_key, sent_form, sessions_of
from guard.console.page import ROOT, Page, go, inside, keep, show, static
from guard.errors import CredentialInvalid, NotAllowed
from guard.gateway.callers import Callers
from guard.gateway.uploads import read_form
from policies.errors import WardmarkError

FORM_COOKIE = "wardmark_console_form"

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("/sign-in")
async def form(request: Request, next: str = ROOT) -> Response:
    """The form."""
    return _form(request, inside(next))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Take a key, and begin a session."""
    fields = await read_form(request)
    wanted = inside(fields.get("next", ROOT))
    try:
        request.app.state.sign_in_limit.take(request.client.host if request.client else "")
        sessions = sessions_of(request)
        if not sessions.is_form(fields.get("form", ""), request.cookies.get(FORM_COOKIE, "")):
            raise NotAllowed("this form lay open for too long; sign in once more")
        callers: Callers = request.app.state.callers
        identity = await run_in_threadpool(callers.of_token, fields.get("key", "").strip())
        check_key(identity)
        if not identity.subject.startswith("key_"):  # it could not be asked anew with each page
            raise NotAllowed("a token of an issuer begins no session; sign in with an API key")
    except WardmarkError as error:
        unknown = isinstance(error, CredentialInvalid)
        said = "This key is unknown, revoked or expired." if unknown else str(error)
        return _form(request, wanted, said, error.http_status)
    response = go(wanted)
    keep(request, response, sessions.seal(sessions.begin(identity.subject)))
    response.delete_cookie(FORM_COOKIE, path=ROOT)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, who: Who) -> Response:
    """End the session in this browser."""
    await sent_form(request, who)
    request.state.signed_in = None
    response = go(str(URL(f"{ROOT}/sign-in")))
    response.delete_cookie(COOKIE, path=ROOT)
    return response


@router.get("/static/{name}")
async def file(name: str) -> Response:
    """Style and scripts, which hold nothing of anybody."""
    try:
        return static(name)
    except KeyError:
        return Response(status_code=404)


def _form(request: Request, wanted: str, said: str = "", status: int = 200) -> Response:
    sessions = sessions_of(request)
    held = request.cookies.get(FORM_COOKIE, "")
    made = held if sessions.is_form(held, held) else sessions.form()  # one for all open tabs
    response = show(request, "sign-in.html", status, form=made, wanted=wanted, said=said)
    keep(request, response, made, FORM_COOKIE)
    return response
