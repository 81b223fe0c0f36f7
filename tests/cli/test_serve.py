"""``wardmark serve``: starts, is shared by several processes, ends when it is told to."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from guard.cli import run
from provenance.home import SETTINGS_FILE, Home

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from guard.cli import main; main()")
PATIENCE = 120.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "home"
    Home.create(path, provider="Test provider", version="0.0").ledger.close()
    with (path / SETTINGS_FILE).open("a") as settings:
        settings.write("[work]\nload_core = false\n")  # nothing is drawn here
    return path


@contextmanager
def serving(home: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A gateway on a free port, ready, and its address."""
    process = subprocess.Popen(
        [*COMMAND, "--home", str(home), "serve", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        until = time.monotonic() + PATIENCE
        while not _ready(found[0]):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield process, found[0]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def children(pid: int) -> list[int]:
    """The processes that serve; another one of multiprocessing's own watches over semaphores."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in found}
    return [child for child, line in lines.items() if b"spawn_main" in line]


def test_several_processes_share_a_port_and_one_that_dies_is_replaced(home: Path) -> None:
    with serving(home, "--workers", "2") as (process, address):
        first = children(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while len(now := set(children(process.pid))) < 2 or first[0] in now:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert httpx.get(f"{address}/healthz", timeout=PATIENCE).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert all(not Path(f"/proc/{child}").exists() for child in (*first, *now))


@pytest.mark.parametrize("apart", [True, False])
def test_the_core_draws_in_a_process_of_its_own_unless_settings_say_otherwise(
    tmp_path: Path, apart: bool
) -> None:
    path = tmp_path / "home"
    Home.create(path, provider="Test provider", version="0.0").ledger.close()
    with (path / SETTINGS_FILE).open("a") as settings:
        settings.write(f"[work]\ncore_process = {str(apart).lower()}\n")
    with serving(path) as (process, _):
        drawing = children(process.pid)
        assert len(drawing) == int(apart)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    until = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{child}").exists() for child in drawing):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_policy_that_is_not_there_is_said_at_once(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--home", str(home), "serve", "--port", "0", "--workers", "2"]
    assert run([*arguments, "--policy", "there-is-none"]) == 2
    assert "there-is-none" in capfd.readouterr().err


@pytest.mark.slow
def test_what_keeps_a_worker_from_starting_is_said_with_its_own_code(
    home: Path,
) -> None:
    arguments = ["--home", str(home), "serve", "--port", "0", "--workers", "2"]
    done = subprocess.run(
        [*COMMAND, *arguments, "--core", "nowhere"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 4
    assert "no core named 'nowhere'" in done.stderr


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["--home", str(home), "serve", "--port", port]) == 2
    assert "--port" in capfd.readouterr().err


def test_beyond_this_machine_nobody_is_served_without_a_key(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["--home", str(home), "serve", "--host", "0.0.0.0", "--port", "0"]) == 2  # noqa: S104
    assert "api-keys create" in capfd.readouterr().err
