"""Records of pictures that were never drawn, for ledgers that must hold deliveries."""

from datetime import UTC, datetime
from hashlib import sha256

from policies.decision import PolicyRef
from provenance.record import Record


def delivered(number: int, core: str = "scenes") -> Record:
    """The record of picture ``number``, which ``core`` drew."""
    return Record(
        content_id=f"{number:016x}", decision_id=f"d-{number}", created_at=datetime.now(UTC),
        media_type="image/png", width=8, height=8, sha256=sha256(b"%d" % number).hexdigest(),
        pdq="0" * 64, pdq_quality=50, watermark_scheme="lattice", credential=b"store", core=core,
        core_digest=sha256(core.encode()).hexdigest(),
        policy=PolicyRef(name="default", version="1", digest="0" * 64),
    )  # fmt: skip
