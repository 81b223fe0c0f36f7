"""Pictures and claims for tests."""

from datetime import UTC, datetime

import cv2
import numpy as np

from policies.decision import PolicyRef
from provenance.credential import Claims, SoftBinding, SoftwareAgent
from provenance.picture import Format, Pixels, encode
from provenance.watermark import load_scheme

SCHEME = load_scheme("dwtDctSvd")


def picture(seed: int = 0, size: int = 320) -> Pixels:
    """Soft blobs with fine grain: enough detail for a fingerprint, enough texture for a mark."""
    noise = np.random.default_rng(seed)
    blobs = cv2.GaussianBlur(noise.normal(0, 1, (size, size, 3)), (0, 0), size / 24)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min()) * 170 + 40
    return np.clip(blobs + noise.normal(0, 3, blobs.shape), 0, 255).astype(np.uint8)


def encoded(seed: int = 0, kind: Format = "png") -> bytes:
    """``picture`` as a file."""
    return encode(picture(seed), kind)


def claims(content_id: str = "0123456789abcdef") -> Claims:
    """Claims of a picture made now."""
    return Claims(
        content_id=content_id,
        created_at=datetime.now(UTC),
        agent=SoftwareAgent(name="embedded", version="1", digest="0" * 64),
        provider="Example Pictures",
        system="Wardmark",
        system_version="0.1",
        soft_binding=SoftBinding(alg=SCHEME.alg, value=bytes.fromhex(content_id)),
        policy=PolicyRef(name="default", version="1", digest="1" * 64),
        decision_id="decision-1",
    )
