"""Many files, one outcome each, in order: in this process or in several."""

import ipaddress
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, reduce
from itertools import islice
from operator import or_
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from policies.decision import Frozen
from provenance.errors import PictureInvalid, PictureTooLarge, ProvenanceUnavailable
from provenance.fetch import Fetcher
from provenance.home import Home
from provenance.keys import load_trust
from provenance.verify import Report, Sources, verify
from provenance.verify.resolver import MAX_ANSWER_BYTES, Resolver

WAITING_PER_WORKER = 4  # files handed out ahead, so that no worker waits and little is held


class Problem(Frozen):
    """Why a file has no report. ``code``: as over HTTP; ``exit_code``: of the command line."""

    code: str
    message: str
    exit_code: int


class Outcome(NamedTuple):
    """A file with its report, or with what was wrong; one of the two is None."""

    file: Path
    report: Report | None
    problem: Problem | None


@dataclass(frozen=True)
class Asked:
    """How files are judged; every process makes its own sources of it.

    ``home``: whose ledger and authority count, None for neither. ``trust``: files of further
    anchors (provenance.keys.load_trust). ``at``: the moment at which certificates must be valid,
    None for now. ``resolvers``: where Soft Binding Resolution APIs begin, which are asked over the
    network; a redirect to this machine is followed only from one that is on it. ``revocation``:
    ask the signer's authority whether its certificate was revoked, over the network too.
    ``noise_core``: a core of the home that is asked what noise pictures began with, where no other
    mark is found.
    """

    home: Path | None = None
    trust: tuple[Path, ...] = ()
    at: datetime | None = None
    use_ledger: bool = True
    resolvers: tuple[str, ...] = ()
    revocation: bool = False
    noise_core: str = ""

    @cached_property
    def sources(self) -> Sources:
        """Raises HomeInvalid, LedgerUnavailable and their kind."""
        home = Home.open(self.home) if self.home else None
        sources = home.sources() if home else Sources()
        if home is not None and self.noise_core:
            from guard.deployment import load_noise_scheme

            sources = replace(sources, last_resort=(load_noise_scheme(home, self.noise_core),))
        trust = reduce(or_, map(load_trust, self.trust), sources.trust)
        return replace(
            sources,
            trust=trust,
            resolvers=tuple(map(_resolver, self.resolvers)),
            revocation=Fetcher() if self.revocation else None,
        )

    def verify(self, file: Path) -> Outcome:
        """One file. An outage raises; a file that cannot be read is an outcome."""
        try:
            report = verify(file, sources=self.sources, at=self.at, use_ledger=self.use_ledger)
        except (PictureInvalid, PictureTooLarge) as error:
            empty = f"{file} holds no picture; name a file or another folder"
            problem = Problem(
                code=error.code,
                message=empty if file.is_dir() else str(error),
                exit_code=error.exit_code,
            )
            return Outcome(file, None, problem)
        return Outcome(file, report, None)


def _resolver(url: str) -> Resolver:
    host = urlsplit(url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    fetcher = Fetcher(max_bytes=MAX_ANSWER_BYTES, allow_loopback=here)
    return Resolver(url, fetcher)


def default_workers(files: int) -> int:
    """Of this machine's processors, as many as pay for being started: one for eight files."""
    return max(1, min(len(os.sched_getaffinity(0)), files // 8))


def verify_all(files: Sequence[Path], asked: Asked, workers: int) -> Iterator[Outcome]:
    """The outcome of each file, in order, by ``workers`` processes; with one, in this process.

    The processes start at once, before anything is taken out. A file over which a process dies is
    an outcome of its own. Raises, when it is taken out, what opening the home raises, and
    LedgerUnavailable.
    """
    if workers <= 1 or len(files) <= 1:
        return map(asked.verify, files)
    crew = _Crew(asked, min(workers, len(files)), iter(files))
    crew.start()
    return crew.outcomes()


class _Crew:
    """Worker processes and the files that they were given, which come back in order."""

    def __init__(self, asked: Asked, workers: int, left: Iterator[Path]) -> None:
        self.asked = asked
        self.workers = workers
        self.left = left
        self.waiting: deque[tuple[Path, Future[Outcome]]] = deque()

    def start(self) -> None:
        """Start processes, and give them the next files."""
        self.pool = _pool(self.asked, self.workers)
        self._give(self.workers * WAITING_PER_WORKER)

    def _give(self, files: int) -> None:
        for file in islice(self.left, files):
            self.waiting.append((file, self.pool.submit(_verify, file)))

    def outcomes(self) -> Iterator[Outcome]:
        """Each outcome in order, as it is ready."""
        try:
            while self.waiting:
                file, future = self.waiting.popleft()
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    yield from self._one_by_one([file, *(file for file, _ in self.waiting)])
                    continue
                yield outcome
                self._give(1)
        finally:
            self.pool.shutdown(cancel_futures=True)

    def _one_by_one(self, suspects: Sequence[Path]) -> Iterator[Outcome]:
        """A process died over one of these files: each gets one of its own, and a new crew goes on
        behind them."""
        self.pool.shutdown(cancel_futures=True)
        for file in suspects:
            with _pool(self.asked, 1) as alone:
                try:
                    yield alone.submit(_verify, file).result()
                except BrokenProcessPool:
                    yield Outcome(file, None, DIED)
        self.waiting.clear()
        self.start()


DIED = Problem(
    code=ProvenanceUnavailable.code,
    message="the process that read this file died; the file may be made to exhaust memory",
    exit_code=ProvenanceUnavailable.exit_code,
)


def _pool(asked: Asked, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context(_start_method())
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(asked,))


def _start_method() -> str:
    """A fork shares what is imported already, which takes as long as dozens of files. It is sound
    while there is one thread and no database open, and c2pa is not loaded: its handles are not
    valid in another process, and every credential would be unreadable there."""
    sound = threading.active_count() == 1 and "c2pa" not in sys.modules
    return "fork" if sound and "fork" in multiprocessing.get_all_start_methods() else "spawn"


_asked: Asked  # of a worker process, set when it starts


def _begin(asked: Asked) -> None:
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the person's Ctrl-C is for the first process
    cv2.setNumThreads(1)  # processes share the work already
    global _asked  # noqa: PLW0603  # a process pool has no other place for what a worker keeps
    _asked = replace(asked)  # a fork brings along what the first process has opened; open anew


def _verify(file: Path) -> Outcome:
    return _asked.verify(file)
