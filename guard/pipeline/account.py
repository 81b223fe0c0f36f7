"""What the ledger is told of one judgement: enough to put the same question to another policy.

Everything that a rule can ask is recorded, exactly. Texts that may point to a person or an
organisation (the tenant, the host that a code leads to) stand there as commitments: a rule compares
them with words of its own, and of those the commitments are known too. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from guard.assessment import Assessment
from policies.candidate import Candidate
from policies.decision import Decision, Scalar
from policies.facts import Facts, Stage
from policies.fields import FIELDS, Kind
from policies.language import comparisons
from policies.policy import Policy
from provenance.ledger.commitment import commitment

IN_CLEAR = frozenset(
    {
        "caller.region",
        "caller.role",
        "core.name",
        "language",
        "match.list",
        "memorised.dataset",
    }
)
"""Free texts that say nothing of who asked."""

COMMITTED = frozenset(
    name
    for name, field in FIELDS.items()
    if field.kind is Kind.TEXT and not field.choices and name not in IN_CLEAR
)


class Judgement(NamedTuple):
    """One stage of one request: what was seen, what policy was asked, and what it said."""

    assessment: Assessment
    facts: Facts
    decision: Decision

    def account(
        self, key: bytes, decision_id: str, candidate: Candidate | None = None
    ) -> dict[str, Any]:
        """As JSON for the ledger. ``key``: of the commitments. What ``candidate`` says of the same
        facts stands beside it."""
        decision = self.decision
        account: dict[str, Any] = {
            "assessor": self.assessment.assessor.model_dump(),
            "scores": dict(self.facts.scores),
            "thresholds": dict(self.facts.thresholds),
            "not_assessed": sorted(self.facts.not_assessed),
            "fields": {
                name: kept(name, value, key)
                for name, value in self.facts.fields.items()
                if name in FIELDS
            },
            "action": decision.action.value,
            "obligations": sorted(decision.obligations),
            "reasons": [reason.model_dump(mode="json") for reason in decision.reasons],
            "policy": decision.policy.model_dump(),
        }
        for reason in account["reasons"]:
            for because in reason["because"]:
                because["value"] = kept(because["field"], because["value"], key)
        if candidate is not None and candidate.takes(decision_id):
            verdict = candidate.ask(self.facts)
            said = verdict.model_dump(mode="json")
            if verdict.answer is not None:  # sets in one order, since a leaf is hashed
                said["answer"]["rules"] = sorted(verdict.answer.rules)
                said["answer"]["obligations"] = sorted(verdict.answer.obligations)
            account["candidate"] = said
        return account


def recorded_facts(
    account: Mapping[str, Any], stage: Stage, words: Mapping[str, str]
) -> Facts | None:
    """The facts of an account; None where it was written before facts were recorded, or in words
    that facts no longer take.

    ``words``: see ``words_of``. A commitment that stands for none of them stays as it is: a text
    that equals no word of the policy, as the one that was meant.
    """
    if "fields" not in account or "thresholds" not in account:
        return None
    try:
        return Facts(
            stage=stage,
            scores=account["scores"],
            thresholds=account["thresholds"],
            not_assessed=frozenset(account["not_assessed"]),
            fields={
                name: words.get(value, value) if name in COMMITTED else value
                for name, value in account["fields"].items()
            },
        )
    except ValidationError:
        return None


def words_of(policies: Iterable[Policy], key: bytes) -> dict[str, str]:
    """Commitment -> word, of every word with which ``policies`` compare a committed text."""
    return {
        str(kept(clause.field, word, key)): str(word)
        for policy in policies
        for rule in policy.document.rules
        for _, clause, _ in comparisons(rule.when)
        if clause.field in COMMITTED
        for word in (clause.limit if isinstance(clause.limit, tuple) else (clause.limit,))
    }


def kept(name: str, value: Any, key: bytes) -> Scalar:
    """The value of the fact ``name`` as the ledger holds it."""
    return commitment(key, f"{name}={value}") if name in COMMITTED and value is not None else value
