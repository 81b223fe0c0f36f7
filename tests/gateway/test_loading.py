"""The core is loaded behind a socket that listens already, and /readyz says how that stands."""

import threading
import time

import httpx

from guard.errors import CoreUnavailable
from guard.gateway import create_app
from provenance.home import SETTINGS_FILE, Home
from tests.gateway.conftest import served
from tests.support.core import InMemoryCore
from tests.support.deployment import pipeline_of

PATIENCE = 30.0  # seconds


class SlowToLoad(InMemoryCore):
    """Loads when it is let go, and breaks at the first try."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.tries = 0

    def load(self) -> None:
        self.tries += 1
        assert self.go_on.wait(PATIENCE)
        if self.tries == 1:
            raise CoreUnavailable("the disk is away")


def test_a_process_listens_at_once_and_is_ready_when_its_core_is_loaded(home: Home) -> None:
    core = SlowToLoad()
    with served(create_app(home, pipeline_of(home, core=core))) as address:

        def said() -> str:
            answer = httpx.get(f"{address}/readyz").json()
            return str(answer["missing"]["core"]) if "missing" in answer else answer["status"]

        assert said() == "its weights are being loaded"
        assert httpx.get(f"{address}/healthz").status_code == 200
        core.go_on.set()
        heard = [said()]
        until = time.monotonic() + PATIENCE
        while heard[-1] != "ready":
            assert time.monotonic() < until
            heard.append(said())
        assert "the disk is away" in heard
    assert core.tries == 2


def test_a_core_is_not_loaded_at_the_start_where_the_settings_say_so(home: Home) -> None:
    with (home.path / SETTINGS_FILE).open("a") as settings:
        settings.write("[work]\nload_core = false\n")
    core = SlowToLoad()
    with served(create_app(Home.open(home.path), pipeline_of(home, core=core))) as address:
        assert httpx.get(f"{address}/readyz").json()["status"] == "ready"
    assert core.tries == 0
