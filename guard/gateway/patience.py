"""How long a client may take to say what it wants, and to take the answer.

Whoever sends a byte now and then holds a connection, and a place in the server, for nothing.
Headers are to come within ``head_seconds`` and a body at ``body_rate`` once ``body_grace`` is over;
an answer that nobody reads is given up after ``answer_seconds``. A body is counted while it comes,
whatever its length was said to be.
"""

import asyncio
from functools import partial
from typing import Any, cast

import h11
import orjson
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

from guard.gateway.errors import error_body
from provenance.callers import PatienceSettings

_CLOSE = {"connection": "close"}  # or the rest of the body would be waited for


def patient(receive: Receive, most: int, settings: PatienceSettings) -> Receive:
    """``receive`` of an ASGI application, for a body of at most ``most`` bytes.

    What it returns raises HTTPException: 413 where more comes, 408 where it comes too slowly.
    """
    loop = asyncio.get_running_loop()
    begun, received, whole = loop.time(), 0, False

    async def received_in_time() -> Message:
        nonlocal received, whole
        if whole:  # what comes now is that the client leaves, whenever that may be
            return await receive()
        allowed = settings.body_grace + received / settings.body_rate
        try:
            async with asyncio.timeout_at(begun + min(allowed, settings.body_seconds)):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body of the request came too slowly", _CLOSE) from error
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, f"a request may hold {most:,} bytes", _CLOSE)
        whole = not message.get("more_body", False)
        return message

    return received_in_time


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn with ends to its patience, and one shape of error here too."""

    def __init__(self, *arguments: Any, patience: PatienceSettings, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = patience
        self._head: asyncio.TimerHandle | None = None
        self._answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._wait_for_head()  # it has begun, perhaps on a line that was kept alive
        else:
            _end_timer(self._head)
            self._head = None

    def connection_lost(self, exc: Exception | None) -> None:
        _end_timer(self._head)
        _end_timer(self._answer)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._answer is None:
            seconds = self._patience.answer_seconds
            self._answer = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        _end_timer(self._answer)
        self._answer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._end(400, msg, "invalid_http")

    def _wait_for_head(self) -> None:
        if self._head is None:
            seconds = self._patience.head_seconds
            self._head = self.loop.call_later(seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._end(408, "the headers of the request came too slowly", "request_timeout")

    def _end(self, status: int, message: str, code: str) -> None:
        """Answer, if that can still be, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = orjson.dumps(error_body(message, status=status, code=code))
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            head = h11.Response(status_code=status, headers=headers)
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def http(patience: PatienceSettings) -> type[PatientProtocol]:
    """What uvicorn takes for ``http``; can be handed to another process."""
    return cast("type[PatientProtocol]", partial(PatientProtocol, patience=patience))


def _end_timer(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
