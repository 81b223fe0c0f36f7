"""One part is down: its own code, nothing delivered that is not recorded, and no restart after."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

import migrations
from guard.errors import CoreFailed, SafetyUnavailable
from guard.gateway import create_app
from provenance.errors import SignerUnavailable
from provenance.home import LEDGER_FILE, Home
from provenance.ledger import Ledger
from tests.gateway.conftest import served
from tests.ledger import postgresql
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import InMemoryCore
from tests.support.deployment import pipeline_of, with_provenance

Ask = Callable[[], httpx.Response]


class Faulty:
    """``part`` as it is, until one of its methods is told to fail."""

    def __init__(self, part: Any, method: str) -> None:
        self._part = part
        self._method = method
        self.fault: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self.fault is not None:
            raise self.fault
        return getattr(self._part, name)


@contextmanager
def asking(app: Any, path: str = "images/generations") -> Iterator[Ask]:
    body = {"input": "a calm sea"} if path == "moderations" else {"prompt": "a calm sea"}
    with served(app) as address:
        yield lambda: httpx.post(f"{address}/v1/{path}", json=body, timeout=60)


def down(answer: httpx.Response) -> str:
    """The code of an outage, which holds no picture and says when to come back."""
    assert answer.status_code == 503, answer.text
    assert "b64_json" not in answer.text
    assert int(answer.headers["retry-after"]) > 0
    return str(answer.json()["error"]["code"])


def delivered(home: Home) -> set[str]:
    return {entry.id for entry in home.ledger.entries(kind="delivery")}


def content_id(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"][0]["gateway"]["content_id"])


FAULTS = [
    ("prompts", "assess", SafetyUnavailable("the weights are gone"), "safety_unavailable"),
    ("images", "assess", SafetyUnavailable("the weights are gone"), "safety_unavailable"),
    ("core", "generate", CoreFailed("it broke"), "core_failed"),
    ("signer", "sign", SignerUnavailable("the token was pulled out"), "provenance_unavailable"),
]


@pytest.mark.parametrize(("name", "method", "fault", "code"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_part_that_fails_stops_delivery_until_it_is_back(
    home: Home, name: str, method: str, fault: Exception, code: str
) -> None:
    parts = {
        "prompts": ScriptedPromptAssessor(),
        "images": ScriptedImageAssessor(),
        "core": InMemoryCore(),
        "signer": home.signer,
    }
    faulty: Any = Faulty(parts[name], method)
    parts[name] = faulty
    signer = parts.pop("signer")
    pipeline = with_provenance(pipeline_of(home, **parts), signer=signer)  # type: ignore[arg-type]
    with asking(create_app(home, pipeline)) as ask:
        faulty.fault = fault
        assert down(ask()) == code
        assert delivered(home) == set()
        assert [entry.body["code"] for entry in home.ledger.entries(kind="stopped")] == [code]
        faulty.fault = None
        assert {content_id(ask())} == delivered(home)


def test_a_guard_that_is_down_is_no_verdict_on_a_prompt_that_is_only_checked(home: Home) -> None:
    guard: Any = Faulty(ScriptedPromptAssessor(), "assess")
    with asking(create_app(home, pipeline_of(home, prompts=guard)), "moderations") as ask:
        guard.fault = SafetyUnavailable("the weights are gone")
        assert down(ask()) == "safety_unavailable"
        guard.fault = None
        assert ask().json()["results"][0]["flagged"] is False


def test_a_fault_of_ours_delivers_nothing_and_tells_nothing_of_its_inside(home: Home) -> None:
    guard: Any = Faulty(ScriptedImageAssessor(), "assess")
    with asking(create_app(home, pipeline_of(home, images=guard))) as ask:
        guard.fault = ZeroDivisionError("something private")
        answer = ask()
        assert answer.status_code >= 500
        assert "private" not in answer.text
        assert answer.headers["x-request-id"].startswith("req_")
        assert delivered(home) == set()
        guard.fault = None
        assert {content_id(ask())} == delivered(home)


@contextmanager
def no_room_on_the_disk(home: Home) -> Iterator[None]:
    """No file can grow beyond the size that the ledger has."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = home.path / f"{LEDGER_FILE}-wal"
    size = max(log.stat().st_size if log.exists() else 0, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_delivers_nothing_until_there_is_some(home: Home) -> None:
    with asking(create_app(home, pipeline_of(home))) as ask:
        first = content_id(ask())
        with no_room_on_the_disk(home):
            answer = ask()
        assert down(answer) == "provenance_unavailable"
        assert delivered(home) == {first}
        assert {first, content_id(ask())} == delivered(home)
    assert home.ledger.verify().ok


def test_a_clock_that_jumps_back_and_forth_harms_no_record(home: Home) -> None:
    jumps = cycle([timedelta(days=400), timedelta(days=-400), timedelta(0)])
    ledger = Ledger(
        home.ledger_url, home.ledger_key, clock=lambda: datetime.now(UTC) + next(jumps)
    )
    with asking(create_app(home, with_provenance(pipeline_of(home), ledger=ledger))) as ask:
        got = {content_id(ask()) for _ in range(4)}
    assert delivered(home) == got
    assert ledger.verify().ok
    ledger.close()


@pytest.fixture
def server() -> Iterator[postgresql.Server]:
    installed = postgresql.binaries()
    if installed is None or find_spec("psycopg") is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.Server(installed) as started:
        migrations.upgrade(started.url)
        yield started


def on_server(tmp_path: Path, url: str) -> Home:
    """A home whose ledger lives in PostgreSQL."""
    made = Home.create(tmp_path / "home", provider="Test provider", version="0.0")
    made.ledger.close()
    file = made.path / "wardmark.toml"
    file.write_text(file.read_text().replace('database = ""', f'database = "{url}"'))
    return Home.open(made.path)


def test_a_database_that_is_killed_delivers_nothing_until_it_is_back(
    tmp_path: Path, server: postgresql.Server
) -> None:
    home = on_server(tmp_path, server.url)
    with asking(create_app(home, pipeline_of(home))) as ask:
        first = content_id(ask())
        server.kill()
        assert down(ask()) == "provenance_unavailable"
        server.start()
        assert {first, content_id(ask())} == delivered(home)
    assert home.ledger.verify().ok
    home.ledger.close()
