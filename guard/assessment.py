"""What an assessor says of a prompt or a picture. Never a bare boolean."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from pydantic import Field

from policies.decision import Frozen, Scalar
from provenance.picture import Pixels


class AssessorRef(Frozen):
    """Who assessed. ``digest``: SHA-256 (hex) over its weights and rules."""

    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Span(Frozen):
    """Evidence in a text: characters [start, end) of what the person typed."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    category: str
    weight: float
    reading: str = "plain"


class Region(Frozen):
    """Evidence in a picture: a box in pixels, and what was seen there.

    ``text``: what is written in it, where it was read. It may hold personal data: it is shown,
    never logged and never put into the ledger.
    """

    x: int
    y: int
    width: int
    height: int
    kind: str
    category: str | None = None
    score: float = Field(ge=0.0, le=1.0)
    text: str | None = None


class Assessment(Frozen):
    """Calibrated probabilities with their evidence, and what was not looked at.

    ``scores``: category -> probability in [0, 1]; "unsafe" is the probability that any core
    category applies. ``thresholds``: the score at which the assessor's stated false-positive rate
    is met. ``not_assessed``: the categories that this assessor cannot speak of here. ``fields``:
    further facts for the policy, under dotted names.
    """

    assessor: AssessorRef
    subject: Literal["prompt", "image"]
    scores: Mapping[str, float]
    thresholds: Mapping[str, float] = Field(default_factory=dict)
    not_assessed: frozenset[str] = frozenset()
    language: str | None = None
    spans: tuple[Span, ...] = ()
    regions: tuple[Region, ...] = ()
    fields: Mapping[str, Scalar] = Field(default_factory=dict)


class PromptAssessor(Protocol):
    """Scores texts. ``covers``: the categories that it can speak of in the best case."""

    @property
    def ref(self) -> AssessorRef: ...

    @property
    def covers(self) -> frozenset[str]: ...

    def assess(self, texts: Sequence[str]) -> list[Assessment]: ...


class ImageAssessor(Protocol):
    """Scores pictures. ``covers``: the categories whose visual content it can speak of."""

    @property
    def ref(self) -> AssessorRef: ...

    @property
    def covers(self) -> frozenset[str]: ...

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        """``files``: the bytes that ``images`` were decoded from, where they came in as files."""
        ...
