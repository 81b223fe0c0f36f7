"""docs/gateway.md says what the code does: every route, code, metric and setting, both ways."""

import importlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from guard.gateway import create_app, errors
from policies.errors import WardmarkError
from provenance.home import Home, Settings
from tests.gateway.conftest import served
from tests.support.deployment import pipeline_of

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
UNLISTED = {"GET /metrics", "GET /verify", "GET /docs"}  # not in the description of the API
TREES = ("policies.errors", "provenance.errors", "guard.errors")
OF_HTTP = {
    "http_error": "any",
    "internal_error": "500",
    "invalid_http": "400",  # of patience.py, before there is a request
    "request_too_large": "413",
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def assert_told(section: str, told: Collection[object], there: Collection[object]) -> None:
    lacking, gone = set(there) - set(told), set(told) - set(there)
    assert not lacking, f"docs/gateway.md, {section}: add a row for {sorted(map(str, lacking))}"
    assert not gone, f"docs/gateway.md, {section}: there is no {sorted(map(str, gone))} any more"


@pytest.fixture
def app(home: Home) -> FastAPI:
    return create_app(home, pipeline_of(home))


def test_every_route_is_on_the_page_and_every_one_on_it_is_there(app: FastAPI) -> None:
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    described = {f"{method.upper()} {path}" for path, ways in paths.items() for method in ways}
    assert_told("Routes", [row[0] for row in rows("Routes")], described | UNLISTED)
    with served(app) as address:
        for route in UNLISTED:
            assert httpx.get(address + route.removeprefix("GET ")).status_code == 200


def tree(kind: type[WardmarkError]) -> Iterator[type[WardmarkError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def test_every_code_is_on_the_page_with_its_status_and_none_that_is_not_used() -> None:
    for module in TREES:
        importlib.import_module(module)
    classes = [kind for kind in tree(WardmarkError) if kind.__module__ in TREES]
    used = {(kind.code, str(kind.http_status)) for kind in classes}
    used |= {(code, str(status)) for status, code in errors._CODES.items()}
    used |= set(OF_HTTP.items())
    assert_told("Errors", [(row[0], row[1]) for row in rows("Errors")], used)


def test_every_metric_is_on_the_page_with_its_labels(app: FastAPI) -> None:
    found = {}
    for family in app.state.metrics.registry.collect():
        labels = [name for sample in family.samples[:1] for name in sample.labels if name != "le"]
        found[family.name] = labels
    counted = app.state.metrics
    for name, value in vars(counted).items():  # those without a sample yet
        if hasattr(value, "_labelnames"):
            found[value._name] = list(value._labelnames)
        assert not name.startswith("wardmark")
    told = {row[0]: [label for label in row[1].split(", ") if label] for row in rows("Metrics")}
    assert_told("Metrics", told, found)
    assert told == found


def settings(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{above}{name}.")
        else:
            yield above + name


def test_every_setting_is_on_the_page_and_none_that_does_not_exist() -> None:
    assert_told("Settings", [row[0] for row in rows("Settings")], list(settings(Settings)))


def test_the_numbers_on_the_page_are_those_of_the_settings() -> None:
    told = {row[0]: row[1] for row in rows("Settings")}
    whole = Settings(provider="x", system_version="0").model_dump()
    for name, default in told.items():
        if re.fullmatch(r"[0-9.]+|true|false", default):
            value: Any = whole
            for part in name.split("."):
                value = value[part]
            expected = {"true": True, "false": False}.get(default)
            assert value == (float(default) if expected is None else expected), name
