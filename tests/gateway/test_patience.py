"""Slow and endless clients, over raw sockets: each is let go in time, and others are served."""

import asyncio
import json
import select
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from guard.gateway.entrance import MAX_BODY_BYTES, Entrance
from guard.gateway.errors import install_error_shape
from guard.gateway.patience import http
from provenance.callers import PatienceSettings
from tests.gateway.conftest import served

SHORT = PatienceSettings(
    head_seconds=1, body_grace=2, body_rate=1e6, body_seconds=60, answer_seconds=1
)
LONG = 20.0  # seconds: if the server has not let go by then, it does not
HEAD = b"POST /sum HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
LARGE = 64 * 1024 * 1024  # bytes: more than the buffers of both ends of a socket


@pytest.fixture(scope="module")
def app() -> FastAPI:
    app = FastAPI()
    install_error_shape(app)

    @app.post("/sum")
    async def add_up(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/large")
    async def large() -> PlainTextResponse:
        return PlainTextResponse("x" * LARGE)

    app.add_middleware(Entrance, patience=SHORT)
    return app


@pytest.fixture(scope="module")
def port(app: FastAPI) -> Iterator[int]:
    with served(app, http=http(SHORT)) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def line(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as made:
        yield made


def answer(line: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and body of the answer with which the server closes the line."""
    received = b""
    while data := line.recv(65_536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_headers_that_never_end_are_given_up(line: socket.socket) -> None:
    line.sendall(HEAD)
    status, body = answer(line)
    assert (status, body["error"]["code"]) == (408, "request_timeout")


def test_a_line_on_which_nothing_comes_is_given_up(line: socket.socket) -> None:
    assert answer(line)[0] == 408


def test_one_byte_after_another_does_not_keep_a_line_open(line: socket.socket) -> None:
    line.sendall(b"GET /sum HTTP/1.1\r\nx: ")
    for _ in range(1000):
        line.sendall(b"x")
        if select.select([line], [], [], 0.02)[0]:
            break
    assert answer(line)[0] == 408


def test_the_second_request_of_a_line_has_to_come_in_time_too(line: socket.socket) -> None:
    line.sendall(HEAD + b"content-length: 2\r\n\r\nab")
    received = b""
    while not received.endswith(b'{"bytes":2}'):
        received += line.recv(65_536)
    line.sendall(HEAD)
    assert answer(line)[0] == 408


@pytest.mark.parametrize(
    "length", [b"content-length: 10\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"]
)
def test_a_body_that_never_comes_is_given_up(line: socket.socket, length: bytes) -> None:
    line.sendall(HEAD + length)
    status, body = answer(line)
    assert (status, body["error"]["code"]) == (408, "request_timeout")


def test_a_body_is_counted_while_it_comes(app: FastAPI) -> None:
    megabyte = bytes(2**20)
    asked_for = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked_for
        while True:
            asked_for += len(megabyte)
            yield megabyte

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/sum", content=endless())

    told = asyncio.run(send())
    assert (told.status_code, told.json()["error"]["code"]) == (413, "request_too_large")
    assert told.headers["connection"] == "close"
    assert asked_for <= MAX_BODY_BYTES + len(megabyte)


def test_a_line_on_which_a_body_does_not_end_is_closed(line: socket.socket) -> None:
    line.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    sent = 0
    with suppress(OSError):  # it closed while we were sending
        while sent <= 3 * MAX_BODY_BYTES:
            line.sendall(chunk)
            sent += 2**20
    assert sent < 3 * MAX_BODY_BYTES


def test_an_answer_that_nobody_reads_is_given_up(line: socket.socket) -> None:
    line.sendall(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n")
    time.sleep(3 * SHORT.answer_seconds)
    received, left = 0, b"x"
    with suppress(ConnectionResetError):  # the end of what lay in the buffers
        while left:
            left = line.recv(2**20)
            received += len(left)
    assert received < LARGE


def test_what_is_no_http_is_told_so_in_the_one_shape(line: socket.socket) -> None:
    line.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    status, body = answer(line)
    assert (status, body["error"]["code"]) == (400, "invalid_http")


def test_who_sends_in_time_is_served_meanwhile(port: int, line: socket.socket) -> None:
    line.sendall(HEAD)
    for size in (0, 3, 5_000_000):
        sent = httpx.post(f"http://127.0.0.1:{port}/sum", content=bytes(size))
        assert sent.json() == {"bytes": size}
