"""No page is open by oversight: every route is asked as a stranger, as a user and as an auditor."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from guard.console.app import PARTS
from guard.gateway.callers import Role
from tests.console.conftest import Console, hidden

OPEN = {"GET /console/sign-in", "POST /console/sign-in", "GET /console/static/{name}"}
FOR_AUDITORS = {  # they change nothing: they ask, or end one's own session
    "POST /console/sign-out",
    "POST /console/decisions/{decision}/explain",
    "POST /console/policies/replay",
    "POST /console/policies/candidate",
    "POST /console/policies/drafts/{draft_id}/replay",
    "POST /console/data-sets/{root}/check",
}
ROUTES = sorted(
    f"{method} {route.path}"
    for part in PARTS
    for route in part.router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)
CLOSED = [route for route in ROUTES if route not in OPEN]
CHANGING = [route for route in CLOSED if route.startswith("POST") and route not in FOR_AUDITORS]


def test_the_routes_are_those_that_are_meant() -> None:
    assert set(ROUTES) >= OPEN | FOR_AUDITORS
    assert len(CHANGING) > 5, "there is something to ask for"


@pytest.fixture(scope="module")
def auditor(console: Console) -> Iterator[httpx.Client]:
    with console.client(console.key(Role.AUDITOR)) as client:
        yield client


@pytest.fixture(scope="module")
def user(console: Console) -> dict[str, str]:
    return {"authorization": f"Bearer {console.key(Role.USER)}"}


def ask(client: httpx.Client, route: str, **more: object) -> httpx.Response:
    method, path = route.split(" ")
    filled = re.sub(r"\{place\}", "0", path.removeprefix("/console"))
    filled = re.sub(r"\{kind\}", "picture", filled)
    return client.request(method, re.sub(r"\{\w+\}", "x", filled), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("route", CLOSED)
def test_a_stranger_is_sent_to_the_sign_in(
    console: Console, user: dict[str, str], route: str
) -> None:
    with console.client() as stranger:
        answer = ask(stranger, route)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/console/sign-in")
        assert ask(stranger, route, headers=user).status_code == 403


@pytest.mark.parametrize("route", CHANGING)
def test_an_auditor_changes_nothing(
    console: Console, auditor: httpx.Client, route: str
) -> None:
    csrf = hidden(auditor.get("/decisions").text, "csrf")
    before = console.home.ledger.size
    assert ask(auditor, route, data={"csrf": csrf}).status_code == 403
    assert console.home.ledger.size == before


@pytest.mark.parametrize("route", [route for route in CLOSED if route.startswith("POST")])
def test_nothing_is_done_on_a_form_from_elsewhere(console: Console, route: str) -> None:
    with console.client(console.key()) as admin:
        for data in ({}, {"csrf": "x"}):
            assert ask(admin, route, data=data).status_code == 403
