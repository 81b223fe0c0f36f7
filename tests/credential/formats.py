"""Files of every kind that carries a credential, and a reader that is not ours."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import c2pa
import cv2
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


def film_of(seeds: Sequence[int] = (0, 1, 2), size: int = 160) -> bytes:
    """An MP4 film of some pictures, as OpenCV writes it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 5, (size, size))
        for seed in seeds:
            writer.write(picture(seed, size))
        writer.release()
        return file.read_bytes()


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
