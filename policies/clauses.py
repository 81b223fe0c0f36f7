"""Clauses compiled to closures, in three-valued logic.

A comparison whose fact is missing is neither true nor false but unknown (None), and unknown spreads
as in Kleene's logic: ``all`` with a false part is false, ``any`` with a true part is true, whatever
else is missing. Only a clause that stays unknown is settled by the rule's ``on_missing``.

``not`` is pushed down to the comparisons while compiling (De Morgan), where it becomes the opposite
operator. So a reason always names comparisons that held, never one that failed. Pure.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.decision import Because, Scalar
from policies.errors import FactMissing
from policies.facts import Facts
from policies.fields import FLAGGED, NOT_ASSESSED, SCORE_PREFIX
from policies.language import (
    CALIBRATED,
    All,
    AnyOf,
    Clause,
    Comparison,
    Not,
    Operator,
    share_of_threshold,
    spelt_out,
)

Verdict = bool | None
Known = Mapping[str, object]

_CALIBRATED_PREFIX = f"{CALIBRATED}."

# Limits were checked against the field's type at load, and facts when they were made.
RELATIONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.AT_LEAST: operator.ge,
    Operator.ABOVE: operator.gt,
    Operator.AT_MOST: operator.le,
    Operator.BELOW: operator.lt,
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.IN: lambda value, limit: value in limit,
    Operator.NOT_IN: lambda value, limit: value not in limit,
    Operator.CONTAINS: operator.contains,
    Operator.LACKS: lambda value, limit: limit not in value,
    Operator.CONTAINS_ANY: lambda value, limit: not value.isdisjoint(limit),
    Operator.CONTAINS_NONE: lambda value, limit: value.isdisjoint(limit),
    Operator.IS_TRUE: lambda value, _: value is True,
    Operator.IS_FALSE: lambda value, _: value is False,
}


@dataclass(frozen=True, slots=True)
class Test:
    """A compiled clause. ``holds`` is called always, ``because`` only once its rule has fired."""

    holds: Callable[[Known], Verdict]
    because: Callable[[Known], Iterator[Because]]


def known_facts(facts: Facts) -> dict[str, object]:
    """All facts under one flat naming: fields, ``score.X``, ``calibrated.X``, ``not_assessed``."""
    known: dict[str, object] = dict(facts.fields)
    known["stage"] = facts.stage
    known[NOT_ASSESSED] = facts.not_assessed
    for category, score in facts.scores.items():
        known[SCORE_PREFIX + category] = score
    for category, threshold in facts.thresholds.items():
        known[_CALIBRATED_PREFIX + category] = threshold
    return known


def compile_clause(clause: Clause, negated: bool = False) -> Test:
    """Compile ``clause``, or its opposite where ``negated``."""
    match clause:
        case Not():
            return compile_clause(clause.clause, not negated)
        case Comparison(field=field) if field == FLAGGED:
            return compile_clause(spelt_out(clause), negated)
        case Comparison():
            op = clause.op.opposite if negated else clause.op
            share = share_of_threshold(clause.limit)
            if share is not None and clause.field.startswith(SCORE_PREFIX):
                return _above_threshold(clause.field, op, share)
            return _comparison(clause.field, op, clause.limit)
        case All():
            parts = tuple(compile_clause(part, negated) for part in clause.all)
            return _any(parts) if negated else _all(parts)
        case AnyOf():
            parts = tuple(compile_clause(part, negated) for part in clause.any)
            return _all(parts) if negated else _any(parts)


def _comparison(field: str, op: Operator, limit: Scalar | tuple[Scalar, ...]) -> Test:
    relation = RELATIONS[op]

    def holds(known: Known) -> Verdict:
        value = known.get(field)
        return None if value is None else relation(value, limit)

    def because(known: Known) -> Iterator[Because]:
        yield Because(field=field, op=op.value, limit=limit, value=_shown(known.get(field)))

    return Test(holds, because)


def _above_threshold(field: str, op: Operator, share: float) -> Test:
    relation = RELATIONS[op]
    threshold = _CALIBRATED_PREFIX + field.removeprefix(SCORE_PREFIX)

    def holds(known: Known) -> Verdict:
        value = known.get(field)
        if value is None:
            return None
        limit = known.get(threshold)
        if limit is None:
            # Skipping would let a high score pass unjudged: the assessor is at fault, so stop.
            raise FactMissing(
                f"{field} was scored without a calibrated threshold. The assessor must state one,"
                " or the policy must name a number"
            )
        return relation(value, limit * share)  # type: ignore[operator]  # a threshold is a number

    def because(known: Known) -> Iterator[Because]:
        stated = known.get(threshold)
        limit = CALIBRATED if stated is None else stated * share  # type: ignore[operator]
        yield Because(field=field, op=op.value, limit=limit, value=_shown(known.get(field)))

    return Test(holds, because)


def _all(parts: tuple[Test, ...]) -> Test:
    tests = tuple(part.holds for part in parts)

    def holds(known: Known) -> Verdict:
        verdict: Verdict = True
        for test in tests:
            held = test(known)
            if held is False:
                return False
            if held is None:
                verdict = None
        return verdict

    return Test(holds, _because_of(parts, holds))


def _any(parts: tuple[Test, ...]) -> Test:
    tests = tuple(part.holds for part in parts)

    def holds(known: Known) -> Verdict:
        verdict: Verdict = False
        for test in tests:
            held = test(known)
            if held is True:
                return True
            if held is None:
                verdict = None
        return verdict

    return Test(holds, _because_of(parts, holds))


def _because_of(
    parts: tuple[Test, ...], holds: Callable[[Known], Verdict]
) -> Callable[[Known], Iterator[Because]]:
    """The parts that carry the verdict: those that held, and where the verdict is unknown, also
    those whose fact is missing."""

    def because(known: Known) -> Iterator[Because]:
        unknown = holds(known) is None
        for part in parts:
            held = part.holds(known)
            if held is True or (held is None and unknown):
                yield from part.because(known)

    return because


def _shown(value: object) -> Scalar | tuple[Scalar, ...]:
    if isinstance(value, frozenset):
        return tuple(sorted(value))
    return value  # type: ignore[return-value]  # Facts hold nothing but scalars and one set
