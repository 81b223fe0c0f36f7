"""The real command line in this process, over a real home that a whole file of tests shares."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guard.cli import run


class Ran(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Wardmark = Callable[..., Ran]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deployment") / "home"
    assert run(["init", "--home", str(path), "--provider", "Test provider"]) == 0
    return path


@pytest.fixture
def wardmark(home: Path, capfd: pytest.CaptureFixture[str]) -> Wardmark:
    def command(*arguments: object) -> Ran:
        code = run(["--home", str(home), *map(str, arguments)])
        return Ran(code, *capfd.readouterr())

    return command
