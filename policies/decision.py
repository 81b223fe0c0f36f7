"""What a policy answers: an action, obligations, and a reason for each rule that fired."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

Scalar = str | int | float | bool | None


class Action(StrEnum):
    """Actions from mildest to strictest; the strictest of all rules that fired wins.

    ``<`` and its kin go by severity. All four are written out, since those that ``str`` has would
    go by the alphabet; a plain string is read as the action of that name.
    """

    ALLOW = "allow"
    LABEL = "label"
    REDACT = "redact"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """0 for allow up to 4 for block."""
        return _SEVERITY[self]

    def __lt__(self, other: str) -> bool:
        return self.severity < Action(other).severity

    def __le__(self, other: str) -> bool:
        return self.severity <= Action(other).severity

    def __gt__(self, other: str) -> bool:
        return self.severity > Action(other).severity

    def __ge__(self, other: str) -> bool:
        return self.severity >= Action(other).severity


_SEVERITY = {action: severity for severity, action in enumerate(Action)}


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
