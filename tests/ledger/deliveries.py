"""Records of deliveries that never were."""

from datetime import UTC, datetime

from policies.decision import PolicyRef
from provenance.record import Record


def a_record(number: int = 1, **changes: object) -> Record:
    """A record that differs with ``number`` in content id, SHA-256 and fingerprint."""
    fields: dict[str, object] = {
        "content_id": f"{number:016x}",
        "decision_id": f"decision-{number}",
        "created_at": datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        "media_type": "image/png",
        "width": 512,
        "height": 512,
        "sha256": f"{number:064x}",
        "pdq": f"{(1 << number) - 1:064x}",  # ``number`` bits from the all-zero hash
        "pdq_quality": 80,
        "watermark_scheme": "dwtDctSvd",
        "credential": b"a manifest store",
        "core": "embedded",
        "core_digest": "ab" * 32,
        "policy": PolicyRef(name="default", version="1", digest="cd" * 32),
    }
    return Record.model_validate(fields | changes)
