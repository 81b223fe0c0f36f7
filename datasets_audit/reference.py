"""A reference population: whom a data set is measured against.

Without one nothing can be called representative; all that can be said is how even a data set is.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, field_validator

from datasets_audit.errors import ReferenceInvalid
from policies.decision import Frozen

MAX_REFERENCE_BYTES = 1_000_000
SHARES_TOLERANCE = 0.005  # published shares are rounded, to whole per cents at the coarsest


class ReferencePopulation(Frozen):
    """Shares in [0, 1] of each value of each attribute; each attribute's sum to 1."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    source: str = Field(min_length=1)
    shares: Mapping[str, Mapping[str, float]]

    @field_validator("shares")
    @classmethod
    def _distributions(
        cls, given: Mapping[str, Mapping[str, float]]
    ) -> Mapping[str, Mapping[str, float]]:
        for attribute, shares in given.items():
            if any(not 0.0 <= share <= 1.0 for share in shares.values()):
                raise ValueError(f"{attribute}: every share must lie between 0 and 1")
            total = math.fsum(shares.values())
            if abs(total - 1.0) > SHARES_TOLERANCE:
                raise ValueError(f"{attribute}: the shares sum to {total:.4f}, not to 1")
        return given

    @property
    def label(self) -> str:
        """Name and version, as a report cites it."""
        return f"{self.name} ({self.version})"


def load_reference(path: Path) -> ReferencePopulation:
    """Read a YAML or JSON file.

    Raises ReferenceInvalid: no such file, not YAML, or not a distribution.
    """
    try:
        if path.stat().st_size > MAX_REFERENCE_BYTES:
            raise ReferenceInvalid(f"{path} is larger than {MAX_REFERENCE_BYTES} bytes.")
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ReferenceInvalid(
            f"The reference population {path} cannot be read: {error}. Give a YAML or JSON file "
            "with name, version, source and shares."
        ) from error
    try:
        return ReferencePopulation.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ReferenceInvalid(f"{path}: {where}: {first['msg']}.") from error
