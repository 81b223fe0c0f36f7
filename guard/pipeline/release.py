"""The last arrows: mark, fingerprint, encode once, sign, record. Nothing leaves without receipts.

release = watermark -> fingerprint -> encode -> decision in the ledger -> credential -> ledger
deliver = the receipts of every obligation, or nothing

The entry of the delivery holds the hash of the credential, so the proof that the credential carries
is of an entry before it, the decision (docs/adr/0009).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.generation import CoreInfo
from guard.pipeline.observing import timed
from guard.pipeline.trail import Trail
from policies.decision import Obligation, PolicyRef, Scalar
from provenance.credential import (
    Attachments,
    Claims,
    DataSet,
    DigitalSourceType,
    Ingredient,
    RedactedArea,
    SoftBinding,
    SoftwareAgent,
    Stamper,
    sign,
    thumbnail,
)
from provenance.errors import WatermarkFailed
from provenance.fingerprint import Fingerprint, fingerprint
from provenance.home import Settings
from provenance.keys import Signer
from provenance.keys.trust import TrustAnchors
from provenance.ledger import Entry, Event, Ledger
from provenance.ledger.bundle import Bundle
from provenance.ledger.event import Json, canonical
from provenance.picture import MEDIA_TYPES, Format, Pixels, decode, encode
from provenance.record import CONTENT_ID_BYTES, Record
from provenance.watermark import Scheme

ENCODE_QUALITY = 95  # JPEG and WebP; the mark is read back after encoding
NOBODY = TrustAnchors()
DECISION = "decision"  # kind of the entry that a credential proves


@dataclass(frozen=True)
class Provenance:
    """The parts that mark, sign and record. ``stamper``: who says when it was signed, if anyone.
    ``trust``: who may vouch for the credentials of pictures that are sent in."""

    scheme: Scheme
    signer: Signer
    ledger: Ledger
    settings: Settings
    stamper: Stamper | None = None
    trust: TrustAnchors = NOBODY


@dataclass(frozen=True)
class Draft:
    """A picture that may pass, and what is known of it before release. ``ingredients``: what it was
    made from."""

    pixels: Pixels
    format: Format
    decision_id: str
    policy: PolicyRef
    obligations: frozenset[Obligation]
    core: CoreInfo
    created_at: datetime
    account: Mapping[str, Any]
    """What the ledger is told besides the record: decisions, assessors, settings."""
    payload: bytes
    """The content id, which the mark carries; the ledger records each only once."""
    ingredients: tuple[Ingredient, ...] = ()
    redacted: tuple[RedactedArea, ...] = ()


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


def content_payload(key: bytes, work: str, index: int) -> bytes:
    """The content id of picture ``index`` of ``work``: the same whenever that is drawn, and not to
    be guessed without ``key``, the one of the commitments."""
    message = f"wardmark-content/1\x00{work}\x00{index}".encode()
    return hmac.digest(key, message, "sha256")[:CONTENT_ID_BYTES]


def release(draft: Draft, trail: Trail, parts: Provenance) -> Released:
    """Mark, fingerprint, encode, sign and record ``draft`` as its obligations say.

    Raises ProvenanceUnavailable (or below) where a step cannot be done; nothing has left then.
    """
    due = draft.obligations
    payload = draft.payload
    content_id = payload.hex()
    media_type = MEDIA_TYPES[draft.format]

    pixels = draft.pixels
    if Obligation.WATERMARK in due:
        with timed("watermark"):
            pixels = parts.scheme.embed(pixels, payload)
        trail = trail.after("watermark", {"scheme": parts.scheme.name})
    with timed("fingerprint"):
        print_ = fingerprint(pixels)
    trail = trail.after("fingerprint", {"pdq": print_.pdq, "quality": print_.quality})
    with timed("encode"):
        data = encode(pixels, draft.format, quality=ENCODE_QUALITY)
        if Obligation.WATERMARK in due and draft.format != "png":
            _read_back(data, payload, parts.scheme)
    trail = trail.after("encode", {"media_type": media_type})
    store = b""
    decided = None
    if Obligation.CREDENTIAL in due:
        if Obligation.LEDGER in due:
            with timed("ledger"):
                decided = _record_decision(draft, content_id, print_, parts.ledger)
        with timed("credential"):
            signed = sign(
                data,
                media_type,
                _claims(draft, payload, parts),
                parts.signer,
                attached=Attachments(
                    thumbnail=thumbnail(pixels),
                    proof=_proof_of(decided, parts.ledger) if decided else None,
                    ingredients=draft.ingredients,
                ),
                stamper=parts.stamper,
            )
        data, store = signed.data, signed.store
        said: dict[str, Scalar] = {
            "store_sha256": hashlib.sha256(store).hexdigest(),
            "time_stamped": signed.time_stamped,
        }
        trail = trail.after("credential", said)
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
        known = {**draft.account, "steps": steps}
        if decided is not None:
            known["decision_entry"] = decided.id
        with timed("ledger"):
            entry = parts.ledger.record(record, known)
        trail = trail.after("ledger", {"entry": entry.id, "index": entry.index})
    return Released(data, media_type, content_id, sha256, due, trail, entry)


def deliver(released: Released) -> bytes:
    """The bytes to hand over. Raises ObligationUnmet where any receipt is missing."""
    released.trail.require(released.obligations)
    return released.data


def _record_decision(draft: Draft, content_id: str, print_: Fingerprint, ledger: Ledger) -> Entry:
    """Bind the decision to the picture before it is signed. The reasons themselves, under their
    hash here, stand in the entry of the delivery."""
    body: dict[str, Json] = {
        "decision_id": draft.decision_id,
        "content_id": content_id,
        "pdq": print_.pdq,
        "core_digest": draft.core.digest,
        "policy": draft.policy.model_dump(),
        "account_sha256": hashlib.sha256(canonical(dict(draft.account))).hexdigest(),
    }
    (entry,) = ledger.append([Event(kind=DECISION, body=body)])
    return entry


def _proof_of(entry: Entry, ledger: Ledger) -> Bundle:
    return Bundle.of(ledger.prove(entry.id), with_leaf=False)


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
    edited = bool(draft.ingredients)
    return Claims(
        title="Edited image" if edited else "Generated image",
        digital_source_type=DigitalSourceType.EDITED if edited else DigitalSourceType.GENERATED,
        content_id=payload.hex(),
        created_at=draft.created_at,
        agent=SoftwareAgent(
            name=core.name,
            version=core.version,
            digest=core.digest,
            data_sets=tuple(
                DataSet(name=known.name, digest=known.digest)
                for known in settings.data_sets
                if known.core == core.name
            ),
        ),
        provider=settings.provider,
        system=settings.system,
        system_version=settings.system_version,
        soft_binding=SoftBinding(alg=parts.scheme.alg, value=payload) if marked else None,
        policy=draft.policy,
        decision_id=draft.decision_id,
        ledger=parts.ledger.origin,
        redacted=draft.redacted,
    )
