"""What the ledger knows of one delivered picture."""

from pydantic import AwareDatetime, Field

from policies.decision import Frozen, PolicyRef

CONTENT_ID_BYTES = 8  # the payload of the mark: 64 bits


class Record(Frozen):
    """One delivered picture. All three layers of provenance lead here by ``content_id``.

    ``content_id``: 16 hex digits, the payload of the mark. ``sha256``: of the delivered file.
    ``pdq``: 64 hex digits, of the marked pixels; ``pdq_quality``: 0..100.
    ``credential``: the C2PA manifest store, kept so that a stripped copy can be recovered.
    """

    content_id: str = Field(pattern="^[0-9a-f]{16}$")
    decision_id: str
    created_at: AwareDatetime
    media_type: str
    width: int
    height: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    pdq: str = Field(pattern="^[0-9a-f]{64}$")
    pdq_quality: int = Field(ge=0, le=100)
    watermark_scheme: str
    credential: bytes
    core: str
    core_digest: str
    policy: PolicyRef
