"""A policy's file is changed while it is in force: the new one is taken whole, or not at all.

What does not load, or could not be kept with these parts, leaves the old policy in force and is
said. A new one comes into force with a pipeline of its own, so that a request that is on its way
ends under the policy under which it began. Each change stands in the ledger, or does not happen.
"""

import threading
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from guard.pipeline import Pipeline
from policies.candidate import Candidate
from policies.errors import WardmarkError
from policies.load import load_effective
from policies.policy import Policy
from provenance.errors import ProvenanceUnavailable
from provenance.ledger import Event

KIND = "policy.changed"

Signature = tuple[tuple[str, int, int, int], ...]
"""Path, inode, size and time of change (ns) of each file; -1 where it cannot be seen."""


class PolicyWatch:
    """Follows the files of the policy ``name`` and of ``candidate``, where there is one.

    ``pipeline`` is the one in force, ``fault`` what is wrong with the files since; None: nothing.
    ``name`` is a pack's or a file's.
    """

    def __init__(self, pipeline: Pipeline, name: str, candidate: str = "") -> None:
        self.pipeline = pipeline
        self.fault: str | None = None
        self.name = name
        self._candidate = candidate
        self._files: tuple[Path, ...] = ()
        self._files = self._all_files()
        self._taken = self._last_look = _signature(self._files)
        self._turn = threading.Lock()

    def look(self) -> bool:
        """Take the policy anew where its files changed; whether another is in force now.

        A change is taken at the second look that finds it, so that a file which is just being
        written is not: half a policy can be a valid, weaker one.
        """
        with self._turn:
            now = _signature(self._files)
            settled = now == self._last_look
            self._last_look = now
            # After a fault every look tries again: what was missing may lie in a file not known.
            if not settled or (now == self._taken and self.fault is None):
                return False
            before = self.pipeline
            try:
                self._take()
            except ProvenanceUnavailable as error:
                self.fault = f"the change cannot be recorded: {error}"
                return False
            except WardmarkError as error:
                self.fault = str(error)
            else:
                self.fault = None
            self._files = self._all_files()
            # Taken is what was seen before it was read: a change since is found at the next look.
            self._taken = now if [str(file) for file in self._files] == [n[0] for n in now] else ()
            return self.pipeline is not before

    def _take(self) -> None:
        policy = Policy(load_effective(self.name).document)
        trial = self._trial()
        old = self.pipeline
        if policy.digest == old.policy.digest and _digest(trial) == _digest(old.candidate):
            return
        pipeline = replace(old, policy=policy, candidate=trial)  # checks that it can be kept
        body = {
            "policy": policy.ref.model_dump(),
            "previous_digest": old.policy.digest,
            "candidate_digest": _digest(trial),
        }
        # Several processes follow the same files: what they all saw is recorded once.
        seen = sha256(repr((self._last_look, old.policy.digest, body)).encode()).hexdigest()[:32]
        pipeline.provenance.ledger.append([Event(kind=KIND, body=body, id=f"{KIND}:{seen}")])
        self.pipeline = pipeline

    def _trial(self) -> Candidate | None:
        old = self.pipeline.candidate
        if old is None or not self._candidate:
            return old
        return Candidate(Policy(load_effective(self._candidate).document), old.share)

    def _all_files(self) -> tuple[Path, ...]:
        """The files that both policies are made of; where one is broken, those known before."""
        found: dict[Path, None] = {}
        for name in filter(None, (self.name, self._candidate)):
            try:
                layers = load_effective(name).in_order()
            except WardmarkError:
                return self._files
            found |= dict.fromkeys(layer.path for layer in layers if layer.path is not None)
        return tuple(found)


def _digest(candidate: Candidate | None) -> str | None:
    return None if candidate is None else candidate.policy.digest


def _signature(files: Iterable[Path]) -> Signature:
    return tuple(_seen(file) for file in files)


def _seen(file: Path) -> tuple[str, int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), -1, -1, -1
    return str(file), found.st_ino, found.st_size, found.st_mtime_ns
