"""What a credential says of a picture that we made."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from policies.decision import Frozen, PolicyRef

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Names and versions: public words of a provider, never of a person."""


class DigitalSourceType(StrEnum):
    """How a picture came to be (IPTC NewsCodes, cv.iptc.org/newscodes/digitalsourcetype)."""

    GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


class DataSet(Frozen):
    """What a core was trained on. ``digest``: SHA-256 (hex), such as of its audited version."""

    name: Name
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class SoftwareAgent(Frozen):
    """The core that drew. ``digest``: SHA-256 (hex) of its weights."""

    name: Name
    version: Name
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    data_sets: tuple[DataSet, ...] = ()


class SoftBinding(Frozen):
    """How the picture is found again when the credential is gone.

    ``alg``: a name of the C2PA soft binding algorithm list, or a reverse-domain name of one's own.
    ``value``: what the mark carries.
    """

    alg: Name
    value: bytes = Field(max_length=256)


class RedactedArea(Frozen):
    """A part of the picture that was made unreadable before it left; pixels, from the top left."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class Claims(Frozen):
    """Everything that ``sign`` writes. It holds no personal data: in particular, no prompt.

    ``content_id``: 16 hex digits, shared with the mark and the record. ``created_at``: aware.
    ``title``: of the kind "Generated image". ``provider``, ``system`` and ``system_version`` are
    what California's SB 942 (B&P Code 22757.3) asks to be disclosed, together with time and
    content id. ``ledger``: origin line of the ledger in which the record will stand.
    """

    content_id: str = Field(pattern="^[0-9a-f]{16}$")
    title: Name = "Generated image"
    created_at: AwareDatetime
    digital_source_type: DigitalSourceType = DigitalSourceType.GENERATED
    agent: SoftwareAgent
    provider: Name
    system: Name
    system_version: Name
    soft_binding: SoftBinding | None
    policy: PolicyRef
    decision_id: Name
    ledger: Name | None = None
    redacted: tuple[RedactedArea, ...] = ()
