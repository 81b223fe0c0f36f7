"""Files of every kind that carries a credential, and a reader that is not ours."""

import io
from typing import Any

import c2pa
import orjson
from PIL import Image

from provenance.credential.engine import context
from provenance.keys import TrustAnchors
from tests.credential.scenery import picture

KINDS = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/avif")


def file_of(media_type: str, seed: int = 0, size: int = 160, **options: Any) -> bytes:
    """A picture file as other software writes it."""
    buffer = io.BytesIO()
    Image.fromarray(picture(seed, size)).save(buffer, media_type.split("/")[1], **options)
    return buffer.getvalue()


def third_party(data: bytes, media_type: str, trust: TrustAnchors) -> tuple[str, dict[str, Any]]:
    """State and detailed report of c2pa-rs, which finds the store by itself."""
    with c2pa.Reader(media_type, io.BytesIO(data), context=context(trust)) as reader:
        report: dict[str, Any] = orjson.loads(reader.detailed_json())
        return reader.get_validation_state(), report


def active(report: dict[str, Any]) -> dict[str, Any]:
    """The active manifest of a report."""
    manifest: dict[str, Any] = report["manifests"][report["active_manifest"]]
    return manifest


def codes(report: dict[str, Any], kind: str) -> set[str]:
    """Codes of the active manifest: success, informational or failure."""
    return {item["code"] for item in report["validation_results"]["activeManifest"][kind]}
