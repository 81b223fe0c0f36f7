"""What a policy answers: an action, obligations, and a reason for each rule that fired."""

from enum import StrEnum
from functools import total_ordering

from pydantic import BaseModel, ConfigDict

Scalar = str | int | float | bool | None


@total_ordering
class Action(StrEnum):
    """Actions from mildest to strictest; the strictest of all rules that fired wins."""

    ALLOW = "allow"
    LABEL = "label"
    REDACT = "redact"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """0 for allow up to 4 for block."""
        return list(Action).index(self)

    def __lt__(self, other: object) -> bool:
        return self.severity < other.severity if isinstance(other, Action) else NotImplemented


class Obligation(StrEnum):
    """What must have happened, with a receipt, before anything is delivered."""

    WATERMARK = "watermark"
    CREDENTIAL = "credential"
    LEDGER = "ledger"
    VISIBLE_LABEL = "visible_label"
    RETENTION = "retention"
    REVIEW = "review"


class Frozen(BaseModel):
    """Base of the values that cross wings: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Because(Frozen):
    """One clause that held: ``value`` of ``field`` stood in relation ``op`` to ``limit``."""

    field: str
    op: str
    limit: Scalar | tuple[Scalar, ...]
    value: Scalar | tuple[Scalar, ...]


class Reason(Frozen):
    """Why one rule fired. ``message`` is for the person who asked."""

    rule: str
    action: Action
    message: str
    because: tuple[Because, ...]


class PolicyRef(Frozen):
    """Which policy decided. ``digest`` is the SHA-256 (hex) of its canonical form."""

    name: str
    version: str
    digest: str


class Decision(Frozen):
    """The answer of a policy: strictest action, union of obligations, every reason."""

    action: Action
    obligations: frozenset[Obligation]
    reasons: tuple[Reason, ...]
    policy: PolicyRef
