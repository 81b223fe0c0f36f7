"""The policy language: what a policy document may say, as typed and closed models.

A document holds rules; a rule holds a clause, an action and obligations; a clause is ``all``,
``any`` or ``not`` over clauses, or one comparison ``{field, op, limit}``. Whatever is refused here
is refused when the document is loaded, so that nothing can go wrong in a running decision but a
fact that is missing. Pure.

**Raising a score never weakens a decision.** This holds by construction: a score may only be
compared with ``>=`` or ``>``, and under an odd number of ``not`` only with ``<`` or ``<=``.
``flagged``, which follows from the scores, is held to the same.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeGuard

from pydantic import Discriminator, PlainSerializer, Tag, field_validator, model_validator
from pydantic import Field as Constrained
from pydantic_core import PydanticCustomError

from policies.categories import CATEGORIES
from policies.decision import Action, Frozen, Obligation, Scalar
from policies.facts import Stage
from policies.fields import FIELDS, FLAGGED, SCORE_PREFIX, Field, Kind, nearest

CALIBRATED = "calibrated"
"""The limit that stands for the assessor's own threshold of the category; ``calibrated * 0.7`` is
that share of it, which is stricter by as much whatever assessor there is."""

SHARE_PATTERN = rf"^{CALIBRATED}( \* (1(\.0+)?|0?\.[0-9]{{1,6}}))?$"

MAX_RULES = 1000
MAX_CLAUSES = 500  # under one all or any; also values of one list
MAX_NUMBER = 2**53  # beyond, JSON loses whole numbers, and the digest with them
Name = Annotated[str, Constrained(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Prose = Annotated[str, Constrained(min_length=1, max_length=500)]

# Sorted, so that a document has one canonical form.
Names = Annotated[frozenset[str], PlainSerializer(sorted)]
Obligations = Annotated[frozenset[Obligation], PlainSerializer(sorted)]


class Operator(StrEnum):
    """How a field stands to its limit. ``is_true`` and ``is_false`` take no limit."""

    AT_LEAST = ">="
    ABOVE = ">"
    AT_MOST = "<="
    BELOW = "<"
    EQUAL = "=="
    UNEQUAL = "!="
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    LACKS = "not_contains"
    CONTAINS_ANY = "contains_any"
    CONTAINS_NONE = "contains_none"
    IS_TRUE = "is_true"
    IS_FALSE = "is_false"

    @property
    def opposite(self) -> "Operator":
        """The operator that holds exactly where this one does not."""
        return _OPPOSITES[self]


_PAIRS = (
    (Operator.AT_LEAST, Operator.BELOW),
    (Operator.ABOVE, Operator.AT_MOST),
    (Operator.EQUAL, Operator.UNEQUAL),
    (Operator.IN, Operator.NOT_IN),
    (Operator.CONTAINS, Operator.LACKS),
    (Operator.CONTAINS_ANY, Operator.CONTAINS_NONE),
    (Operator.IS_TRUE, Operator.IS_FALSE),
)
_OPPOSITES = dict(_PAIRS) | {right: left for left, right in _PAIRS}

_ORDER = (Operator.AT_LEAST, Operator.ABOVE, Operator.AT_MOST, Operator.BELOW)
_EQUALITY = (Operator.EQUAL, Operator.UNEQUAL, Operator.IN, Operator.NOT_IN)
TAKE_LISTS = frozenset(
    {Operator.IN, Operator.NOT_IN, Operator.CONTAINS_ANY, Operator.CONTAINS_NONE}
)
"""Operators whose limit is a list of values."""

RISING = frozenset(
    {Operator.AT_LEAST, Operator.ABOVE, Operator.CONTAINS, Operator.CONTAINS_ANY}
)
"""Operators that stay true when a score rises, or when a category is flagged besides."""

OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    Kind.SCORE: _ORDER,
    Kind.NUMBER: (*_ORDER, *_EQUALITY),
    Kind.TEXT: _EQUALITY,
    Kind.FLAG: (Operator.IS_TRUE, Operator.IS_FALSE),
    Kind.SET: (
        Operator.CONTAINS,
        Operator.LACKS,
        Operator.CONTAINS_ANY,
        Operator.CONTAINS_NONE,
    ),
}
"""The operators that a field of each kind takes."""


class OnMissing(StrEnum):
    """What becomes of a rule whose clause cannot be settled because a fact is missing."""

    MATCH = "match"
    SKIP = "skip"
    ERROR = "error"


class Comparison(Frozen):
    """``field`` stands in relation ``op`` to ``limit``."""

    field: str
    op: Operator
    limit: Scalar | tuple[Scalar, ...] = None

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        declared = FIELDS.get(self.field)
        if declared is None:
            hint = nearest(self.field, FIELDS)
            raise fault("field", f"no field {self.field!r}{hint}")
        allowed = OPERATORS[declared.kind]
        if self.op not in allowed:
            said = ", ".join(allowed)
            raise fault("op", f"{self.field} is a {declared.kind}; it takes {said}")
        _check_limit(declared, self.op, self.limit)
        return self


class All(Frozen):
    """Holds when every clause holds. An empty list is invalid: it would hold always."""

    all: Annotated[tuple["Clause", ...], Constrained(min_length=1, max_length=MAX_CLAUSES)]


class AnyOf(Frozen):
    """Holds when one clause holds or more. An empty list is invalid: it would hold never."""

    any: Annotated[tuple["Clause", ...], Constrained(min_length=1, max_length=MAX_CLAUSES)]


class Not(Frozen):
    """Holds when its clause does not."""

    clause: Annotated["Clause", Constrained(alias="not")]


# The tags enter the path of an error; the colon keeps them apart from the keys of a document.
_TAGS: dict[str, str] = {"all": "all:", "any": "any:", "not": "not:", "field": "field:"}
_TAG_OF: dict[type, str] = {All: "all:", AnyOf: "any:", Not: "not:", Comparison: "field:"}


def _shape(given: object) -> str | None:
    if isinstance(given, Mapping):
        shapes = [tag for key, tag in _TAGS.items() if key in given]
        return shapes[0] if len(shapes) == 1 else None
    return _TAG_OF.get(type(given))


Clause = Annotated[
    Annotated[All, Tag("all:")]
    | Annotated[AnyOf, Tag("any:")]
    | Annotated[Not, Tag("not:")]
    | Annotated[Comparison, Tag("field:")],
    Discriminator(
        _shape,
        custom_error_type="clause_shape",
        custom_error_message="a clause is exactly one of all, any, not, or field with op and limit",
    ),
]


class Rule(Frozen):
    """When ``when`` holds at ``stage``: ``action`` and ``obligations``, with ``message`` as the
    reason that the person who asked is given."""

    id: Name
    stage: Stage | Literal["both"]
    when: Clause
    action: Action
    obligations: Obligations = frozenset()
    message: Prose
    on_missing: OnMissing

    @model_validator(mode="before")
    @classmethod
    def _strict_rules_match_what_is_missing(cls, given: object) -> object:
        if isinstance(given, Mapping) and given.get("on_missing") is None:
            strict = given.get("action") in (Action.BLOCK, Action.REVIEW)
            return {**given, "on_missing": OnMissing.MATCH if strict else OnMissing.SKIP}
        return given

    @field_validator("when")
    @classmethod
    def _monotone_in_scores(cls, given: Clause) -> Clause:
        return monotone(given)

    def applies_at(self, stage: Stage) -> bool:
        """Whether the rule is evaluated at ``stage``."""
        return self.stage in (stage, "both")


class Service(Frozen):
    """A line of law that the policy serves: ``by`` which obligations and rules, and how in words.

    ``line`` is an identifier of docs/verify.md. To serve a line is not to comply with it.
    """

    line: Annotated[str, Constrained(pattern=r"^[A-Z]{2}-[A-Z][0-9]{1,2}$")]
    by: Annotated[tuple[str, ...], Constrained(min_length=1, max_length=MAX_CLAUSES)]
    how: Prose


class Head(Frozen):
    """What a policy says besides its rules.

    ``applies`` says in words for whom and where it is meant; it is shown, never evaluated.
    ``requires``: the categories that must be assessed before a core whose domain is open.
    ``obligations``: due for whatever is delivered, whichever rule fired.
    ``serves``: the lines of law that it was written for; shown, never evaluated.
    """

    name: Name
    version: Annotated[str, Constrained(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]*$", max_length=32)]
    description: Annotated[str, Constrained(min_length=1, max_length=4000)]
    applies: Prose
    requires: Names = frozenset()
    obligations: Obligations = frozenset()
    serves: tuple[Service, ...] = ()

    @field_validator("requires")
    @classmethod
    def _known_categories(cls, given: frozenset[str]) -> frozenset[str]:
        for category in sorted(given - set(CATEGORIES)):
            raise fault((), f"no category {category!r}{nearest(category, CATEGORIES)}")
        return given


class PolicyDocument(Head):
    """A whole policy, with every rule that is in force: what ``policies.inclusion`` makes of a
    file and the files that it includes."""

    rules: Annotated[tuple[Rule, ...], Constrained(min_length=1, max_length=MAX_RULES)]

    @field_validator("rules")
    @classmethod
    def _one_rule_an_id(cls, given: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return one_rule_an_id(given)


def one_rule_an_id(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """``rules`` themselves. Raises at the second of two that have one id."""
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        if rule.id in seen:
            raise fault((position, "id"), f"a second rule {rule.id!r}")
        seen.add(rule.id)
    return rules


def monotone(clause: Clause) -> Clause:
    """``clause`` itself. Raises at a comparison that would weaken when a score rises."""
    for path, comparison, negated in comparisons(clause):
        if FIELDS[comparison.field].kind is not Kind.SCORE and comparison.field != FLAGGED:
            continue
        effective = comparison.op.opposite if negated else comparison.op
        if effective not in RISING:
            rising = sorted(
                (op.opposite if negated else op)
                for op in OPERATORS[FIELDS[comparison.field].kind]
                if op in RISING
            )
            where = "under a not use" if negated else "use"
            raise fault(
                (*path, "op"),
                f"{'not ' * negated}{comparison.field} {comparison.op} ... would weaken the"
                f" decision when the score rises; {where} {' or '.join(rising)}",
            )
    return clause


def spelt_out(comparison: Comparison) -> Clause:
    """``flagged contains_any [a, b]`` as ``score.a`` or ``score.b`` over its threshold; any other
    comparison as it is. So a category that nobody scored leaves it open, and never false."""
    if comparison.field != FLAGGED:
        return comparison
    limit = comparison.limit if isinstance(comparison.limit, tuple) else (comparison.limit,)
    over = AnyOf(
        any=tuple(
            Comparison(field=f"{SCORE_PREFIX}{one}", op=Operator.AT_LEAST, limit=CALIBRATED)
            for one in limit
        )
    )
    return over if comparison.op in RISING else Not.model_validate({"not": over})


def comparisons(
    clause: Clause, path: tuple[str | int, ...] = (), negated: bool = False
) -> Iterator[tuple[tuple[str | int, ...], Comparison, bool]]:
    """Every comparison under ``clause``: its path, itself, and whether an odd number of ``not``
    stands above it."""
    match clause:
        case Comparison():
            yield path, clause, negated
        case Not():
            yield from comparisons(clause.clause, (*path, "not"), not negated)
        case All():
            for position, part in enumerate(clause.all):
                yield from comparisons(part, (*path, "all", position), negated)
        case AnyOf():
            for position, part in enumerate(clause.any):
                yield from comparisons(part, (*path, "any", position), negated)


def _check_limit(field: Field, op: Operator, limit: Scalar | tuple[Scalar, ...]) -> None:
    if field.kind is Kind.FLAG:
        if limit is not None:
            raise fault("limit", f"{op} takes no limit")
        return
    if op in TAKE_LISTS:
        if not isinstance(limit, tuple) or not 1 <= len(limit) <= MAX_CLAUSES:
            raise fault("limit", f"{op} takes a list of 1 to {MAX_CLAUSES} values")
        for value in limit:
            _check_value(field, value)
        return
    _check_value(field, limit)


def _check_value(field: Field, value: Scalar | tuple[Scalar, ...]) -> None:
    if field.kind is Kind.SCORE:
        if not share_of_threshold(value) and not (_is_number(value) and 0 <= value <= 1):
            said = f"a score's limit is a number from 0 to 1, {CALIBRATED}, or {CALIBRATED} * 0.7"
            raise fault("limit", said)
    elif field.kind is Kind.NUMBER:
        if not _is_number(value):
            raise fault("limit", f"{field.name} is compared with a number, not {value!r}")
    elif not isinstance(value, str):
        raise fault("limit", f"{field.name} is compared with a text, not {value!r}; quote it")
    elif field.choices and value not in field.choices:
        hint = nearest(value, field.choices)
        raise fault("limit", f"{field.name} is never {value!r}{hint}")


def share_of_threshold(limit: object) -> float | None:
    """1.0 for ``calibrated``, S for ``calibrated * S`` (over 0, up to 1); None for other limits."""
    if not isinstance(limit, str) or not re.fullmatch(SHARE_PATTERN, limit):
        return None
    return float(limit.partition("*")[2] or 1.0) or None


def _is_number(value: object) -> TypeGuard[int | float]:
    # A bool is an int to Python; NaN fails the comparison.
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= MAX_NUMBER


def fault(at: str | tuple[str | int, ...], message: str) -> PydanticCustomError:
    """An error of a validator that stands at ``at`` below the value that is validated."""
    path = (at,) if isinstance(at, str) else at
    # The message goes in as a value: pydantic would read braces in it as a template.
    return PydanticCustomError("meaning", "{said}", {"said": message, "at": path})
