"""Proof that a step ran."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from policies.decision import Frozen, Obligation, Scalar


class Receipt(Frozen):
    """A step that ran says so, with what it produced.

    ``obligation`` is the one it discharges, if any; ``detail`` holds identifiers and digests only
    (never prompts); ``finished_at`` is UTC.
    """

    step: str
    obligation: Obligation | None = None
    finished_at: datetime
    detail: Mapping[str, Scalar] = Field(default_factory=dict)
