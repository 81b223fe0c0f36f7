"""A signed statement of a version of a data set: in-toto Statement v1 in a DSSE envelope.

The subjects are the files of sample rows, each with the SHA-256 of the file and the RFC 6962 root
over its rows, and the data set with the root over these; the predicate says what the audit found.
Whoever has the ledger's public key can check it without the ledger (``wardmark audit-verify``).
Sources: in-toto attestation framework 1.0; the layout of resources follows OpenSSF model signing.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
import rfc8785

from datasets_audit.dsse import Envelope, load_envelope, opened, seal
from datasets_audit.recording import STATEMENT_KIND, licence_uses, report_digest
from datasets_audit.report import AuditReport
from provenance.errors import ProofInvalid
from provenance.ledger import Event, Ledger, LedgerKey, VerifierKey
from provenance.ledger.event import Json

FILE: Final = "statement.intoto.json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://wardmark.org/dataset-audit/v1"
ROOT: Final = "rfc6962Sha256"  # of a DigestSet: names of its own are allowed beside sha256


def statement(report: AuditReport) -> dict[str, Any]:
    """What is signed of ``report``."""
    shards = [
        {"name": shard.file, "digest": {"sha256": report.files[shard.file], ROOT: shard.root}}
        for shard in report.shards
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": report.name, "digest": {ROOT: report.root}}, *shards],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "report": report_digest(report),
            "asOf": report.as_of.isoformat(),
            "use": report.use.value if report.use else None,
            "samples": report.source.pictures,
            "consent": {count.state.value: count.count for count in report.consent},
            "licences": licence_uses(report),
            "findings": {group.code: group.count for group in report.findings},
        },
    }


def write_statement(report: AuditReport, folder: Path, key: LedgerKey, ledger: Ledger) -> Envelope:
    """Sign the statement, write it into ``folder`` and record its digest. The same report and key
    give the same bytes. Raises LedgerUnavailable."""
    envelope = seal(PAYLOAD_TYPE, bytes(rfc8785.dumps(statement(report))), key)
    data = orjson.dumps(envelope.model_dump(by_alias=True), option=orjson.OPT_INDENT_2) + b"\n"
    (folder / FILE).write_bytes(data)
    body: dict[str, Json] = {
        "dataset": {"name": report.name, "root": report.root},
        "report": report_digest(report),
        "statement": sha256(data).hexdigest(),
    }
    name = sha256(rfc8785.dumps(body)).hexdigest()[:40]
    ledger.append([Event(STATEMENT_KIND, body, f"{STATEMENT_KIND}:{name}")])
    return envelope


def check_statement(folder: Path, report: AuditReport, keys: Iterable[VerifierKey]) -> None:
    """Check that one of ``keys`` signed the statement in ``folder``, and that it is of ``report``.

    Raises ProofInvalid.
    """
    signed = opened(load_envelope(folder / FILE), PAYLOAD_TYPE, keys)
    if signed != rfc8785.dumps(statement(report)):
        raise ProofInvalid("The signed statement is of another report than this one.")
