"""A policy that decides: facts in, an answer with its reasons out. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import rfc8785

from policies.clauses import Known, Verdict, compile_clause, known_facts
from policies.decision import Action, Because, Decision, Obligation, PolicyRef, Reason
from policies.errors import FactMissing
from policies.facts import Facts, Stage
from policies.language import OnMissing, PolicyDocument, Rule

CLOSED = "closed"
_BY_SEVERITY = tuple(sorted(Action))


class Policy:
    """A document, compiled once and then asked often. Immutable, and safe to share by threads.

    ``ref.digest`` is the SHA-256 (hex) of the canonical JSON (RFC 8785) of everything that the
    document sets apart from the defaults. It does not change with the order of keys, with comments
    or with layout, nor when the language grows by a key that the document does not use.
    """

    def __init__(self, document: PolicyDocument) -> None:
        self.document = document
        self.ref = PolicyRef(
            name=document.name, version=document.version, digest=digest_of(document)
        )
        compiled = tuple(_CompiledRule(rule) for rule in document.rules)
        self._at: dict[Stage, tuple[_CompiledRule, ...]] = {
            "prompt": tuple(one for one in compiled if one.rule.applies_at("prompt")),
            "image": tuple(one for one in compiled if one.rule.applies_at("image")),
        }

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def version(self) -> str:
        return self.document.version

    @property
    def digest(self) -> str:
        return self.ref.digest

    @property
    def requires(self) -> frozenset[str]:
        """The categories that must be assessed before a core whose domain is open."""
        return self.document.requires

    def decide(self, facts: Facts) -> Decision:
        """Evaluate every rule of the stage; the strictest action of those that fired wins.

        Reasons come in the order of the document. Raises FactMissing (503 safety_unavailable) when
        a rule that says ``on_missing: error`` lacks its fact, or when a score comes without the
        calibrated threshold that a rule compares it with.
        """
        known = known_facts(facts)
        strictest = 0
        obligations: set[Obligation] = set(self.document.obligations)
        reasons: list[Reason] = []
        for one in self._at[facts.stage]:
            held = one.holds(known)
            if held is False or (held is None and not one.fires_unknown(known)):
                continue
            rule = one.rule
            reasons.append(
                Reason(
                    rule=rule.id,
                    action=rule.action,
                    message=rule.message,
                    because=tuple(one.because(known)),
                )
            )
            obligations |= rule.obligations
            strictest = max(strictest, one.severity)
        return Decision(
            action=_BY_SEVERITY[strictest],
            obligations=frozenset(obligations),
            reasons=tuple(reasons),
            policy=self.ref,
        )

    def unmet_requirements(self, covered: Iterable[str], domain: str) -> tuple[str, ...]:
        """The required categories that nobody assesses, sorted. Empty: the policy can be kept.

        ``covered``: the categories that the assessors can see in what comes out of the core.
        ``domain``: the core's. For a closed core nothing is unmet, since what it can draw is known;
        what was not assessed still stands in each decision's facts.
        """
        return () if domain == CLOSED else tuple(sorted(self.requires - set(covered)))


class _CompiledRule:
    """A rule with its clause as closures."""

    __slots__ = ("because", "holds", "rule", "severity")

    def __init__(self, rule: Rule) -> None:
        test = compile_clause(rule.when)
        self.rule = rule
        self.severity = rule.action.severity
        self.holds: Callable[[Known], Verdict] = test.holds
        self.because: Callable[[Known], Iterator[Because]] = test.because

    def fires_unknown(self, known: Known) -> bool:
        """What ``on_missing`` says of a clause that the facts leave open."""
        if self.rule.on_missing is OnMissing.ERROR:
            missing = sorted({clause.field for clause in self.because(known)})
            raise FactMissing(
                f"rule {self.rule.id} cannot be decided without {', '.join(missing)}."
                " Switch on the assessor that supplies it, or change the rule's on_missing"
            )
        return self.rule.on_missing is OnMissing.MATCH


def digest_of(document: PolicyDocument) -> str:
    """SHA-256 (hex) of the document's canonical form."""
    plain = document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return hashlib.sha256(rfc8785.dumps(plain)).hexdigest()
