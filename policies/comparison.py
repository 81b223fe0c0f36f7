"""How two answers to one question differ: for the replay of a policy and for a candidate. Pure."""

from enum import StrEnum
from typing import Self

from policies.decision import Action, Decision, Frozen, Obligation


class Direction(StrEnum):
    """Where the second answer lies. ``other``: the same action by other rules or obligations."""

    SAME = "same"
    STRICTER = "stricter"
    MILDER = "milder"
    OTHER = "other"


class Answer(Frozen):
    """A decision without its reasons: what it comes to, and by which rules."""

    action: Action
    rules: frozenset[str]
    obligations: frozenset[Obligation]

    @classmethod
    def of(cls, decision: Decision) -> Self:
        fired = frozenset(reason.rule for reason in decision.reasons)
        return cls(action=decision.action, rules=fired, obligations=decision.obligations)

    def towards(self, other: "Answer") -> Direction:
        """Where ``other`` lies as seen from here."""
        if self.action is not other.action:
            return Direction.STRICTER if other.action > self.action else Direction.MILDER
        return Direction.SAME if self == other else Direction.OTHER
