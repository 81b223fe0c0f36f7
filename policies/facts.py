"""What a policy is evaluated on."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from policies.categories import CATEGORIES
from policies.decision import Frozen, Scalar

Stage = Literal["prompt", "image"]


class Facts(Frozen):
    """Everything that a rule may ask about one request at one stage.

    ``scores`` holds a calibrated probability in [0, 1] for each category that was assessed;
    a category that nobody assessed is absent from it and stands in ``not_assessed``.
    ``thresholds`` holds the assessors' own thresholds, each set at a stated false-positive rate;
    a rule says ``calibrated`` to use them. ``fields`` holds the rest under dotted names
    ("caller.role", "core.domain", "match.known_content", "language", "size.pixels").
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
