"""Processes that append to a ledger until they are killed.

Run as a program, it forks one for each line on stdin and answers with its process id; so a hundred
deaths cost one start of Python. When its stdin ends it ends, and all that it forked.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from provenance.errors import LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey, load_verifier
from provenance.ledger.leader import Leader

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PORTION = 3  # events in one append
SOON = 0.01  # seconds


def jumping() -> datetime:
    """A clock that is never right."""
    return datetime.now(UTC) + timedelta(seconds=random.uniform(-1e6, 1e6))


def event(name: str, n: int, of: int) -> Event:
    """One that is the same whenever it is made."""
    return Event("test", {"by": name, "n": n, "of": of}, id=f"{name}-{n}-{of}")


def is_batch(n: int) -> bool:
    """Whether a portion is appended as a batch, and not as events."""
    return n % 2 == 1


def ids(name: str, n: int) -> list[str]:
    """Of the events of a portion."""
    if is_batch(n):
        return [f"{name}-{n}#{of}" for of in range(PORTION)]
    return [event(name, n, of).id for of in range(PORTION)]


def append(ledger: Ledger, name: str, n: int) -> list[int]:
    """Append a portion, which is the same whenever it is made; the indexes of its events."""
    events = [event(name, n, of) for of in range(PORTION)]
    if is_batch(n):
        return list(ledger.append_batch(f"{name}-{n}", "test", [each.body for each in events]))
    return [entry.index for entry in ledger.append(events)]


def patiently(act: Callable[[], T]) -> T:
    """What a caller does when the ledger is not available: the same again."""
    while True:
        try:
            return act()
        except LedgerUnavailable:
            time.sleep(SOON)


def write(url: str, key: str, name: str, first: str, said: str) -> None:
    """Append portions from number ``first`` on, and write down each that was acknowledged.

    One by one they are events and batches. ``key``: of the ledger, or its public half to hand over.
    """
    own = load_verifier(Path(key)) if key.endswith(".pub") else LedgerKey.load(Path(key))
    ledger = patiently(lambda: Ledger(url, own, clock=jumping))
    with Path(said).open("ab", buffering=0) as file:
        n = int(first)
        while True:
            indexes = patiently(lambda n=n: append(ledger, name, n))
            file.write(f"{n} {' '.join(map(str, indexes))}\n".encode())
            n += 1


def lead(url: str, key: str) -> None:
    """Lead, or wait to lead."""
    own = LedgerKey.load(Path(key))
    patiently(lambda: Leader(url, own, clock=jumping)).run(threading.Event())


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who dies is gone at once
    children = []
    for line in sys.stdin:
        act, *arguments = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            {"write": write, "lead": lead}[act](*arguments)
        children.append(child)
        print(child, flush=True)
    for child in children:
        kill(child)


def kill(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    try:
        while True:
            os.kill(pid, signal.SIGKILL)
            time.sleep(SOON / 10)
    except ProcessLookupError:
        return


class Nursery:
    """Where processes are forked, seen from the test."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def start(self, act: str, *arguments: object) -> int:
        """The id of a process that does ``act``."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\t".join([act, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        yield Nursery(process)


if __name__ == "__main__":
    main()
