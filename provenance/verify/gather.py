"""Ask every layer what it knows of a file: all input and output of ``verify`` is here."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from provenance.credential.container import find_store, holds_stores
from provenance.credential.credential import Credential, Integrity
from provenance.credential.read import check_store, portrait, read
from provenance.errors import (
    AddressRefused,
    FetchFailed,
    LedgerCorrupt,
    LedgerEntryNotFound,
    LedgerKeyInvalid,
    PictureInvalid,
    PictureTooLarge,
    ProofInvalid,
)
from provenance.fingerprint import (
    MATCH_DISTANCE,
    MIN_QUALITY,
    VARIANTS,
    Fingerprint,
    dihedral,
    distance,
    false_positive_probability,
    fingerprint,
)
from provenance.ledger import verify_inclusion
from provenance.ledger.records import described
from provenance.picture import Picture, Pixels, decode
from provenance.record import CONTENT_ID_BYTES, Record
from provenance.verify.carried import carried_proof
from provenance.verify.findings import Candidate, Findings, Likeness, Mark, Resolved
from provenance.verify.report import Inclusion
from provenance.verify.resolver import Lead, SoftBindingValue, resolve
from provenance.verify.sources import RecordSource, Sources
from provenance.watermark import Scheme

MAX_PORTRAIT_BYTES = 4 * 1024 * 1024  # a thumbnail takes tens of KB

SEARCH_PIXELS = 2048 * 2048
"""Of a larger picture, marks are searched in a copy of this size: a search takes half a second for
four megapixels (benchmarks/hostile.py)."""

RESOLVER_SIZE = 1_000_000
"""Pictures among which a resolver is taken to have searched by looks: it does not say how many."""


class Proved(NamedTuple):
    """Whether a record stands in the ledger, and the signed note that says so."""

    inclusion: Inclusion
    checkpoint: str | None = None


def gather(
    data: bytes, picture: Picture | None, sources: Sources, at: datetime | None, *, use_ledger: bool
) -> Findings:
    """Findings of every layer on one file. Raises LedgerUnavailable when the ledger cannot be
    asked: an outage is not an answer. ``picture``: None of a film, which has its credential only.
    """
    ledger = sources.ledger if use_ledger else None
    credential = read(data, sources.trust, at, sources.revocation)
    if picture is None:
        carried = carried_proof(credential, None, sources, ledger)
        return Findings(credential, mark=None, fingerprint=None, carried_proof=carried)
    mark = _read_mark(_searchable(picture.pixels), sources, ledger)
    variants = dihedral(picture.pixels)
    algs = frozenset(scheme.alg for scheme in sources.schemes)
    alone = Findings(
        credential=credential,
        mark=mark,
        fingerprint=variants[0],
        algs_tried=algs,
        searched_smaller=picture.pixels.shape[0] * picture.pixels.shape[1] > SEARCH_PIXELS,
        self_portrait=_self_portrait(credential, data, picture.media_type, variants),
    )
    if not credential.proves:
        alone = _ask_resolvers(alone, data, picture.media_type, variants, sources)
    if ledger is None:
        return replace(alone, carried_proof=carried_proof(credential, None, sources, None))
    look = _Look(data, picture.media_type, variants, ledger, sources, at)
    by_file = look.at(ledger.record_by_sha256(hashlib.sha256(data).hexdigest()))
    by_mark = look.at(_record_of_mark(mark, ledger))
    stated = credential.content_id
    by_credential = look.at(ledger.record_by_content_id(stated)) if stated else None
    named = [c for c in (by_file, by_mark, by_credential) if c is not None]
    by_fingerprint = None if any(c.agrees for c in named) else look.nearest()
    return replace(
        alone,
        ledger_asked=True,
        carried_proof=carried_proof(
            credential, by_credential.record if by_credential else None, sources, ledger
        ),
        by_file=by_file,
        by_mark=by_mark,
        by_credential=by_credential,
        by_fingerprint=by_fingerprint,
    )


def _self_portrait(
    credential: Credential, data: bytes, kind: str, variants: tuple[Fingerprint, ...]
) -> Likeness | None:
    """The picture held against the one that its own credential carries, where that is broken."""
    if credential.integrity is not Integrity.BROKEN or not holds_stores(kind):
        return None
    embedded = find_store(data, kind)
    return _likeness(portrait(embedded.store), variants) if embedded else None


def _likeness(other: bytes | None, variants: tuple[Fingerprint, ...]) -> Likeness | None:
    """``other``: an encoded picture that a stranger gave; None where it cannot be decoded."""
    if other is None or len(other) > MAX_PORTRAIT_BYTES:
        return None
    try:
        seen = fingerprint(decode(other).pixels)
    except (PictureInvalid, PictureTooLarge):
        return None
    return Likeness(
        distance=min(distance(variant, seen) for variant in variants),
        comparable=variants[0].usable and seen.usable,
    )


def _ask_resolvers(
    alone: Findings,
    data: bytes,
    media_type: str,
    variants: tuple[Fingerprint, ...],
    sources: Sources,
) -> Findings:
    mark = alone.mark
    bindings = [SoftBindingValue(mark.alg, mark.detection.payload)] if mark else []
    resolved: list[Resolved] = []
    unresolved: list[str] = []
    for resolver in sources.resolvers:
        try:
            leads = resolve(resolver, bindings, data, media_type)
        except (AddressRefused, FetchFailed):
            unresolved.append(resolver.host)
            continue
        resolved += [_kept(resolver.host, lead, variants, sources) for lead in leads]
    return replace(alone, resolved=tuple(resolved), unresolved=tuple(unresolved))


def _kept(host: str, lead: Lead, variants: tuple[Fingerprint, ...], sources: Sources) -> Resolved:
    stored = check_store(lead.store, sources.trust)
    likeness = _likeness(portrait(lead.store), variants)
    stated = {(b.alg, b.value) for b in stored.contents.soft_bindings} if stored.contents else set()
    bound = lead.binding is not None and (lead.binding.alg, lead.binding.value.hex()) in stated
    searched = len(variants) * (1 if bound else RESOLVER_SIZE)
    return Resolved(
        resolver=host,
        manifest=lead.manifest,
        stored=stored,
        likeness=likeness,
        bound=bound,
        chance=false_positive_probability(likeness.distance, comparisons=searched)
        if likeness
        else 1.0,
        similarity=lead.similarity,
    )


def _searchable(pixels: Pixels) -> Pixels:
    """The picture, or of a very large one a smaller copy: how long a file can hold us up must not
    depend on whoever made it, and the answer not on how busy this machine is."""
    height, width = pixels.shape[:2]
    if height * width <= SEARCH_PIXELS:
        return pixels
    import cv2

    scale = (SEARCH_PIXELS / (height * width)) ** 0.5
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _read_mark(pixels: Pixels, sources: Sources, ledger: RecordSource | None) -> Mark | None:
    """The mark that leads to a record, else the one least likely to be chance."""
    marks = _marks(pixels, sources.schemes) or _marks(pixels, sources.last_resort)
    recorded = [mark for mark in marks if ledger and _record_of_mark(mark, ledger)]
    return min(
        recorded or marks,
        key=lambda mark: mark.detection.false_positive_probability,
        default=None,
    )


def _marks(pixels: Pixels, schemes: Sequence[Scheme]) -> list[Mark]:
    return [
        Mark(detection, scheme.alg)
        for scheme in schemes
        if (detection := scheme.detect(pixels)) is not None
    ]


def _record_of_mark(mark: Mark | None, ledger: RecordSource) -> Record | None:
    if mark is None or len(mark.detection.payload) != CONTENT_ID_BYTES:
        return None
    return ledger.record_by_content_id(mark.payload)


class _Look:
    """Holds one file against records of one ledger; each record is judged once."""

    def __init__(
        self,
        data: bytes,
        media_type: str,
        variants: tuple[Fingerprint, ...],
        ledger: RecordSource,
        sources: Sources,
        at: datetime | None,
    ) -> None:
        embedded = find_store(data, media_type) if holds_stores(media_type) else None
        self.store = embedded.store if embedded else None
        self.variants = variants
        self.ledger = ledger
        self.sources = sources
        self.at_time = at
        self.seen: dict[str, Candidate] = {}

    def at(self, record: Record | None, searched: int = VARIANTS) -> Candidate | None:
        """``record`` as a candidate; ``searched`` counts the comparisons it was found among."""
        if record is None:
            return None
        if record.content_id not in self.seen:
            self.seen[record.content_id] = self._judge(record, searched)
        return self.seen[record.content_id]

    def nearest(self) -> Candidate | None:
        """The record with the nearest fingerprint, if this picture has one that can be searched.

        Turned and mirrored copies are looked for, by the 7 other positions, only where the picture
        as it stands is not found: each further search makes a chance match likelier.
        """
        if not self.variants[0].usable:
            return None
        records = self.ledger.fingerprint_count()
        upright, turned = self.variants[:1], self.variants[1:]
        for positions, searched in ((upright, records), (turned, records * len(self.variants))):
            found = [self.ledger.nearest_record(v.pdq, MATCH_DISTANCE) for v in positions]
            near = min((hit for hit in found if hit), key=lambda hit: hit[1], default=None)
            if near is not None and near[0].pdq_quality >= MIN_QUALITY:
                return self.at(near[0], searched)
        return None

    def _judge(self, record: Record, searched: int) -> Candidate:
        apart = min(distance(variant, record.pdq) for variant in self.variants)
        proved = _prove(record, self.ledger)
        # What stands in the ledger was signed by then: the ledger vouches for the time.
        signed_by = record.created_at if proved.inclusion is Inclusion.PROVED else self.at_time
        return Candidate(
            record=record,
            distance=apart,
            comparable=self.variants[0].usable and record.pdq_quality >= MIN_QUALITY,
            chance=false_positive_probability(apart, comparisons=searched),
            stored=check_store(record.credential, self.sources.trust, signed_by),
            same_store=record.credential == self.store,
            inclusion=proved.inclusion,
            checkpoint=proved.checkpoint,
        )


def _prove(record: Record, ledger: RecordSource) -> Proved:
    """Whether the signed ledger holds this very record: its entry, and in it the record's fields
    and the digest of its credential."""
    try:
        verifier = ledger.verifier
        proof = ledger.prove(record.content_id)
        checkpoint = verify_inclusion(proof, verifier)
    except LedgerKeyInvalid:
        return Proved(Inclusion.UNAVAILABLE)
    except (LedgerEntryNotFound, LedgerCorrupt, ProofInvalid):
        return Proved(Inclusion.FAILED)
    same = proof.leaf.body.get("record") == described(record)
    return Proved(Inclusion.PROVED if same else Inclusion.FAILED, checkpoint.note)
