"""Runs the checks. One that cannot run because another failed says so and is not passed."""

from collections.abc import Callable, Collection, Iterator
from importlib.metadata import version
from typing import NamedTuple

from guard.doctor import backups, guards, home, keys, ledger, people
from guard.doctor.finding import Examination, Finding, State
from guard.doctor.subject import Remark, Remarks, Subject
from guard.errors import InvalidRequest
from policies.errors import Unavailable, WardmarkError

Progress = Callable[[str, int, int], None]
"""Called with the name of the check, how many are done, and how many there are."""


class Check(NamedTuple):
    """``needs``: the checks without which this one cannot be made."""

    name: str
    look: Callable[[Subject], Remarks]
    needs: tuple[str, ...] = ()
    unavailable: bool = True  # nothing can be served while it fails


CHECKS: tuple[Check, ...] = (
    Check("settings", home.settings),
    Check("permissions", home.permissions, unavailable=False),
    Check("disk", home.disk),
    Check("database", ledger.database, ("settings",)),
    Check("migrations", ledger.migrations, ("database",)),
    Check("ledger", ledger.verification, ("migrations",)),
    Check("sequencer", ledger.sequencer, ("migrations",)),
    Check("clock", ledger.clock, ("migrations",), unavailable=False),
    Check("witnesses", ledger.witnesses, ("migrations",), unavailable=False),
    Check("signer", keys.signer, ("settings",)),
    Check("trust", keys.trust, ("settings",)),
    Check("time-stamps", keys.time_stamps, ("settings",), unavailable=False),
    Check("marks", keys.marks, ("settings",)),
    Check("guards", guards.assessors, ("settings",)),
    Check("core", guards.core, ("settings",)),
    Check("policy", guards.policy, ("migrations", "signer", "marks", "guards", "core")),
    Check("candidate", guards.candidate, ("settings",)),
    Check("subject-keys", people.subject_keys, ("settings", "migrations")),
    Check("backups", backups.backups, unavailable=False),
    Check("callers", people.callers, ("migrations",), unavailable=False),
    Check("limits", people.limits, ("settings",)),
)


def examine(
    subject: Subject, *, only: Collection[str] = (), progress: Progress | None = None
) -> Examination:
    """Look at everything, in the order of ``CHECKS``; ``only`` at these and what they need.

    What is wrong with the deployment is a finding, never an error. Raises InvalidRequest for a
    check that there is not.
    """
    tick = progress or (lambda _what, _done, _total: None)
    checks = [check for check in CHECKS if not only or check.name in _with_needs(only)]
    found: dict[str, tuple[Finding, ...]] = {}
    for done, check in enumerate(checks):
        tick("examining", done, len(checks))
        found[check.name] = tuple(_findings(check, subject, found))
    tick("examining", len(checks), len(checks))
    return Examination(
        home=str(subject.path),
        version=version("wardmark"),
        findings=tuple(finding for each in found.values() for finding in each),
    )


def _with_needs(names: Collection[str]) -> set[str]:
    if unknown := sorted(set(names) - {check.name for check in CHECKS}):
        known = ", ".join(check.name for check in CHECKS)
        raise InvalidRequest(f"there is no check {', '.join(unknown)}; there are {known}")
    wanted = set(names)
    for check in reversed(CHECKS):  # what a check needs stands before it
        if check.name in wanted:
            wanted.update(check.needs)
    return wanted


def _findings(
    check: Check, subject: Subject, before: dict[str, tuple[Finding, ...]]
) -> Iterator[Finding]:
    for needed in check.needs:
        if not _sound(before[needed]):
            says = f"nobody could look: {needed} is to be mended first"
            yield _as_finding(check, Remark(State.NOT_CHECKED, says))
            return
    try:
        for remark in check.look(subject):
            yield _as_finding(check, remark)
    except WardmarkError as error:  # its message says what to do
        yield Finding(
            check=check.name,
            state=State.FAIL,
            says=str(error),
            unavailable=check.unavailable and isinstance(error, Unavailable),
        )
    except OSError as error:
        mend = "Check that the file is there and that the account of the gateway may read it."
        yield _as_finding(check, Remark(State.FAIL, f"{error.filename}: {error.strerror}", mend))


def _sound(findings: tuple[Finding, ...]) -> bool:
    states = {finding.state for finding in findings}
    return State.FAIL not in states and states != {State.NOT_CHECKED}


def _as_finding(check: Check, remark: Remark) -> Finding:
    return Finding(
        check=check.name,
        state=remark.state,
        says=remark.says,
        mend=remark.mend,
        unavailable=check.unavailable and remark.state is State.FAIL,
    )
