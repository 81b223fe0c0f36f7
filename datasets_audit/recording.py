"""An audit in the ledger: one event for each shard, one for the version of the data set.

Bodies hold roots, counts and digests, never a key, a caption or a subject. Ids are derived from the
bodies, so that recording the same audit twice changes nothing.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import rfc8785

from datasets_audit.report import AuditReport, LedgerReference
from provenance.ledger import Event, Ledger
from provenance.ledger.bundle import Bundle
from provenance.ledger.event import Json

SHARD_KIND: Final = "dataset.shard"
VERSION_KIND: Final = "dataset.version"


def report_digest(report: AuditReport) -> str:
    """SHA-256 (hex) of the report in canonical JSON (RFC 8785), without its place in a ledger."""
    given = report.model_dump(
        mode="json", exclude={"ledger": True, "shards": {"__all__": {"entry"}}}
    )
    return sha256(rfc8785.dumps(given)).hexdigest()


def record(report: AuditReport, ledger: Ledger) -> AuditReport:
    """Append the events of this audit; the report then says where they stand.

    Raises LedgerUnavailable, and appends all events or none.
    """
    dataset: Mapping[str, Json] = {"name": report.name, "root": report.root}
    shards = [
        _event(
            SHARD_KIND,
            {
                "dataset": dataset,
                "shard": number,
                "samples": shard.samples,
                "bytes": shard.bytes,
                "root": shard.root,
            },
        )
        for number, shard in enumerate(report.shards)
    ]
    digest = report_digest(report)
    version = _event(
        VERSION_KIND,
        {
            "dataset": dataset,
            "report": digest,
            "as_of": report.as_of.isoformat(),
            "shards": len(report.shards),
            "samples": report.source.pictures,
            "bytes": report.source.bytes,
            "consent": {count.state.value: count.count for count in report.consent},
            "licences": _by_use(report),
            "findings": {group.code: group.count for group in report.findings},
        },
    )
    entries = ledger.append([*shards, version])
    *shard_entries, version_entry = [entry.id for entry in entries]
    placed = [
        shard.model_copy(update={"entry": entry})
        for shard, entry in zip(report.shards, shard_entries, strict=True)
    ]
    proof = ledger.prove(version_entry)
    reference = LedgerReference(
        version_entry=version_entry,
        shard_entries=tuple(shard_entries),
        digest=digest,
        checkpoint=proof.checkpoint,
        proof=b64encode(Bundle.of(proof).pack()).decode(),
    )
    return report.model_copy(update={"shards": tuple(placed), "ledger": reference})


def _event(kind: str, body: dict[str, Json]) -> Event:
    return Event(kind, body, f"{kind}:{sha256(rfc8785.dumps(body)).hexdigest()[:40]}")


def _by_use(report: AuditReport) -> dict[str, Json]:
    counts: dict[str, int] = {}
    for licence in report.licences:
        counts[licence.use] = counts.get(licence.use, 0) + licence.count
    return dict(counts)
