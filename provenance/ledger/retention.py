"""Retention: how long a person's data that an event sealed may be read.

A plan names classes, and a class for each kind of event. Events themselves stay for ever, for the
tree is built on them; what ends is the key. Keys are made for one subject, one class and one day
(UTC), so that data of each class can end at its own time: it is readable for at least as many whole
days as the class says and is due for erasure on the next. Pure.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from policies.decision import Frozen
from provenance.errors import RetentionInvalid

SHIPPED: Final = Path(__file__).with_name("retention.yaml")
MAX_KEEP_DAYS: Final = 36_500  # a hundred years: more is "permanent", which says so

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,63}$")]


class RetentionClass(Frozen):
    """``keep_days``: whole days for which sealed data stays readable; None for ever."""

    keep_days: int | None = Field(ge=0, le=MAX_KEEP_DAYS)
    because: str = Field(min_length=1)

    def last_day_due(self, today: date) -> date | None:
        """Keys of this day and of days before it are due on ``today``; None: none ever is."""
        if self.keep_days is None:
            return None
        return today - timedelta(days=self.keep_days + 1)


class RetentionPlan(Frozen):
    """Classes by name, and the class of each kind of event."""

    classes: Mapping[Name, RetentionClass]
    kinds: Mapping[Name, Name]

    @model_validator(mode="after")
    def _every_class_is_there(self) -> "RetentionPlan":
        unknown = sorted(set(self.kinds.values()) - self.classes.keys())
        if unknown:
            raise ValueError(f"kinds name classes that are not declared: {', '.join(unknown)}")
        return self

    def class_of(self, kind: str) -> str:
        """The class of a kind. Raises ``RetentionInvalid``: nothing is kept by default."""
        found = self.kinds.get(kind)
        if found is None:
            raise RetentionInvalid(
                f"The retention plan does not say how long a {kind!r} is kept; "
                "add the kind to one of its classes before sealing anything under it."
            )
        return found


class ClassDue(Frozen):
    """One class on one day. ``keys``: that exist; ``due``: of them, those to be destroyed;
    ``through``: the last day that is due; ``oldest``: the day of the oldest key."""

    name: str
    keep_days: int | None
    keys: int
    due: int
    through: date | None
    oldest: date | None


class RetentionReport(Frozen):
    """What is due on ``today``. ``undeclared``: classes of existing keys that the plan no longer
    has, which nobody will ever call due: a mistake in the plan."""

    today: date
    classes: tuple[ClassDue, ...]
    undeclared: tuple[str, ...] = ()

    @property
    def due(self) -> int:
        """Keys that are due in all classes together."""
        return sum(found.due for found in self.classes)


@cache
def load_plan(path: Path = SHIPPED) -> RetentionPlan:
    """Read a plan (YAML); without a path the shipped one. Raises ``RetentionInvalid``."""
    try:
        return RetentionPlan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise RetentionInvalid(f"{path} is no retention plan: {error}") from error
