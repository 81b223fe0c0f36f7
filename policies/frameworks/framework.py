"""A framework: a named edition of a standard or law, as a list of controls."""

from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Self

import yaml
from pydantic import Field, ValidationError, model_validator

from policies.decision import Frozen
from policies.errors import PolicyInvalid, PolicyNotFound


class Mode(StrEnum):
    """Who can show that a control is met."""

    AUTOMATIC = "automatic"  # a query over records
    MIXED = "mixed"  # a query, and a person who attests what no query sees
    ATTESTED = "attested"  # a person alone


class Control(Frozen):
    """One item. ``evidence`` names the queries, ``attest`` what a person must add."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    attest: str | None = None

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        if not self.evidence and self.attest is None:
            raise ValueError(f"{self.id}: neither a query nor a person can show it")
        return self

    @property
    def mode(self) -> Mode:
        """Who can show it."""
        if self.attest is None:
            return Mode.AUTOMATIC
        return Mode.MIXED if self.evidence else Mode.ATTESTED


class Framework(Frozen):
    """A standard or law. ``source`` says where its identifiers were read."""

    name: str = Field(pattern="^[a-z0-9-]+$")
    title: str
    edition: str
    source: str
    controls: tuple[Control, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_once(self) -> Self:
        ids = [control.id for control in self.controls]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"{self.name}: controls stand there twice: {', '.join(repeated)}")
        return self


def framework_names() -> tuple[str, ...]:
    """The names that ``load_framework`` takes."""
    folder = files("policies.frameworks")
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml")
            for entry in folder.iterdir()
            if entry.name.endswith(".yaml")
        )
    )


@lru_cache(maxsize=32)
def load_framework(name: str) -> Framework:
    """The framework of that name.

    Raises PolicyNotFound: there is none; PolicyInvalid: its document does not hold together.
    """
    if name not in framework_names():
        raise PolicyNotFound(
            f"There is no framework {name!r}. There are: {', '.join(framework_names())}."
        )
    text = (files("policies.frameworks") / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        return Framework.model_validate({"name": name, **yaml.safe_load(text)})
    except (yaml.YAMLError, ValidationError) as error:
        raise PolicyInvalid(f"The framework {name} is not valid: {error}") from error


def load_frameworks() -> tuple[Framework, ...]:
    """All frameworks, by name."""
    return tuple(load_framework(name) for name in framework_names())
