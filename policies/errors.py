"""The root of every error that Wardmark raises, and the errors of the policies wing.

    WardmarkError
    ├── WrongUse                 2 / 400   the caller asked for something that cannot be
    │   ├── PolicyNotFound       2 / 404   no pack or file of that name
    │   └── PolicyInvalid        2 / 422   a document is wrong; carries line, column and what
    ├── Refused                  3 / 400   policy said no; reasons travel with it
    └── Unavailable              4 / 503   a guard, signer, ledger or file is not there
        ├── FactMissing          4 / 503   a rule demands a fact that nobody supplied
        └── PolicyUnreadable     4 / 503   the policy file is there but cannot be read

Each wing has an ``errors.py`` of its own that hangs its classes below these. A class carries the
exit code of the command line, the HTTP status of the gateway and the code on the wire, so that
both only read them. A message says what happened and what to do next.
"""

from typing import ClassVar, NamedTuple


class WardmarkError(Exception):
    """Base of all errors. ``str(error)`` is one or two sentences for a person."""

    exit_code: ClassVar[int] = 4
    http_status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class WrongUse(WardmarkError):
    """The request itself is at fault; the same request will fail again."""

    exit_code = 2
    http_status = 400
    code = "invalid_value"


class Refused(WardmarkError):
    """A policy refused. This is an answer, never an outage."""

    exit_code = 3
    http_status = 400
    code = "moderation_blocked"


class Unavailable(WardmarkError):
    """Something that safety or provenance needs is not there. Never a refusal, never a pass."""

    exit_code = 4
    http_status = 503
    code = "unavailable"


class PolicyNotFound(WrongUse):
    """No policy pack or file of that name."""

    http_status = 404
    code = "policy_not_found"


class Problem(NamedTuple):
    """One fault of a policy document. ``line`` and ``column`` count from 1; 0 is unknown."""

    line: int
    column: int
    message: str


class PolicyInvalid(WrongUse):
    """A policy document does not parse or does not mean anything.

    ``problems`` holds every fault that was found, in the order of the document.
    """

    http_status = 422
    code = "policy_invalid"

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class FactMissing(Unavailable):
    """A rule with ``on_missing: error`` was asked without its fact. Nothing passes."""

    code = "safety_unavailable"


class PolicyUnreadable(Unavailable):
    """The policy file exists but the system does not let it be read."""

    code = "policy_unreadable"
