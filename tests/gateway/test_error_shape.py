"""Whatever is sent to whatever route: an error has one shape, and none is a fault of ours."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from guard.gateway import create_app
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.deployment import pipeline_of

BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", b"{"),
    ("application/json", b"[]"),
    ("application/json", b'{"prompt": 7, "input": {}, "decision_id": [], "url": 1}'),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", b'{"a":' * 2000),
    ("application/json", b'{"prompt": "\\ud800", "input": "\\ud800", "statement": "\\ud800"}'),
    ("multipart/form-data; boundary=x", b"--x\r\nno part"),
    ("multipart/form-data", b""),
    ("text/plain", b"hello"),
    ("", b""),
)


@pytest.fixture
def app(home: Home) -> FastAPI:
    return create_app(home, pipeline_of(home))


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with served(app) as address, httpx.Client(base_url=address, timeout=30) as made:
        yield made


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route that is described, its parameters filled in."""
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "dec_0123456789abcdef", path))
        for path, ways in paths.items()
        for method in ways
    ]


def assert_of_one_shape(answer: httpx.Response) -> None:
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}, answer.text
    assert isinstance(error["message"], str)
    assert re.fullmatch("[a-z_]+", error["code"])
    assert re.fullmatch("[a-z_]+", error["type"])
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_body_that_means_nothing_has_an_error_of_the_one_shape(
    app: FastAPI, client: httpx.Client
) -> None:
    for method, path in routes(app):
        for kind, body in BODIES:
            headers = {"content-type": kind} if kind else {}
            answer = client.request(method, path, content=body, headers=headers)
            assert answer.status_code < 500, (method, path, body, answer.text)
            if answer.status_code >= 400:
                assert_of_one_shape(answer)


def test_a_method_that_a_route_has_not_is_405_in_the_one_shape(
    app: FastAPI, client: httpx.Client
) -> None:
    had = routes(app)
    for path in {path for _, path in had}:
        for method in ("PUT", "PATCH", "GET", "POST", "DELETE"):
            if (method, path) not in had:
                answer = client.request(method, path)
                assert answer.status_code == 405, (method, path)
                assert answer.json()["error"]["code"] == "method_not_allowed"
                assert_of_one_shape(answer)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v1/models/", "//", "/v1/%00", "/%ff"]
)
def test_a_path_that_is_no_route_is_404_in_the_one_shape(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert_of_one_shape(answer)
