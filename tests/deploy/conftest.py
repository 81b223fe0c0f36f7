"""A PostgreSQL server for tests that deploy onto one, and the commands as a shell finds them."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ledger import postgresql

ROOT = Path(__file__).parents[2]


class Databases(NamedTuple):
    """URLs of two empty databases on one server."""

    ledger: str
    subject_keys: str


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    named = os.environ.get("WARDMARK_TEST_POSTGRES")
    if named:
        yield named
        return
    installed = postgresql.binaries()
    if installed is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.Server(installed) as started:
        yield started.url


@pytest.fixture
def databases(server: str) -> Iterator[Databases]:
    with ExitStack() as stack:
        yield Databases(*(stack.enter_context(postgresql.new_database(server)) for _ in range(2)))


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``wardmark`` and ``python`` are those of this test."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, program in (
        ("python", 'exec "$WARDMARK_TEST_PYTHON" "$@"'),
        ("wardmark", 'exec "$WARDMARK_TEST_PYTHON" -c "from guard.cli import main; main()" "$@"'),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{program}\n")
        (commands / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "WARDMARK_TEST_PYTHON": sys.executable,
        "WARDMARK_HOME": str(tmp_path / "home"),
    }
