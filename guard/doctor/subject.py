"""What is examined, and the limits beyond which something is worth a word."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from guard.doctor.finding import State
from guard.generation.core import EMBEDDED
from policies.decision import Frozen
from provenance.home import Home


class Limits(Frozen):
    """When a check warns or fails."""

    certificate_left: timedelta = timedelta(days=30)  # of validity, so that a CA can answer in time
    clock_behind: timedelta = timedelta(seconds=60)  # of the clock, before the last entry
    free_space: int = 1 << 30  # bytes; below it the check fails, below ten times it warns
    witness_age: timedelta = timedelta(days=7)
    trust_age: timedelta = timedelta(days=90)  # C2PA's lists change several times a year
    backup_age: timedelta = timedelta(days=2)


@dataclass(frozen=True)
class Subject:
    """A home, and how it is to be served.

    ``host``: the address that the gateway listens on. ``core``: a name or a directory. ``policy``:
    another one than the settings name. ``backup``: a folder in which backups lie. ``whole``: verify
    the ledger from its first entry. ``draw``: have the core draw a picture.
    """

    path: Path
    host: str = "127.0.0.1"
    core: str = EMBEDDED
    policy: str | None = None
    backup: Path | None = None
    whole: bool = False
    draw: bool = False
    limits: Limits = field(default_factory=Limits)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def home(self) -> Home:
        """Opened anew each time, so that a check never sees what another one has loaded."""
        return Home.open(self.path)


class Remark(NamedTuple):
    """What a check has to say: a ``Finding`` before it is known of which check."""

    state: State
    says: str
    mend: str = ""


Remarks = Iterable[Remark]


def ok(says: str) -> Remark:
    return Remark(State.OK, says)


def warn(says: str, mend: str) -> Remark:
    return Remark(State.WARN, says, mend)


def fail(says: str, mend: str) -> Remark:
    return Remark(State.FAIL, says, mend)


def not_checked(says: str, mend: str = "") -> Remark:
    return Remark(State.NOT_CHECKED, says, mend)
