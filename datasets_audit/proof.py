"""Whether a report still says what its files say: roots, digests and figures, all made anew."""

from base64 import b64decode
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from datasets_audit.figures import load_report, recompute
from datasets_audit.recording import report_digest
from datasets_audit.report import AuditReport
from datasets_audit.sample import rows_root
from datasets_audit.shards import load_sketch_key, version_root
from datasets_audit.sketch import sketch
from datasets_audit.statement import FILE, check_statement
from provenance.errors import ProofInvalid
from provenance.ledger.bundle import Bundle
from provenance.ledger.note import Verifier, VerifierKey
from provenance.ledger.rotation import KeyHistory


class Discrepancy(NamedTuple):
    """Something that does not agree: what it is, as the report has it, and as it is now."""

    what: str
    reported: str
    found: str


def check_report(folder: Path, verifier: Verifier | None = None) -> list[Discrepancy]:
    """Everything in which the report in ``folder`` and the files beside it disagree.

    Empty if all holds: every file's digest, every shard's root and sketch, the version's root,
    every figure, and the digest that the ledger has. With ``verifier``, the public key of the
    ledger, also that the ledger has it, by the proof in the report, and that it signed the
    statement beside the report, where there is one.
    Raises SourceInvalid if there is no report.
    """
    report = load_report(folder)
    found = [*_files(report, folder)]
    if not any(one.found == "absent" for one in found):
        found += _roots(report, folder)
        found += [
            Discrepancy(answer.figure.id, str(answer.figure.value), str(answer.now))
            for answer in recompute(folder)
            if not answer.agrees
        ]
    if report.ledger and report_digest(report) != report.ledger.digest:
        found.append(Discrepancy("report.json", report.ledger.digest, report_digest(report)))
    if verifier is not None:
        found += _recorded(report, verifier)
        found += _stated(report, folder, verifier)
    return found


def _stated(report: AuditReport, folder: Path, verifier: Verifier) -> Iterator[Discrepancy]:
    """What is wrong with the signed statement, where there is one."""
    keys = verifier.keys if isinstance(verifier, KeyHistory) else (verifier,)
    try:
        if (folder / FILE).exists():
            check_statement(folder, report, [one for one in keys if isinstance(one, VerifierKey)])
    except ProofInvalid as error:
        yield Discrepancy(FILE, report.root, str(error))


def _recorded(report: AuditReport, verifier: Verifier) -> Iterator[Discrepancy]:
    said = report.ledger
    if said is None or said.proof is None:
        yield Discrepancy("ledger.proof", "none", "a report that was recorded has one")
        return
    try:
        bundle = Bundle.unpack(b64decode(said.proof))
        bundle.verify(verifier)
    except (ProofInvalid, ValueError) as error:
        yield Discrepancy("ledger.proof", said.version_entry, str(error))
        return
    proved = bundle.leaf.body.get("report") if bundle.leaf else None
    if proved != report_digest(report):
        yield Discrepancy("ledger.proof", report_digest(report), str(proved))


def changed_files(report: AuditReport, folder: Path) -> tuple[str, ...]:
    """Files beside the report in ``folder`` that are not what they were, by name."""
    return tuple(one.what for one in _files(report, folder))


def _files(report: AuditReport, folder: Path) -> list[Discrepancy]:
    found = []
    for name, reported in report.files.items():
        path = folder / name
        digest = "absent"
        if path.is_file():
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
        if digest != reported:
            found.append(Discrepancy(name, reported, digest))
    return found


def _roots(report: AuditReport, folder: Path) -> list[Discrepancy]:
    import pyarrow.parquet as pq

    found = []
    for shard in report.shards:
        rows = pq.read_table(folder / shard.file).to_pylist()
        root = rows_root(rows).hex()
        if root != shard.root:
            found.append(Discrepancy(f"root of {shard.file}", shard.root, root))
        if shard.sketch is not None:
            summed = sketch(rows, load_sketch_key(folder)).digest()
            if summed != shard.sketch:
                found.append(Discrepancy(f"sketch of {shard.file}", shard.sketch, summed))
    whole = version_root(report.shards).hex()
    if whole != report.root:
        found.append(Discrepancy("root of the version", report.root, whole))
    return found
