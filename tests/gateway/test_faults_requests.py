"""Requests that are malformed, enormous or malicious: told so in the one shape, drawing nothing."""

import base64
import gzip
import re
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from guard.gateway import create_app
from provenance.home import Home
from provenance.picture import encode
from tests.gateway.conftest import served
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

PATIENCE = 20.0  # seconds
GENERATE = "/v1/images/generations"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}
GOOD = b'{"prompt": "a calm sea"}'


@pytest.fixture
def quiet(home: Home) -> Iterator[str]:
    """The address of a gateway; at the end of the test nothing was drawn, and it still answers."""
    with served(create_app(home, pipeline_of(home))) as address:
        yield address
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert list(home.ledger.entries(kind="delivery")) == []


def told(answer: httpx.Response, *statuses: int) -> str:
    """The code of an error in the one shape."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert len(answer.text) < 10_000, "an error does not repeat what was sent"
    assert answer.headers["x-request-id"].startswith("req_")
    return str(error["code"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": -1},
        {"n": 11},
        {"n": 10**30},
        {"n": 1e9},
        {"n": "many"},
        {"n": None},
        {"size": "0x0"},
        {"size": "99999999999x99999999999"},
        {"size": "-256x256"},
        {"size": "256X256"},
        {"size": "\u0662\u0665\u0666x256"},  # digits, though not ours
        {"size": "256x256x256"},
        {"steps": 0},
        {"steps": 10**9},
        {"seed": -1},
        {"seed": 2**200},
        {"partial_images": 4},
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": "a" * 32_001},
        {"prompt": ["a"]},
        {"prompt": None},
        {"output_format": "exe"},
        {"response_format": "url"},
        {"model": "another"},
        {"unheard_of": 1},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_numbers_and_texts_outside_the_limits(quiet: str, wrong: dict[str, Any]) -> None:
    answer = httpx.post(quiet + GENERATE, json={"prompt": "a calm sea", **wrong})
    assert told(answer, 400) == "invalid_value"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"a calm sea"',
        b"\xff\xfe{\x00",
        b'{"prompt": "\\ud800"}',
        b'{"prompt": NaN}',
        b'{"prompt": "a calm sea", "seed": Infinity}',
        b"[" * 100_000,
        b'{"prompt": ' + b'{"a":' * 50_000,
        gzip.compress(GOOD),
    ],
    ids=range(12),
)
def test_bodies_that_are_no_request(quiet: str, body: bytes) -> None:
    assert told(httpx.post(quiet + GENERATE, content=body, headers=JSON), 400) == "invalid_value"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "image/png", ""],
)
@pytest.mark.parametrize("path", [GENERATE, "/v1/moderations", "/v1/appeals"])
def test_json_routes_take_json(quiet: str, path: str, kind: str) -> None:
    told(httpx.post(quiet + path, content=GOOD, headers={"content-type": kind}), 400, 415)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename is not None else ""
    head = f'--b\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


PICTURE = encode(textured_picture("a sea", 64, 64, 1), "png")
PROMPT = part("prompt", b"a calm sea")
END = b"--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        END,
        b"no form at all",
        part("image", PICTURE, "x.png"),  # and then nothing
        part("image", PICTURE, "x.png")[:200],
        b"--b\r\n\r\n" + PICTURE + b"\r\n" + END,
        b"--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n" + END,
        PROMPT + END,
        PROMPT + part("image", b"", "x.png") + END,
        PROMPT + part("image", b"GIF89a", "x.gif") + END,
        PROMPT + part("image", PICTURE) + END,  # a field, not a file
        PROMPT + part("image", PICTURE, "x.png") * 2 + END,
        part("image", PICTURE, "../../etc/passwd") + END,  # without a prompt
        PROMPT + part("n", b"1e9") + part("image", PICTURE, "x.png") + END,
        part("prompt", b"\xff\xfe") + part("image", PICTURE, "x.png") + END,
        b"".join(part(f"f{i}", b"x") for i in range(2000)) + END,
        b"--b\r\n" + b"x-header: " + b"h" * 100_000 + b"\r\n\r\nx\r\n" + END,
    ],
    ids=range(17),
)
def test_forms_that_are_malformed(quiet: str, body: bytes) -> None:
    told(httpx.post(f"{quiet}/v1/images/edits", content=body, headers=FORM), 400, 413)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", ""])
def test_forms_without_a_boundary(quiet: str, kind: str) -> None:
    body = PROMPT + part("image", PICTURE, "x.png") + END
    answer = httpx.post(
        f"{quiet}/v1/images/edits", content=body, headers={"content-type": kind}
    )
    told(answer, 400, 415)


def bomb(width: int, height: int) -> bytes:
    """A PNG of some kilobytes that would be gigabytes of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(("path", "field"), [("/v1/images/edits", "image"), ("/v1/verify", "file")])
def test_pictures_that_unpack_to_more_than_they_say(quiet: str, path: str, field: str) -> None:
    form = {"data": {"prompt": "a calm sea"}} if field == "image" else {}
    answer = httpx.post(quiet + path, files={field: ("x.png", bomb(60_000, 60_000))}, **form)
    assert told(answer, 413) == "image_too_large"


def test_a_picture_among_the_inputs_of_a_moderation_can_be_a_bomb_too(quiet: str) -> None:
    url = "data:image/png;base64," + base64.b64encode(bomb(60_000, 60_000)).decode()
    asked = {"input": [{"type": "image_url", "image_url": {"url": url}}]}
    assert told(httpx.post(f"{quiet}/v1/moderations", json=asked), 413) == "image_too_large"


def raw(address: str, sent: bytes, *, finish: bool = True) -> bytes:
    """Everything that the server says to ``sent``, until it closes the connection."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        said = b""
        with suppress(OSError):  # the server need not hear us out
            connection.sendall(sent)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                said += piece
        return said


def statuses(said: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", said)


def head(*headers: str, line: str = f"POST {GENERATE} HTTP/1.1") -> bytes:
    lines = [line, "host: 127.0.0.1", "content-type: application/json", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
SMUGGLED = b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        head("content-length: 4", "transfer-encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head("content-length: 4", "content-length: 40") + GOOD,
        head("content-length: 4, 40") + GOOD,
        head("content-length: -1") + GOOD,
        head("content-length: +24") + GOOD,
        head("content-length: 0x18") + GOOD,
        head("content-length : 24") + GOOD,
        head("transfer-encoding: xchunked") + CHUNKED,
        head("transfer-encoding: chunked, identity") + CHUNKED,
        head("transfer-encoding:\x0bchunked") + CHUNKED,
        head("transfer-encoding: chunked") + b"zz\r\n" + GOOD,
        head("host: elsewhere", "content-length: 24") + GOOD,
        head("x-long: " + "h" * 200_000, "content-length: 24") + GOOD,
        head("content-length: 24", line=f"POST {GENERATE} HTTP/9.9") + GOOD,
        head("content-length: 24", line="POST  HTTP/1.1") + GOOD,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS where none is spoken
    ],
    ids=range(16),
)
def test_frames_that_two_servers_could_read_differently(quiet: str, sent: bytes) -> None:
    said = raw(quiet, sent)
    assert [status[:1] for status in statuses(said)] in ([b"4"], []), said[:500]


def test_a_version_that_nobody_speaks_is_told_to_who_waits_for_an_answer(quiet: str) -> None:
    sent = head("content-length: 24", line=f"POST {GENERATE} HTTP/9.9") + GOOD
    assert statuses(raw(quiet, sent, finish=False)) == [b"400"]


def test_a_body_that_is_longer_than_allowed_is_turned_away_unread(quiet: str) -> None:
    said = raw(quiet, head(f"content-length: {10**12}", "expect: 100-continue"))
    assert said.startswith(b"HTTP/1.1 413")
    assert b"100 Continue" not in said


def test_a_body_without_a_length_is_counted(quiet: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(1 << 20)

    try:
        answer = httpx.post(quiet + GENERATE, content=endless(), headers=JSON, timeout=PATIENCE)
    except httpx.TransportError:
        return  # the server has closed the connection while we were still sending
    told(answer, 400, 413)


def test_clients_that_send_slowly_take_no_place_from_others(home: Home) -> None:
    with served(create_app(home, pipeline_of(home))) as address:
        host, port = address.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(50)]
        for connection in slow:
            connection.sendall(head("content-length: 24") + GOOD[:5])
        assert httpx.post(address + GENERATE, content=GOOD, headers=JSON).status_code == 200
        for connection in slow:
            connection.close()
    assert len(list(home.ledger.entries(kind="delivery"))) == 1


def test_requests_that_come_in_one_breath_are_answered_in_their_order(address: str) -> None:
    refused = b'{"prompt": "a fight"}'
    sent = head(f"content-length: {len(refused)}") + refused
    sent += head("connection: close", f"content-length: {len(GOOD)}") + GOOD
    said = raw(address, sent, finish=False)
    assert statuses(said) == [b"400", b"200"]
