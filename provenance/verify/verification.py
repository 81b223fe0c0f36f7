"""One file in, one report out."""

import hashlib
from datetime import datetime
from pathlib import Path

from provenance.credential.container import VIDEO, kind_of
from provenance.credential.credential import Contents, Disclosures
from provenance.picture import decode, read_file
from provenance.verify import legal, rules
from provenance.verify.findings import Candidate, Findings, Resolved
from provenance.verify.gather import gather
from provenance.verify.remedy import remedies
from provenance.verify.report import (
    FingerprintReport,
    Match,
    RecordReport,
    Report,
    ResolutionReport,
    Verdict,
    WatermarkReport,
)
from provenance.verify.sources import Sources
from provenance.verify.summary import summarise


def verify(
    picture: Path | str | bytes,
    *,
    sources: Sources | None = None,
    at: datetime | None = None,
    use_ledger: bool = True,
) -> Report:
    """Where does this picture come from, and how sure are we?

    ``picture``: a path, or the bytes of a file; of a film (MP4) the credential alone is looked at.
    ``sources``: whom to believe and where to look (``Home.sources``); without, no signer is trusted
    and no record is known. ``at`` (aware, default now): the moment at which certificates must be
    valid. The network is asked only where ``sources`` names resolvers.

    Raises PictureInvalid or PictureTooLarge when the picture cannot be read, and LedgerUnavailable
    when the ledger cannot be asked; whatever a readable picture carries, the answer is a Report.
    """
    data = picture if isinstance(picture, bytes) else read_file(Path(picture))
    kind = kind_of(data)
    decoded = None if kind == VIDEO else decode(data)
    findings = gather(data, decoded, sources or Sources(), at, use_ledger=use_ledger)
    said = rules.agreements(findings)
    verdict = rules.verdict(findings, said)
    believed = _believed(findings, verdict)
    origin = rules.origin(believed)
    return Report(
        file="" if isinstance(picture, bytes) else str(picture),
        media_type=kind,
        sha256=hashlib.sha256(data).hexdigest(),
        verdict=verdict,
        origin=origin,
        summary=summarise(findings, said, verdict, origin),
        credential=findings.credential,
        watermark=_watermark(findings),
        fingerprint=_fingerprint(findings),
        record=_record(findings.candidate),
        agreement=said,
        disclosures=believed.disclosures if believed else Disclosures(),
        legal=legal.lines(findings, origin, data),
        to_establish=remedies(findings, said, verdict),
        resolution=tuple(map(_resolution, findings.resolved)),
        history=believed.lineage if believed else None,
    )


def _believed(findings: Findings, verdict: Verdict) -> Contents | None:
    """The statements that the verdict stands for: of no others is anything repeated as fact."""
    if verdict is Verdict.ESTABLISHED:
        return findings.credential.contents
    if verdict is Verdict.RECOVERED:
        stored = rules.recovered_from(findings)
        return stored.contents if stored else None
    return None


def _resolution(found: Resolved) -> ResolutionReport:
    return ResolutionReport(
        resolver=found.resolver,
        manifest=found.manifest,
        state=found.stored.state,
        distance=found.likeness.distance if found.likeness else None,
        similarity=found.similarity,
        false_positive_probability=found.chance,
    )


def _watermark(findings: Findings) -> WatermarkReport:
    if findings.mark is None:
        return WatermarkReport(found=False)
    detection = findings.mark.detection
    return WatermarkReport(
        found=True,
        scheme=detection.scheme,
        payload=findings.mark.payload,
        false_positive_probability=detection.false_positive_probability,
        geometry=detection.geometry,
        known_as=detection.known_as,
    )


def _fingerprint(findings: Findings) -> FingerprintReport:
    candidate = findings.candidate
    match = None
    if candidate is not None and candidate.agrees:
        match = Match(
            record=candidate.record.content_id,
            distance=candidate.distance,
            false_positive_probability=candidate.chance,
        )
    seen = findings.fingerprint
    if seen is None:
        return FingerprintReport(pdq=None, quality=0)
    return FingerprintReport(pdq=seen.pdq, quality=seen.quality, match=match)


def _record(candidate: Candidate | None) -> RecordReport:
    if candidate is None:
        return RecordReport(found=False)
    return RecordReport(
        found=True,
        id=candidate.record.content_id,
        inclusion=candidate.inclusion,
        checkpoint=candidate.checkpoint,
    )
