"""What a policy is evaluated on."""

import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from policies.categories import CATEGORIES
from policies.decision import Frozen, Scalar
from policies.fields import FIELDS, RESERVED, Kind

Stage = Literal["prompt", "image"]

_TYPES: dict[Kind, type | tuple[type, ...]] = {
    Kind.NUMBER: (int, float),
    Kind.TEXT: str,
    Kind.FLAG: bool,
}


class Facts(Frozen):
    """Everything that a rule may ask about one request at one stage.

    ``scores`` holds a calibrated probability in [0, 1] for each category that was assessed;
    a category that nobody assessed is absent from it and stands in ``not_assessed``.
    ``thresholds`` holds the assessors' own thresholds, each set at a stated false-positive rate;
    a rule says ``calibrated`` to use them. ``fields`` holds the rest under dotted names
    ("caller.role", "core.domain", "match.known_content", "language", "size.pixels"), with the
    types of ``policies.fields``; a name that is not known there is carried along, since no rule
    can ask for it. A fact that is not known is left out, never guessed.
    """

    stage: Stage
    scores: Mapping[str, float] = Field(default_factory=dict)
    thresholds: Mapping[str, float] = Field(default_factory=dict)
    not_assessed: frozenset[str] = frozenset()
    fields: Mapping[str, Scalar] = Field(default_factory=dict)

    @field_validator("scores", "thresholds")
    @classmethod
    def _probabilities_of_known_categories(cls, given: Mapping[str, float]) -> Mapping[str, float]:
        for category, value in given.items():
            if category != "unsafe" and category not in CATEGORIES:
                raise ValueError(f"unknown category {category!r}; known: {', '.join(CATEGORIES)}")
            if math.isnan(value) or not 0.0 <= value <= 1.0:
                raise ValueError(f"{category} is {value}, not a probability in [0, 1]")
        return given

    @field_validator("not_assessed")
    @classmethod
    def _known_categories(cls, given: frozenset[str]) -> frozenset[str]:
        # A name that no rule can ask for would let what was not assessed pass in silence.
        for category in sorted(given - set(CATEGORIES) - {"unsafe"}):
            raise ValueError(f"unknown category {category!r}; known: {', '.join(CATEGORIES)}")
        return given

    @field_validator("fields")
    @classmethod
    def _values_of_the_declared_types(cls, given: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        # A comparison across types would be False, which for a block rule means a silent pass.
        for name, value in given.items():
            if name in RESERVED:
                raise ValueError(f"{name} cannot stand in fields: it comes from the assessment")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}, not a finite number")
            field = FIELDS.get(name)
            if field is None or value is None:
                continue
            if not isinstance(value, _TYPES[field.kind]) or (
                field.kind is Kind.NUMBER and isinstance(value, bool)
            ):
                raise ValueError(f"{name} is {value!r}, but it is declared as a {field.kind}")
            if field.choices and value not in field.choices:
                raise ValueError(f"{name} is {value!r}, not one of {', '.join(field.choices)}")
        return given

    @model_validator(mode="after")
    def _one_stage(self) -> Self:
        if self.fields.get("stage", self.stage) != self.stage:
            raise ValueError(f"fields say stage {self.fields['stage']!r}, not {self.stage!r}")
        return self
