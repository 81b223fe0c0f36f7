"""Several processes at once, and processes that are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provenance.ledger import Event, Ledger, LedgerKey

ROOT = Path(__file__).parents[2]
WRITER = """
import json, sys
from pathlib import Path
from provenance.ledger import Event, Ledger, LedgerKey

url, key, name, count, portion = sys.argv[1:]
ledger = Ledger(url, LedgerKey.load(Path(key)))
print("open", flush=True)
sys.stdin.readline()
for i in range(int(count)):
    events = [Event("test", {"by": name, "n": i, "of": j}, id=f"{name}-{i}-{j}")
              for j in range(int(portion))]
    entries = ledger.append(events)
    print(json.dumps([entry.index for entry in entries]), flush=True)
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "test.key"
    LedgerKey.create(path, "processes.test")
    return path


def writer(
    url: str, key_file: Path, name: str, count: int, portion: int
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, str(key_file), name, str(count), str(portion)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stdout.readline() == "open\n"
    return process


def start(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def acknowledged(process: "subprocess.Popen[str]") -> list[list[int]]:
    """What a writer said it had recorded, to the last whole line."""
    assert process.stdout
    assert process.stdin
    lines = process.stdout.read().split("\n")[:-1]
    process.stdin.close()
    process.stdout.close()
    process.wait()
    return [json.loads(line) for line in lines]


def test_two_processes_at_once_neither_fork_nor_lose(url: str, key_file: Path) -> None:
    processes = [writer(url, key_file, name, 25, 7) for name in ("one", "two")]
    for process in processes:
        start(process)
    said = [acknowledged(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    indexes = [index for portions in said for portion in portions for index in portion]
    assert sorted(indexes) == list(range(2 * 25 * 7))
    with Ledger(url, LedgerKey.load(key_file)) as ledger:
        assert ledger.verify().ok
        assert ledger.checkpoint().size == 2 * 25 * 7
        for portions, name in zip(said, ("one", "two"), strict=True):
            assert ledger.prove(f"{name}-24-6").index == portions[24][6]


def test_a_process_that_is_killed_leaves_a_ledger_that_verifies(url: str, key_file: Path) -> None:
    chance = random.Random(7)
    size = 0
    for attempt in range(4):
        name = f"writer-{attempt}"
        process = writer(url, key_file, name, 10_000, 40)
        start(process)
        time.sleep(chance.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        said = acknowledged(process)
        with Ledger(url, LedgerKey.load(key_file)) as ledger:
            assert ledger.verify().ok
            events = [entry.id for entry in ledger.entries(first=size)]
            # All that was acknowledged is there; at most one portion more, whole.
            for i, portion in enumerate(said):
                assert [events[index - size] for index in portion] == [
                    f"{name}-{i}-{j}" for j in range(40)
                ]
            assert len(events) in (40 * len(said), 40 * len(said) + 40)
            size += len(events)
            # What was in flight is sent again and is recorded once.
            again = [Event("test", {"by": name, "n": 0, "of": 0}, id=f"{name}-0-0")]
            (entry,) = ledger.append(again)
            size = max(size, entry.index + 1)
