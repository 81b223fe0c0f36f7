"""``wardmark ledger sequence`` as it is run: killed, taken over, and by homes without the key."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provenance.home import KEY_FILE, SETTINGS_FILE, Home
from provenance.ledger import Event

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from guard.cli import main; sys.exit(main())"


def sequence(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "ledger", "sequence", "--home", str(home)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def says(process: "subprocess.Popen[str]", line: str) -> None:
    """Wait until a process says ``line``."""
    assert process.stderr
    while (said := process.stderr.readline()) != f"{line}\n":
        assert said, "it ended"


def end(process: "subprocess.Popen[str]", number: int) -> int:
    process.send_signal(number)
    process.communicate(timeout=60)
    return process.returncode


@pytest.fixture
def homes(tmp_path: Path, postgresql_url: str) -> tuple[Path, Path]:
    """Of a host that has the ledger's key, and of one that has only the public half."""
    sequencer, writer = tmp_path / "sequencer", tmp_path / "writer"
    for path in (sequencer, writer):
        Home.create(path, provider="Test", version="1").ledger.close()
        file = path / SETTINGS_FILE
        settings = re.sub('(?m)^database = ""', f'database = "{postgresql_url}"', file.read_text())
        file.write_text(settings)
    (writer / KEY_FILE).unlink()
    public = Path(KEY_FILE).with_suffix(".pub")
    (writer / public).write_text((sequencer / public).read_text())
    return sequencer, writer


def test_when_the_leader_is_killed_another_takes_over(homes: tuple[Path, Path]) -> None:
    home, writing = homes
    first = sequence(home)
    says(first, "leading")
    second = sequence(home)
    says(second, "waiting to lead")
    with Home.open(writing).ledger as ledger:
        assert ledger.append([Event("test", {})])[0].index == 0
        assert end(first, signal.SIGKILL) == -signal.SIGKILL
        assert ledger.append([Event("test", {})])[0].index == 1
        says(second, "leading")
        assert end(second, signal.SIGTERM) == 0
        assert ledger.verify().ok
