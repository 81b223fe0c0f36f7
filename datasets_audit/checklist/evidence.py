"""What one piece of evidence says."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple


class Weight(StrEnum):
    """What one piece of evidence says."""

    SHOWN = "shown"
    WANTING = "wanting"  # there is none, or it speaks against the data set
    NOT_APPLICABLE = "not-applicable"  # there is nothing that it could be about


class Evidence(NamedTuple):
    """What was found, what to do if it is wanting, the figures or kinds of events it rests on, and
    the day that it is from (UTC)."""

    weight: Weight
    because: str
    next_step: str | None = None
    rests_on: tuple[str, ...] = ()
    at: date | None = None


def shown(because: str, *rests_on: str, at: date | None = None) -> Evidence:
    """Evidence that is there."""
    return Evidence(Weight.SHOWN, because, None, rests_on, at)


def wanting(because: str, next_step: str, *rests_on: str) -> Evidence:
    """Evidence that is not there, or that speaks against what it is to show."""
    return Evidence(Weight.WANTING, because, next_step, rests_on)


def nothing_to_show(because: str, *rests_on: str, at: date | None = None) -> Evidence:
    """There is nothing that the evidence could be about."""
    return Evidence(Weight.NOT_APPLICABLE, because, None, rests_on, at)
