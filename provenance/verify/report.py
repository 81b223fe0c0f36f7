"""The answer of ``verify``: the JSON that INTERFACES promises."""

from enum import StrEnum

from pydantic import Field

from policies.decision import Frozen
from provenance.credential.credential import Credential, Disclosures, State, Step
from provenance.watermark import Geometry


class Verdict(StrEnum):
    """How sure we are of where a picture comes from.

    established: an intact credential of a trusted signer, and no layer contradicts it.
    recovered: no usable credential in the file, but mark or fingerprint lead to a record whose
    stored credential is trusted and whose fingerprint agrees. unconfirmed: some signal, tied to
    nothing. contradicted: evidence of tampering, swap, copy or laundering. none: no signal found,
    which says nothing on whether the picture is AI-made.
    """

    ESTABLISHED = "established"
    RECOVERED = "recovered"
    UNCONFIRMED = "unconfirmed"
    CONTRADICTED = "contradicted"
    NONE = "none"

    @property
    def answers(self) -> bool:
        """True where the origin is known: what exit code 0 stands for."""
        return self in (Verdict.ESTABLISHED, Verdict.RECOVERED)


class Origin(StrEnum):
    """How the picture came to be, as far as the verdict establishes or recovers it."""

    AI_GENERATED = "ai-generated"
    AI_EDITED = "ai-edited"
    CAPTURED = "captured"
    COMPOSITE = "composite"
    UNKNOWN = "unknown"


class Inclusion(StrEnum):
    """Whether the record is proved to stand in the signed ledger."""

    PROVED = "proved"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


class WatermarkReport(Frozen):
    """``payload``: hex digits. ``false_positive_probability``: 0..1, of a picture without a mark
    looking as marked as this one. ``known_as``: software that writes this fixed mark."""

    found: bool
    scheme: str | None = None
    payload: str | None = None
    false_positive_probability: float | None = Field(default=None, ge=0, le=1)
    geometry: Geometry | None = None
    known_as: str | None = None


class Match(Frozen):
    """``record``: a content id. ``distance``: 0..256 bits. ``false_positive_probability``: 0..1,
    of an unrelated picture being this near to one of the records searched."""

    record: str
    distance: int = Field(ge=0, le=256)
    false_positive_probability: float = Field(ge=0, le=1)


class FingerprintReport(Frozen):
    """``pdq``: 64 hex digits, None of a film. ``quality``: 0..100; below 50 a match says little."""

    pdq: str | None
    quality: int
    match: Match | None = None


class RecordReport(Frozen):
    """``id``: content id. ``checkpoint``: the signed note that the proof rests on."""

    found: bool
    id: str | None = None
    inclusion: Inclusion = Inclusion.UNAVAILABLE
    checkpoint: str | None = None


class ResolutionReport(Frozen):
    """A credential that a resolver keeps for this picture. ``state``: of that credential.
    ``distance``: 0..256 bits to the picture that it carries of itself, None where it carries none.
    ``false_positive_probability``: 0..1, of an unrelated picture coming as far."""

    resolver: str
    manifest: str
    state: State
    distance: int | None = Field(default=None, ge=0, le=256)
    similarity: int | None = None
    false_positive_probability: float = Field(ge=0, le=1)


class Agreement(Frozen):
    """Two layers compared. ``name``: of the disagreement, None where they agree. ``contradicts``:
    it is evidence against the picture's story, not merely something missing."""

    between: tuple[str, str]
    holds: bool
    detail: str
    name: str | None = None
    contradicts: bool = False


def holds(between: tuple[str, str], detail: str) -> Agreement:
    """Two layers agree."""
    return Agreement(between=between, holds=True, detail=detail)


def differs(
    between: tuple[str, str], name: str, detail: str, *, contradicts: bool = False
) -> Agreement:
    """Two layers do not agree, and that has a name."""
    return Agreement(
        between=between, holds=False, detail=detail, name=name, contradicts=contradicts
    )


class LineStatus(StrEnum):
    """What one file can show of a line of law. Never "compliant"."""

    PASS = "pass"  # noqa: S105 (a verdict on a line, no password)
    FAIL = "fail"
    NOT_ASSESSED = "not-assessed"


class LegalLine(Frozen):
    """``line``: EU-, CA- or CN- and a number, see docs/verify.md."""

    line: str
    status: LineStatus
    because: str


class Report(Frozen):
    """Everything found of one file. ``file``: as named by the caller; ``sha256``: of its bytes.
    ``to_establish``: what would have to be there for the verdict to be established, in sentences;
    empty where it is. ``resolution``: what resolvers keep, where some were asked. ``history``: how
    the picture came to be, from the credential that the verdict rests on; None where it rests on
    none."""

    file: str
    media_type: str
    sha256: str
    verdict: Verdict
    origin: Origin
    summary: str
    credential: Credential
    watermark: WatermarkReport
    fingerprint: FingerprintReport
    record: RecordReport
    agreement: tuple[Agreement, ...]
    disclosures: Disclosures
    legal: tuple[LegalLine, ...]
    to_establish: tuple[str, ...] = ()
    resolution: tuple[ResolutionReport, ...] = ()
    history: Step | None = None
