"""A policy on trial: it is asked beside the one in force, and nobody acts on what it says. Pure."""

import hashlib

from policies.comparison import Answer
from policies.decision import Frozen, PolicyRef
from policies.errors import FactMissing
from policies.facts import Facts
from policies.policy import Policy


class Verdict(Frozen):
    """What a candidate said. ``answer`` is None where a fact that it demands was missing."""

    policy: PolicyRef
    answer: Answer | None


class Candidate:
    """``share`` of all requests, 0 to 1, are put to ``policy`` as well: 1 is a dry run, a small
    share a canary. A request is taken by its id, whole, so that its stages stay together."""

    def __init__(self, policy: Policy, share: float = 1.0) -> None:
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"a share is from 0 to 1, not {share}")
        self.policy = policy
        self.share = share

    def takes(self, decision_id: str) -> bool:
        """Whether this request is of the share; the same id always gets the same answer."""
        digest = hashlib.sha256(decision_id.encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.share * 2**64

    def ask(self, facts: Facts) -> Verdict:
        """Never raises: a candidate has no say in what happens."""
        try:
            answer = Answer.of(self.policy.decide(facts))
        except FactMissing:
            answer = None
        return Verdict(policy=self.policy.ref, answer=answer)
