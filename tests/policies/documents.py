"""Random policy documents and facts, drawn from the grammar of the language."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from policies.categories import CATEGORIES
from policies.decision import Action, Obligation
from policies.facts import Facts
from policies.fields import FIELDS, FLAGGED, RESERVED, Field, Kind
from policies.language import CALIBRATED, OPERATORS, RISING, OnMissing, Operator, PolicyDocument
from policies.policy import Policy

SCORED = (*CATEGORIES, "unsafe")
Names = tuple[str, ...]
# Half of the comparisons are on scores, as in real policies.
ALL_FIELDS: Names = (*FIELDS, *(f"score.{category}" for category in SCORED))
FEW_FIELDS: Names = ("count", "core.domain", "score.violence", "flagged", "not_assessed")
"""So few that rules of one document often speak of the same."""

probabilities = st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.2, 0.5, 1.0])
numbers = st.integers(0, 4) | st.floats(-10, 10)
words = st.sampled_from(["DE", "US", "user", "admin"])
OBLIGATIONS = [one.value for one in Obligation]
LISTS = (Operator.IN, Operator.NOT_IN, Operator.CONTAINS_ANY, Operator.CONTAINS_NONE)


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Values that facts may hold, for fields that are not reserved."""
    if field.kind is Kind.NUMBER:
        return numbers
    if field.kind is Kind.FLAG:
        return st.booleans()
    return st.sampled_from(field.choices) if field.choices else words


def _limits(field: Field, op: Operator) -> st.SearchStrategy[Any]:
    if field.kind is Kind.SCORE:
        return probabilities | st.sampled_from([CALIBRATED, f"{CALIBRATED} * 0.5"])
    one = st.sampled_from(field.choices) if field.kind is Kind.SET else values_of(field)
    return st.lists(one, min_size=1, max_size=3) if op in LISTS else one


@st.composite
def comparisons(draw: st.DrawFn, names: Names, negated: bool = False) -> dict[str, Any]:
    name = draw(st.sampled_from(names))
    field = FIELDS[name]
    ops = [
        op
        for op in OPERATORS[field.kind]
        if (field.kind is not Kind.SCORE and name != FLAGGED) or ((op in RISING) is not negated)
    ]
    op = draw(st.sampled_from(ops))
    if field.kind is Kind.FLAG:
        return {"field": name, "op": op.value}
    return {"field": name, "op": op.value, "limit": draw(_limits(field, op))}


@st.composite
def clauses(draw: st.DrawFn, names: Names, depth: int = 2, negated: bool = False) -> dict[str, Any]:
    shape = draw(st.sampled_from(["field", "field", "all", "any", "not"])) if depth else "field"
    if shape == "field":
        return draw(comparisons(names, negated))
    if shape == "not":
        return {"not": draw(clauses(names, depth - 1, not negated))}
    return {shape: draw(st.lists(clauses(names, depth - 1, negated), min_size=1, max_size=3))}


@st.composite
def rules(draw: st.DrawFn, name: str = "rule", names: Names = ALL_FIELDS) -> dict[str, Any]:
    rule = {
        "id": name,
        "stage": draw(st.sampled_from(["prompt", "image", "both"])),
        "when": draw(clauses(names)),
        "action": draw(st.sampled_from(Action)).value,
        "obligations": sorted(draw(st.sets(st.sampled_from(OBLIGATIONS), max_size=2))),
        "message": "Not here.",
    }
    on_missing = draw(st.sampled_from([None, OnMissing.MATCH, OnMissing.SKIP]))
    return rule | ({} if on_missing is None else {"on_missing": on_missing.value})


@st.composite
def documents(draw: st.DrawFn, names: Names = ALL_FIELDS) -> dict[str, Any]:
    count = draw(st.integers(1, 6))
    return document(
        *[draw(rules(f"rule-{number}", names)) for number in range(count)],
        obligations=sorted(draw(st.sets(st.sampled_from(OBLIGATIONS), max_size=2))),
    )


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    scores = draw(st.dictionaries(st.sampled_from(SCORED), probabilities))
    given = draw(st.sets(st.sampled_from(sorted(set(FIELDS) - RESERVED - {"stage"}))))
    return Facts(
        stage=draw(st.sampled_from(["prompt", "image"])),
        scores=scores,
        thresholds={category: draw(probabilities) for category in SCORED},
        not_assessed=frozenset(CATEGORIES) - scores.keys(),
        fields={name: draw(values_of(FIELDS[name])) for name in sorted(given)},
    )


def document(*with_rules: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A document with these rules and nothing else that matters."""
    return {
        "name": "drawn",
        "version": "1",
        "description": "Drawn by a test.",
        "applies": "Nowhere",
        "rules": list(with_rules),
        **more,
    }


def policy(given: Mapping[str, Any]) -> Policy:
    return Policy(PolicyDocument.model_validate(given))


def rule(when: Mapping[str, Any], action: str = "block", **more: Any) -> dict[str, Any]:
    """A rule for both stages."""
    return {
        "id": "only",
        "stage": "both",
        "when": when,
        "action": action,
        "message": "Not here.",
    } | more
