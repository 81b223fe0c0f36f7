"""No route is open by oversight, and docs/callers.md says what callers and operators need."""

import asyncio
import re
import tomllib
from pathlib import Path

import httpx
import pytest
import typer
from fastapi import FastAPI

from guard.cli import api_keys
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms, Role, Scope
from guard.gateway.callers.identity import ORDINARY
from provenance.callers import CallerSettings, IssuerSettings
from provenance.home import Home
from tests.support.deployment import pipeline_of

PAGE = Path(__file__).parents[2] / "docs" / "callers.md"
ELSEWHERE = "192.0.2.7"
OPEN = {
    "GET /healthz",
    "GET /readyz",
    "POST /v1/verify",  # the public detector, and what belongs to it
    "GET /matches/byBinding",
    "POST /matches/byBinding",
    "POST /matches/byContent",
    "GET /manifests/{name}",
    "GET /services/supportedAlgorithms",
}


@pytest.fixture
def app(home: Home) -> FastAPI:
    return create_app(home, pipeline_of(home), exposed=True)


def status_of(app: FastAPI, route: str, token: str = "") -> int:
    """Of the answer to an empty request from another machine."""
    method, path = route.split(" ")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(ELSEWHERE, 4711))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, re.sub(r"\{\w+\}", "x", path), headers=headers)

    return asyncio.run(ask()).status_code


def routes(app: FastAPI) -> list[str]:
    paths = app.openapi()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def test_a_route_is_open_to_strangers_only_if_it_is_meant_to_be(app: FastAPI) -> None:
    described = routes(app)
    assert {route for route in described if status_of(app, route) != 401} == OPEN
    assert len(described) > len(OPEN)


def test_the_page_of_numbers_and_the_console_are_closed_to_strangers(app: FastAPI) -> None:
    assert status_of(app, "GET /metrics") == 401
    assert status_of(app, "GET /console/decisions") in (303, 307, 401)


def test_a_key_without_any_scope_of_a_route_does_not_open_it(home: Home, app: FastAPI) -> None:
    keys = ApiKeys.of(home)
    token = keys.create(KeyTerms(scopes=frozenset({Scope.BULK}))).token
    keys.close()
    closed = [route for route in routes(app) if route not in OPEN]
    assert {route: status_of(app, route, token) for route in closed} == dict.fromkeys(closed, 403)


def table(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line[1:-1].split("|")] for line in lines]


def test_every_scope_and_role_is_on_the_page() -> None:
    assert {row[0] for row in table("Scopes")} == set(Scope)
    assert {row[0] for row in table("Roles and tenants")} == set(Role)
    marked = {row[0] for row in table("Scopes") if row[1] == "yes"}
    assert marked == ORDINARY


def test_every_setting_of_an_issuer_is_on_the_page_with_its_default() -> None:
    fields = IssuerSettings.model_fields
    told = {row[0]: row[1] for row in table("Tokens of an issuer")}
    assert set(told) == set(fields)
    for name, default in told.items():
        if default not in ("", "none") and name != "algorithms":
            assert str(fields[name].default) == default, name
    assert told["algorithms"] == ", ".join(fields["algorithms"].default)


def test_every_group_of_settings_is_on_the_page_and_its_examples_are_taken() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in CallerSettings.model_fields:
        assert f"callers.{name}" in page, name
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        CallerSettings.model_validate(tomllib.loads(example)["callers"])


def test_every_command_and_option_is_on_the_page_and_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    group = typer.main.get_command(api_keys.app)
    assert isinstance(group, typer.core.TyperGroup)
    assert set(re.findall(r"wardmark api-keys (\w+)", page)) == set(group.commands)
    options = {
        o for c in group.commands.values() for p in c.params for o in p.opts if o[:2] == "--"
    }
    told = set(re.findall(r"(?<=[`\[ ])(--[a-z-]+)", page)) - {"--host"}
    assert told == options - {"--help", "--home", "--json"}
