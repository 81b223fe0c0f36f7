"""What every request passes first: it is given a name, and one that is too large is turned away.

A plain ASGI application: Starlette's middleware of functions costs each request a task and two
streams, a fifth of what a check of a prompt costs besides its model.
"""

from uuid import uuid4

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.gateway.errors import error_body
from guard.gateway.patience import patient
from provenance.callers import PatienceSettings

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

        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) <= MAX_BODY_BYTES:
            in_time = patient(receive, MAX_BODY_BYTES, self._patience)
            await self._app(scope, in_time, named)
            return
        scope["state"]["code"] = "request_too_large"
        message = f"a request may hold {MAX_BODY_BYTES:,} bytes"
        body = error_body(message, status=413, code="request_too_large")
        await JSONResponse(body, 413)(scope, receive, named)
