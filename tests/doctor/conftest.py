"""A healthy home, copied for each test, which then breaks one thing in it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guard.doctor import CHECKS, Examination, Finding, State, Subject, examine
from provenance.home import SETTINGS_FILE, Home

# Guards and what is built of them take most of the time; tests that are about them ask for all.
QUICK = tuple(check.name for check in CHECKS if check.name not in ("guards", "policy"))


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doctor") / "home"
    made = Home.create(path, provider="Example Ltd", version="1.0")
    made.ledger.close()
    return path


@pytest.fixture
def home(healthy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "home"
    shutil.copytree(healthy, path)
    return path


def set_in(home: Path, old: str, new: str) -> None:
    """Exchange a line of the settings, or put text at their end where ``old`` is empty."""
    file = home / SETTINGS_FILE
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")


def failing(examination: Examination) -> set[str]:
    return {f.check for f in examination.findings if f.state is State.FAIL}


def warned(examination: Examination) -> str:
    """All that was warned of, in one text."""
    return "\n".join(
        f"{f.check}: {f.says}" for f in examination.findings if f.state is State.WARN
    )


def of(examination: Examination, check: str) -> list[Finding]:
    return [finding for finding in examination.findings if finding.check == check]


Look = Callable[..., Examination]


@pytest.fixture
def look(home: Path) -> Look:
    def look(*, everything: bool = False, **how: Any) -> Examination:
        subject = Subject(home, **({"now": datetime.now(UTC)} | how))
        return examine(subject, only=() if everything else QUICK)

    return look
