"""Pictures as server-sent events, in the types of the OpenAI images API.

    : generate 3/20                              while it is drawn, and to keep the line open
    event: image_generation.completed            for each picture
    data: {"type": ..., "b64_json": ...}
    data: {"error": {...}}                       what ended it, with everything that an error has

Partial pictures are not sent: a picture leaves when it has been assessed and marked, and not
before. A request that fails while its prompt is judged has an ordinary error with its own status;
only where drawing has begun, or the wait for a place is long, does the stream begin.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse

from guard.gateway.answers import Answer, answer_to
from guard.pipeline import Progress
from policies.errors import WardmarkError

HOLD_SECONDS = 5.0  # how long an answer may take that needs no stream to say so
KEEP_ALIVE_SECONDS = 10.0  # proxies close a line that is silent for a minute or less
MEDIA_TYPE = "text/event-stream"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
# Tokens are not how pictures are counted here; clients expect the field.
_USAGE = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
}

Doing = Callable[[Progress], Awaitable[Answer]]


class _Steps:
    """How far a thread is, told to the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.moved = asyncio.Event()
        self.begun = asyncio.Event()
        self.last = "waiting"

    def __call__(self, step: str, done: int, total: int) -> None:
        self._loop.call_soon_threadsafe(self._note, f"{step} {done}/{total}")

    def _note(self, text: str) -> None:
        self.last = text
        self.moved.set()
        self.begun.set()


async def streamed(doing: Doing, event: str) -> Response:
    """Do it and answer with events. ``event``: the first part of their type.

    Raises what ``doing`` raises before anything is drawn.
    """
    steps = _Steps()
    drawn = asyncio.ensure_future(doing(steps))
    begun = asyncio.ensure_future(steps.begun.wait())
    first: set[asyncio.Future[Any]] = {drawn, begun}
    try:
        await asyncio.wait(first, timeout=HOLD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        drawn.cancel()
        raise
    finally:
        begun.cancel()
    if drawn.done():
        drawn.result()
    return StreamingResponse(_events(drawn, steps, event), headers=_HEADERS, media_type=MEDIA_TYPE)


def replayed_events(answer: Answer, event: str) -> Response:
    """The events of an answer that was given before."""
    headers = {**_HEADERS, "idempotent-replayed": "true"}
    return Response(b"".join(completed(answer, event)), headers=headers, media_type=MEDIA_TYPE)


def completed(answer: Answer, event: str) -> Iterator[bytes]:
    """An event for each picture of an answer."""
    body = orjson.loads(answer.body)
    shared = {name: body[name] for name in ("background", "output_format", "quality", "size")}
    for datum in body["data"]:
        told = {
            "type": f"{event}.completed",
            "created_at": body["created"],
            **shared,
            "usage": _USAGE,
            **datum,
            "gateway": {**body["gateway"], **datum["gateway"]},
        }
        yield _event(told, f"{event}.completed")


async def _events(
    drawn: asyncio.Future[Answer], steps: _Steps, event: str
) -> AsyncGenerator[bytes, None]:
    try:
        while not drawn.done():
            moved = asyncio.ensure_future(steps.moved.wait())
            either: set[asyncio.Future[Any]] = {drawn, moved}
            await asyncio.wait(
                either, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            moved.cancel()
            steps.moved.clear()
            yield f": {steps.last}\n\n".encode()
        try:
            for one in completed(drawn.result(), event):
                yield one
        except WardmarkError as error:
            yield _event(orjson.loads(answer_to(error).body))
    finally:
        drawn.cancel()  # the client left, or the server stops


def _event(data: dict[str, Any], name: str = "error") -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
