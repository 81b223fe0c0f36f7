"""What one part of the assessor finds in one picture, and what a part is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Literal, Protocol

from policies.decision import Scalar
from provenance.picture import Pixels

WritingKind = Literal["text", "code"]


@dataclass(frozen=True)
class Subject:
    """A picture under examination. ``file``: its bytes as they were uploaded, where there are."""

    pixels: Pixels
    file: bytes | None = None


@dataclass(frozen=True)
class Box:
    """Pixels of the picture, from its top left corner."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def around(cls, corners: Sequence[tuple[float, float]], pixels: Pixels) -> "Box":
        """The smallest upright box round ``corners``, within the picture; at least one pixel."""
        height, width = pixels.shape[:2]
        left = min(max(0, floor(min(x for x, _ in corners))), width - 1)
        top = min(max(0, floor(min(y for _, y in corners))), height - 1)
        right = max(left + 1, min(width, ceil(max(x for x, _ in corners))))
        bottom = max(top + 1, min(height, ceil(max(y for _, y in corners))))
        return cls(left, top, right - left, bottom - top)


@dataclass(frozen=True)
class Writing:
    """A line of text or the content of a code. ``confidence`` of the reading: 0..1."""

    text: str
    box: Box
    kind: WritingKind
    confidence: float


@dataclass(frozen=True)
class KnownMatch:
    """A picture stands in a list. ``distance``: bits of 256; 0 where a SHA-256 agrees.

    ``conclusive``: the operator's word that nothing else about the picture matters.
    """

    list_name: str
    label: str
    distance: int
    conclusive: bool


@dataclass(frozen=True)
class Finding:
    """``fields``: facts for the policy, under dotted names."""

    writings: tuple[Writing, ...] = ()
    match: KnownMatch | None = None
    fields: Mapping[str, Scalar] = field(default_factory=dict)


class Part(Protocol):
    """Looks for one thing. ``digest``: SHA-256 (hex) over all that its findings depend on."""

    @property
    def digest(self) -> str: ...

    def find(self, subject: Subject) -> Finding:
        """Raises SafetyUnavailable where it cannot look; never an empty finding instead."""
        ...
