"""Errors of the guard wing. Exit code / HTTP status in the drawing.

WardmarkError (policies.errors)
├── WrongUse
│   ├── InvalidRequest        2 / 400   size, steps, count, prompt length ...
│   ├── CredentialInvalid     2 / 401   no API key or token where one is needed, or a wrong one
│   ├── NotAllowed            2 / 403   the role or the scope of the credential does not reach
│   ├── ApiKeyNotFound        2 / 404   no API key of that id
│   ├── RateLimited           2 / 429   too many requests from one address or caller
│   │   ├── QuotaExhausted    2 / 429   the pictures of a caller's or tenant's day are used up
│   │   ├── ProbingSuspected  2 / 429   near-duplicates of refused prompts, again and again
│   │   └── QueueFull         2 / 429   more wait for the core than can be served soon
│   ├── IdempotencyConflict   2 / 409   an idempotency key that was sent with another request
│   ├── StillRunning          2 / 409   the request of an idempotency key is not done yet
│   ├── JobNotFound           2 / 404   no job of that id, or of another caller
│   ├── DecisionNotFound      2 / 404   no decision of that id, or of another tenant
│   ├── AppealNotFound        2 / 404   no appeal of that id
│   ├── AppealRefused         2 / 409   nothing to appeal against, or an appeal that is open
│   ├── HeldNotFound          2 / 404   nothing is held for review under that id any more
│   ├── AlreadyRuled          2 / 409   somebody answered or ruled before
│   ├── DraftNotFound         2 / 404   no draft of a policy of that id
│   ├── DraftConflict         2 / 409   a draft that was changed or published meanwhile
│   ├── DraftUnfit            2 / 422   a draft that cannot be kept or published, with why
│   └── KnownListInvalid      2 / 422   a list of known content, with line numbers
├── Refused
│   └── DecisionRefused       3 / 400   carries the decision
│       ├── PolicyRefused     3 / 400
│       └── ReviewRequired    3 / 400   held for a person
├── UpstreamRefused           3 / 400   a core elsewhere refused by its own rules, not by ours
├── GenerationCancelled     130 / 499   stopped on request, nothing delivered
└── Unavailable
    ├── IssuerUnavailable     4 / 503   nobody can tell whether a token is good
    ├── LimitsUnavailable     4 / 503   nobody can tell how much a caller has had
    ├── CoreUnavailable       4 / 503   the generator cannot be loaded
    ├── JobInterrupted        4 / 503   a job whose process ended while it ran
    ├── CoreFailed            4 / 503   the generator broke while drawing
    └── SafetyUnavailable     4 / 503   an assessor is missing, broken, or its weights changed
        ├── WeightsInvalid              a weights file is absent or has the wrong SHA-256
        └── ObligationUnmet             a receipt that policy demands is missing
"""

from policies.decision import Decision
from policies.errors import Refused, Unavailable, WardmarkError, WrongUse


class InvalidRequest(WrongUse):
    """The request is outside the stated limits; the message names them."""


class CredentialInvalid(WrongUse):
    """A credential is missing where one is needed, unknown, revoked, expired or not for here."""

    http_status = 401
    code = "invalid_api_key"


class NotAllowed(WrongUse):
    """The caller is known, and its role or the scopes of its credential do not reach that far."""

    http_status = 403
    code = "permission_denied"


class ApiKeyNotFound(WrongUse):
    """No API key of that id."""

    http_status = 404
    code = "api_key_not_found"


class RateLimited(WrongUse):
    """Too many requests from one address or caller; ``retry_after`` is in seconds."""

    http_status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaExhausted(RateLimited):
    """The pictures that a caller or its tenant may have in a day are used up."""

    code = "insufficient_quota"


class ProbingSuspected(RateLimited):
    """A prompt that is much like several of the caller's that were refused is not tried (now)."""

    code = "probing_suspected"


class QueueFull(RateLimited):
    """More requests wait for the core than can be served soon; ``retry_after`` is in seconds."""

    code = "queue_full"


class IdempotencyConflict(WrongUse):
    """An idempotency key came again with another request than its first."""

    http_status = 409
    code = "idempotency_conflict"


class StillRunning(WrongUse):
    """The request that came first with this idempotency key is not done yet."""

    http_status = 409
    code = "still_running"


class JobNotFound(WrongUse):
    """No job of that id is kept, or it is somebody else's."""

    http_status = 404
    code = "job_not_found"


class DecisionNotFound(WrongUse):
    """No decision of that id is on record, or it is of another tenant."""

    http_status = 404
    code = "decision_not_found"


class AppealNotFound(WrongUse):
    """No appeal of that id."""

    http_status = 404
    code = "appeal_not_found"


class AppealRefused(WrongUse):
    """A decision that cannot be appealed against, or against which an appeal is open."""

    http_status = 409
    code = "appeal_refused"


class HeldNotFound(WrongUse):
    """Nothing is held for review under that id: it was ruled on, its time is over, or never was."""

    http_status = 404
    code = "held_not_found"


class AlreadyRuled(WrongUse):
    """Somebody else answered this appeal, or ruled on what was held, before."""

    http_status = 409
    code = "already_ruled"


class DraftNotFound(WrongUse):
    """No draft of a policy of that id, or it cannot be read."""

    http_status = 404
    code = "draft_not_found"


class DraftConflict(WrongUse):
    """Somebody changed or published the draft, or what it is a draft of, meanwhile."""

    http_status = 409
    code = "draft_conflict"


class DraftUnfit(WrongUse):
    """A draft that cannot be kept, or cannot be published; the message says everything."""

    http_status = 422
    code = "draft_unfit"


class KnownListInvalid(WrongUse):
    """A list of known content cannot be read whole; the message names the lines."""

    http_status = 422
    code = "known_list_invalid"


class DecisionRefused(Refused):
    """A policy refused; ``decision`` holds the reasons and ``decision_id`` is what to quote."""

    def __init__(self, message: str, decision: Decision, decision_id: str) -> None:
        super().__init__(message)
        self.decision = decision
        self.decision_id = decision_id


class PolicyRefused(DecisionRefused):
    """The decision is block."""


class ReviewRequired(DecisionRefused):
    """The decision is review: a person must look before anything is delivered."""

    code = "review_required"


class GenerationCancelled(WardmarkError):
    """The caller stopped the generation. Nothing was delivered."""

    exit_code = 130
    http_status = 499
    code = "cancelled"

    def __init__(
        self, message: str = "The generation was stopped as asked; nothing was kept."
    ) -> None:
        super().__init__(message)


class IssuerUnavailable(Unavailable):
    """The keys of an issuer of tokens cannot be had, so nobody can tell whether one is good."""

    code = "identity_unavailable"


class LimitsUnavailable(Unavailable):
    """What counts the requests of callers cannot be reached."""

    code = "limits_unavailable"


class UpstreamRefused(WardmarkError):
    """A core elsewhere refused by its own rules what our policy had let pass."""

    exit_code = 3
    http_status = 400
    code = "upstream_refused"


class CoreUnavailable(Unavailable):
    """The generation core cannot be loaded."""

    code = "core_unavailable"


class JobInterrupted(Unavailable):
    """The process that ran a job ended, and the job cannot be begun again."""

    code = "job_interrupted"


class CoreFailed(Unavailable):
    """The generation core broke, or returned something that is not a picture."""

    code = "core_failed"


class SafetyUnavailable(Unavailable):
    """A check that policy needs did not run. Nothing passes."""

    code = "safety_unavailable"


class WeightsInvalid(SafetyUnavailable):
    """A weights file is missing, or is not the file whose SHA-256 is on record."""


class ObligationUnmet(SafetyUnavailable):
    """An obligation of the policy has no receipt, so the picture is not delivered."""
