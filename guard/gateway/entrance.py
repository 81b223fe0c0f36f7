"""What every request passes first: it is given a name, and one that is too large is turned away.

A plain ASGI application: Starlette's middleware of functions costs each request a task and two
streams, a fifth of what a check of a prompt costs besides its model.
"""

from typing import NamedTuple
from uuid import uuid4

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.gateway.errors import error_body
from guard.gateway.patience import patient
from provenance.callers import PatienceSettings

VERSIONS = ("1.1", "1.0")
MAX_BODY_BYTES = 64 * 1024 * 1024  # a picture to verify, and its multipart frame


class Entrance:
    """``app`` behind the entrance. Names stand in ``request.state.request_id`` and in the header
    ``x-request-id`` of every answer. ``patience``: with those who are slow to send a body."""

    def __init__(self, app: ASGIApp, patience: PatienceSettings) -> None:
        self._app = app
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        refused = _refused(scope["http_version"], Headers(scope=scope))
        if refused is None:
            in_time = patient(receive, MAX_BODY_BYTES, self._patience)
            await self._app(scope, in_time, named)
            return
        scope["state"]["code"] = refused.code
        body = error_body(refused.message, status=refused.status, code=refused.code)
        await JSONResponse(body, refused.status, refused.headers)(scope, receive, named)


class _Refused(NamedTuple):
    status: int
    code: str
    message: str
    headers: dict[str, str] | None = None


def _refused(version: str, headers: Headers) -> _Refused | None:
    """Why a request with these headers is not even begun; None where it is."""
    if version not in VERSIONS:
        message = f"HTTP/{version} is not spoken here, HTTP/1.1 is"
        return _Refused(400, "invalid_http", message, {"connection": "close"})
    declared = headers.get("content-length", "0")
    if "transfer-encoding" in headers and "content-length" in headers:
        # RFC 9112, 6.3: a proxy before us may have believed the other of the two.
        message = "a request has a length or comes in chunks, not both"
        return _Refused(400, "invalid_http", message, {"connection": "close"})
    if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        return _Refused(413, "request_too_large", f"a request may hold {MAX_BODY_BYTES:,} bytes")
    return None
