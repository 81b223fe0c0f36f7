"""When one clause follows from another, and when a clause can never hold.

Sound, not complete: a True is always right, a False may only mean that the proof was not found.
Both questions are put to the clause with every ``not`` pushed down to its comparisons. Pure.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from policies.clauses import RELATIONS
from policies.decision import Scalar
from policies.fields import FIELDS, FLAGGED, Kind
from policies.language import (
    All,
    AnyOf,
    Clause,
    Comparison,
    Not,
    OnMissing,
    Operator,
    Rule,
    share_of_threshold,
    spelt_out,
)


@dataclass(frozen=True, slots=True)
class _Leaf:
    field: str
    op: Operator
    limit: Scalar | tuple[Scalar, ...]

    @property
    def share(self) -> float | None:
        """Of the assessor's threshold, where that is the limit of a score."""
        return share_of_threshold(self.limit) if FIELDS[self.field].kind is Kind.SCORE else None


@dataclass(frozen=True, slots=True)
class _Group:
    every: bool  # all, or else any
    parts: tuple["_Leaf | _Group", ...]


_Tree = _Leaf | _Group


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whenever ``narrow`` fires, ``wide`` fires, with no milder action and no fewer obligations."""
    return wide.obligations >= narrow.obligations and outranks(wide, narrow)


def outranks(wide: Rule, narrow: Rule) -> bool:
    """Whenever ``narrow`` fires, ``wide`` fires with no milder action: nothing of ``narrow`` counts
    but its obligations and its message."""
    return (
        (wide.stage in ("both", narrow.stage))
        and wide.action >= narrow.action
        and wide.on_missing in (OnMissing.MATCH, narrow.on_missing)
        and _implies(_tree(narrow.when), _tree(wide.when))
    )


def thresholds(clause: Clause) -> dict[str, set[Scalar]]:
    """The limits of each score that makes ``clause`` true alone, whatever else is known."""
    found: dict[str, set[Scalar]] = {}
    for leaf in _disjuncts(_tree(clause)):
        if FIELDS[leaf.field].kind is Kind.SCORE and not isinstance(leaf.limit, tuple):
            found.setdefault(leaf.field, set()).add(leaf.limit)
    return found


def never(clause: Clause) -> bool:
    """No facts make ``clause`` true. (Facts that are missing may still leave it open.)"""
    return _never(_tree(clause))


def _tree(clause: Clause, negated: bool = False) -> _Tree:
    match clause:
        case Not():
            return _tree(clause.clause, not negated)
        case Comparison(field=field) if field == FLAGGED:
            return _tree(spelt_out(clause), negated)
        case Comparison():
            op = clause.op.opposite if negated else clause.op
            return _Leaf(clause.field, op, clause.limit)
        case All():
            return _Group(not negated, tuple(_tree(part, negated) for part in clause.all))
        case AnyOf():
            return _Group(negated, tuple(_tree(part, negated) for part in clause.any))


def _implies(a: _Tree, b: _Tree) -> bool:
    if isinstance(b, _Group) and b.every:
        return all(_implies(a, part) for part in b.parts)
    if isinstance(a, _Group) and not a.every:
        return all(_implies(part, b) for part in a.parts)
    if isinstance(b, _Group) and any(_implies(a, part) for part in b.parts):
        return True
    if isinstance(a, _Group):
        return any(_implies(part, b) for part in a.parts)
    return isinstance(b, _Leaf) and _leaf_implies(a, b)


def _leaf_implies(a: _Leaf, b: _Leaf) -> bool:
    if a.field != b.field:
        return False
    mine, other = a.share, b.share
    if mine is not None or other is not None:  # of one threshold, which only the assessor knows
        comparable = mine is not None and other is not None and mine >= other
        return comparable and (a.op is b.op or a.op is Operator.ABOVE)
    return not _satisfiable((a, _Leaf(b.field, b.op.opposite, b.limit)))


def _never(tree: _Tree) -> bool:
    if isinstance(tree, _Group) and not tree.every:
        return all(_never(part) for part in tree.parts)
    if isinstance(tree, _Group) and any(_never(part) for part in tree.parts):
        return True
    by_field: dict[str, list[_Leaf]] = {}
    for leaf in _conjuncts(tree):
        if leaf.share is None:  # else known only with the assessor
            by_field.setdefault(leaf.field, []).append(leaf)
    return not all(_satisfiable(leaves) for leaves in by_field.values())


def _conjuncts(tree: _Tree) -> Iterator[_Leaf]:
    if isinstance(tree, _Leaf):
        yield tree
    elif tree.every:
        for part in tree.parts:
            yield from _conjuncts(part)


def _disjuncts(tree: _Tree) -> Iterator[_Leaf]:
    if isinstance(tree, _Leaf):
        yield tree
    elif not tree.every:
        for part in tree.parts:
            yield from _disjuncts(part)


def _satisfiable(leaves: Sequence[_Leaf]) -> bool:
    """One value meets every leaf. All are on one field, none against ``calibrated``."""
    return any(
        all(RELATIONS[leaf.op](value, leaf.limit) for leaf in leaves)
        for value in _candidates(leaves)
    )


def _candidates(leaves: Sequence[_Leaf]) -> Iterator[object]:
    """Values of which one meets every leaf, if any value does."""
    field = FIELDS[leaves[0].field]
    limits = {one for leaf in leaves for one in _listed(leaf.limit) if one is not None}
    match field.kind:
        case Kind.FLAG:
            yield from (True, False)
        case Kind.SET:
            # The largest set that nothing forbids: what it does not hold, no other may.
            forbidding = (Operator.LACKS, Operator.CONTAINS_NONE)
            forbidden = {
                one for leaf in leaves if leaf.op in forbidding for one in _listed(leaf.limit)
            }
            yield frozenset(field.choices) - forbidden
        case Kind.TEXT:  # what is longer than every limit equals none of them
            yield from field.choices or {*limits, "".join(map(str, limits)) + "?"}
        case Kind.SCORE | Kind.NUMBER:
            ends = (0.0, 1.0) if field.kind is Kind.SCORE else (-math.inf, math.inf)
            points = sorted(
                {*ends, *(float(one) for one in limits if isinstance(one, int | float))}
            )
            yield from points
            yield from ((low + high) / 2 for low, high in pairwise(points))


def _listed(limit: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return limit if isinstance(limit, tuple) else (limit,)
