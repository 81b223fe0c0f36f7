"""What an examination finds: a state for each check, and what to do."""

from enum import StrEnum

from policies.decision import Frozen

HEALTHY = 0
TO_MEND = 1
UNAVAILABLE = 4


class State(StrEnum):
    """``not-checked`` is never ``ok``: ``says`` tells why nobody looked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not-checked"


class Finding(Frozen):
    """What one check found. ``mend``: what to do next; empty where nothing is to be done.

    ``unavailable``: the gateway cannot serve with this part as it is.
    """

    check: str
    state: State
    says: str
    mend: str = ""
    unavailable: bool = False


class Examination(Frozen):
    """All findings, in the order of the checks."""

    home: str
    version: str
    findings: tuple[Finding, ...]

    def exit_code(self, *, strict: bool = False) -> int:
        """0 where nothing fails, 4 where a part is unavailable, else 1. ``strict``: a warning is
        to be mended too."""
        failed = [finding for finding in self.findings if finding.state is State.FAIL]
        if any(finding.unavailable for finding in failed):
            return UNAVAILABLE
        warned = any(finding.state is State.WARN for finding in self.findings)
        return TO_MEND if failed or (strict and warned) else HEALTHY
