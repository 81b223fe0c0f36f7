"""The last arrows: mark, fingerprint, encode once, sign, record. Nothing leaves without receipts.

release = watermark -> fingerprint -> encode -> credential -> ledger
deliver = the receipts of every obligation, or nothing
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.generation import CoreInfo
from guard.pipeline.trail import Trail
from policies.decision import Obligation, PolicyRef
from provenance.credential import Claims, SoftBinding, SoftwareAgent, sign
from provenance.errors import WatermarkFailed
from provenance.fingerprint import fingerprint
from provenance.home import Settings
from provenance.keys import Signer
from provenance.ledger import Entry, Ledger
from provenance.picture import MEDIA_TYPES, Format, Pixels, decode, encode
from provenance.record import CONTENT_ID_BYTES, Record
from provenance.watermark import Scheme

ENCODE_QUALITY = 95  # JPEG and WebP; the mark is read back after encoding


@dataclass(frozen=True)
class Provenance:
    """The parts that mark, sign and record."""

    scheme: Scheme
    signer: Signer
    ledger: Ledger
    settings: Settings


@dataclass(frozen=True)
class Draft:
    """A picture that may pass, and what is known of it before release."""

    pixels: Pixels
    format: Format
    decision_id: str
    policy: PolicyRef
    obligations: frozenset[Obligation]
    core: CoreInfo
    created_at: datetime
    account: Mapping[str, Any]
    """What the ledger is told besides the record: decisions, assessors, settings."""


@dataclass(frozen=True)
class Released:
    """A whole file, its record where one is due, and the receipts of its way."""

    data: bytes
    media_type: str
    content_id: str
    sha256: str
    obligations: frozenset[Obligation]
    trail: Trail
    entry: Entry | None


def release(draft: Draft, trail: Trail, parts: Provenance) -> Released:
    """Mark, fingerprint, encode, sign and record ``draft`` as its obligations say.

    Raises ProvenanceUnavailable (or below) where a step cannot be done; nothing has left then.
    """
    due = draft.obligations
    payload = secrets.token_bytes(CONTENT_ID_BYTES)
    content_id = payload.hex()
    media_type = MEDIA_TYPES[draft.format]

    pixels = draft.pixels
    if Obligation.WATERMARK in due:
        pixels = parts.scheme.embed(pixels, payload)
        trail = trail.after("watermark", {"scheme": parts.scheme.name})
    print_ = fingerprint(pixels)
    trail = trail.after("fingerprint", {"pdq": print_.pdq, "quality": print_.quality})
    data = encode(pixels, draft.format, quality=ENCODE_QUALITY)
    if Obligation.WATERMARK in due and draft.format != "png":
        _read_back(data, payload, parts.scheme)
    trail = trail.after("encode", {"media_type": media_type})
    store = b""
    if Obligation.CREDENTIAL in due:
        signed = sign(data, media_type, _claims(draft, payload, parts), parts.signer)
        data, store = signed.data, signed.store
        trail = trail.after("credential", {"store_sha256": hashlib.sha256(store).hexdigest()})
    sha256 = hashlib.sha256(data).hexdigest()

    entry = None
    if Obligation.LEDGER in due:
        height, width = pixels.shape[:2]
        record = Record(
            content_id=content_id,
            decision_id=draft.decision_id,
            created_at=draft.created_at,
            media_type=media_type,
            width=width,
            height=height,
            sha256=sha256,
            pdq=print_.pdq,
            pdq_quality=print_.quality,
            watermark_scheme=parts.scheme.name if Obligation.WATERMARK in due else "",
            credential=store,
            core=draft.core.name,
            core_digest=draft.core.digest,
            policy=draft.policy,
        )
        steps = {"ran": list(trail.ran), "not_run": [s for s in trail.not_run if s != "ledger"]}
        entry = parts.ledger.record(record, {**draft.account, "steps": steps})
        trail = trail.after("ledger", {"entry": entry.id, "index": entry.index})
    return Released(data, media_type, content_id, sha256, due, trail, entry)


def deliver(released: Released) -> bytes:
    """The bytes to hand over. Raises ObligationUnmet where any receipt is missing."""
    released.trail.require(released.obligations)
    return released.data


def _read_back(data: bytes, payload: bytes, scheme: Scheme) -> None:
    """A lossy encoding can damage a mark; a picture whose mark is gone is not marked."""
    found = scheme.detect(decode(data).pixels)
    if found is None or found.payload != payload:
        raise WatermarkFailed(
            f"the {scheme.name} mark did not survive the encoding; ask for PNG, or another size"
        )


def _claims(draft: Draft, payload: bytes, parts: Provenance) -> Claims:
    marked = Obligation.WATERMARK in draft.obligations
    settings, core = parts.settings, draft.core
    return Claims(
        content_id=payload.hex(),
        created_at=draft.created_at,
        agent=SoftwareAgent(name=core.name, version=core.version, digest=core.digest),
        provider=settings.provider,
        system=settings.system,
        system_version=settings.system_version,
        soft_binding=SoftBinding(alg=parts.scheme.alg, value=payload) if marked else None,
        policy=draft.policy,
        decision_id=draft.decision_id,
        ledger=parts.ledger.origin,
    )
