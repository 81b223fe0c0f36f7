"""An audit in the ledger: what each shard holds, and one event for the version of the data set.

A shard has two events: ``dataset.shard`` with its root and counts, which rides in the receipt of
every sample and so is short, and ``dataset.sketch``, which its digest in the first one names. The
version has a sketch as well, that of all shards merged.

Bodies hold roots, counts and digests, never a key, a caption or a subject. Ids are derived from the
bodies, so that recording the same audit twice changes nothing.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import rfc8785

from datasets_audit.report import AuditReport, LedgerReference
from datasets_audit.sketch import Sketch, merge
from provenance.ledger import Event, Ledger
from provenance.ledger.bundle import Bundle
from provenance.ledger.event import Json

SHARD_KIND: Final = "dataset.shard"
SKETCH_KIND: Final = "dataset.sketch"
VERSION_KIND: Final = "dataset.version"
STATEMENT_KIND: Final = "dataset.statement"


def report_digest(report: AuditReport) -> str:
    """SHA-256 (hex) of the report in canonical JSON (RFC 8785), without its place in a ledger."""
    given = report.model_dump(
        mode="json", exclude={"ledger": True, "shards": {"__all__": {"entry"}}}
    )
    return sha256(rfc8785.dumps(given)).hexdigest()


def record(report: AuditReport, sketches: Sequence[Sketch], ledger: Ledger) -> AuditReport:
    """Append the events of this audit; the report then says where they stand.

    ``sketches``: of the shards of the report, in their order. Raises LedgerUnavailable, and
    appends all events or none.
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
                "sketch": shard.sketch,
            },
        )
        for number, shard in enumerate(report.shards)
    ]
    whole = merge(sketches)
    summed = [
        _sketch_event(dataset, number, sketch)
        for number, sketch in [*enumerate(sketches), (None, whole)]
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
            "licences": licence_uses(report),
            "findings": {group.code: group.count for group in report.findings},
            "sketch": whole.digest(),
        },
    )
    entries = ledger.append([*shards, *summed, version])
    shard_entries = [entry.id for entry in entries[: len(shards)]]
    version_entry = entries[-1].id
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


def _sketch_event(dataset: Mapping[str, Json], shard: int | None, sketch: Sketch) -> Event:
    """``shard``: its number, None for the whole version."""
    body: dict[str, Json] = {"dataset": dataset, "shard": shard}
    return _event(SKETCH_KIND, body | {"sketch": sketch.model_dump(mode="json")})


def recorded_sketch(ledger: Ledger, root: str) -> Sketch | None:
    """The sketch of the whole version of that root as the ledger has it, None if it has none."""
    for entry in ledger.entries(kind=SKETCH_KIND, mentioning=root):
        match entry.body:
            case {"dataset": {"root": found}, "shard": None, "sketch": sketch} if found == root:
                return Sketch.model_validate(sketch)
    return None


def _event(kind: str, body: dict[str, Json]) -> Event:
    return Event(kind, body, f"{kind}:{sha256(rfc8785.dumps(body)).hexdigest()[:40]}")


def licence_uses(report: AuditReport) -> dict[str, int]:
    """Pictures by what their licence lets them be used for."""
    counts: dict[str, int] = {}
    for licence in report.licences:
        counts[licence.use.value] = counts.get(licence.use.value, 0) + licence.count
    return counts
