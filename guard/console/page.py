"""What every page has: templates, headers, the session's cookie, and errors that a person reads."""

import json
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import URL

from guard.console.access import ADMINS, COOKIE, ROLES, SignedIn, sessions_of
from guard.console.session import LONGEST
from guard.console.views import words
from guard.errors import CredentialInvalid, InvalidRequest
from guard.gateway.callers import Role
from guard.gateway.errors import retry_headers
from guard.verification.page import environment as shared_templates
from guard.verification.page import stylesheet
from policies.errors import WardmarkError
from provenance.fetch import is_loopback

if TYPE_CHECKING:
    from jinja2 import Environment

ROOT: Final = "/console"
SIGN_IN: Final = f"{ROOT}/sign-in"
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
STATIC: Final = {
    "htmx.js": ("htmx/htmx.min.js", "text/javascript"),
    "console.js": ("console.js", "text/javascript"),
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Place(NamedTuple):
    """An entry of the navigation. ``operator``: it speaks of all tenants; ``roles``: for whom."""

    path: str
    name: str
    operator: bool = False
    roles: tuple[Role, ...] = ROLES


PLACES: Final = (
    Place(ROOT, "Overview"),
    Place(f"{ROOT}/decisions", "Decisions"),
    Place(f"{ROOT}/review", "Review"),
    Place(f"{ROOT}/appeals", "Appeals"),
    Place(f"{ROOT}/policies", "Policies", operator=True),
    Place(f"{ROOT}/ledger", "Ledger", operator=True),
    Place(f"{ROOT}/data-sets", "Data sets", operator=True),
    Place(f"{ROOT}/checklists", "Checklists", operator=True),
    Place(f"{ROOT}/keys", "Keys", operator=True, roles=ADMINS),
)


class Page(APIRoute):
    """A route whose answers are pages, errors among them, and which keeps the session alive."""

    def get_route_handler(self) -> Handler:
        """The handler of FastAPI, with all this around it."""
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                response = await handle(request)
            except CredentialInvalid:
                response = _to_sign_in(request)
            except WardmarkError as error:
                response = problem(request, error)
            except RequestValidationError as error:
                first = error.errors()[0]
                said = InvalidRequest(f"{first['loc'][-1]}: {first['msg']}")
                response = problem(request, said)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            who: SignedIn | None = getattr(request.state, "signed_in", None)
            if who is not None and COOKIE in request.cookies and not _is_polled(request):
                sessions = sessions_of(request)
                keep(request, response, sessions.seal(sessions.touched(who.session)))
            return response

        return page


def show(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page made of ``template`` and ``shown``."""
    return HTMLResponse("".join(drawn(request, template, **shown)), status)


def drawn(request: Request, template: str, **shown: Any) -> Iterator[str]:
    """The same in pieces, as they are made."""
    who: SignedIn | None = getattr(request.state, "signed_in", None)
    return templates().get_template(template).generate(
        who=who,
        places=places(who) if who else (),
        here=request.url.path,
        provider=request.app.state.home.settings.provider,
        **shown,
    )


def go(path: str) -> RedirectResponse:
    """To another page of the console, after a form was taken."""
    return RedirectResponse(path, 303)


def attached(text: str, name: str, kind: str = "application/json") -> Response:
    """A file to keep. ``name``: of our own making, without quotes."""
    return Response(
        text, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def problem(request: Request, error: WardmarkError) -> HTMLResponse:
    """The page of an error: what happened, and what to do next."""
    response = show(request, "problem.html", error.http_status, said=str(error), code=error.code)
    response.headers.update(retry_headers(error))
    return response


def keep(request: Request, response: Response, cookie: str, name: str = COOKIE) -> None:
    """Set a cookie that scripts, other sites and, but on this machine, plain HTTP do not get."""
    response.set_cookie(
        name,
        cookie,
        max_age=LONGEST,
        path=ROOT,
        secure=not is_loopback(request.url.hostname or ""),
        httponly=True,
        samesite="strict",
    )


def places(who: SignedIn) -> tuple[Place, ...]:
    """Where somebody may go."""
    return tuple(
        place
        for place in PLACES
        if who.may(*place.roles) and (who.everywhere or not place.operator)
    )


def inside(path: str) -> str:
    """``path`` if it is one of the console's own, else its front page: nobody is sent elsewhere."""
    plain = URL(path)
    own = plain.path == ROOT or plain.path.startswith(f"{ROOT}/")
    return path if own and not plain.netloc and not plain.scheme and "\\" not in path else ROOT


def static(name: str) -> Response:
    """A file of ours by its name in the address. Raises KeyError."""
    if name == "style.css":
        text, kind = stylesheet() + _read("console.css"), "text/css"
    else:
        file, kind = STATIC[name]
        text = _read(file)
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return Response(text, media_type=kind, headers=headers)


@cache
def templates() -> "Environment":
    """The templates; everything that is put into them is escaped."""
    from jinja2 import PackageLoader

    made = shared_templates().overlay(loader=PackageLoader("guard.console", "templates"))
    made.filters.update(moment=moment, stamp=stamp, data=data, stage=words.stage)
    return made


def moment(at: datetime) -> str:
    """A time as people read it."""
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC"


def stamp(at: datetime) -> str:
    """A time as programs read it."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def data(value: Any) -> str:
    """JSON for a person who wants all of it."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("hx-request") == "true":  # the page as a whole goes there
        return Response(status_code=401, headers={"hx-redirect": SIGN_IN})
    asked = request.url.path if request.method == "GET" else ROOT
    response = go(str(URL(SIGN_IN).include_query_params(next=asked)))
    if request.cookies.get(COOKIE):
        response.delete_cookie(COOKIE, path=ROOT)
    return response


def _is_polled(request: Request) -> bool:
    """Whether a page asks by itself: nobody need be sitting before it."""
    return request.headers.get("hx-request") == "true"


@cache
def _read(name: str) -> str:
    return (files("guard.console") / "static" / name).read_text(encoding="utf-8")
