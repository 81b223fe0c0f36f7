"""What one file can show of the lines of law on marking AI pictures. A pure table.

Sources, with the numbering of docs/verify.md: EU AI Act art. 50(2) with the Code of Practice on
marking (2026), California SB 942 as amended by AB 853 (B&P Code 22757.2 and 22757.3), China's
Measures for labelling with GB 45438-2025. Nothing here is legal advice, and "pass" is said of the
file, not of its maker.

The lines bind makers of AI pictures. So where nothing that is believed says that a picture is one,
every line is not assessed: a photograph does not fail them.
"""

from collections.abc import Callable
from typing import NamedTuple

from provenance.credential.credential import Integrity, State
from provenance.credential.writer.containers import xmp_of
from provenance.credential.xmp import aigc_label
from provenance.verify.findings import Findings
from provenance.verify.report import LegalLine, LineStatus, Origin

AIGC_FIELDS = ("Label", "ContentProducer", "ProduceID")  # GB 45438-2025; the others may be empty

PASS, FAIL, NOT_ASSESSED = LineStatus.PASS, LineStatus.FAIL, LineStatus.NOT_ASSESSED


class Said(NamedTuple):
    """The status of a line and its reason."""

    status: LineStatus
    because: str


def lines(findings: Findings, origin: Origin, data: bytes) -> tuple[LegalLine, ...]:
    """Every line, in order. ``data``: the bytes of the file."""
    is_ai = origin in (Origin.AI_GENERATED, Origin.AI_EDITED)
    unknown = Said(NOT_ASSESSED, "nothing that is believed says that this was made with AI")
    assessed = [(line, rule(findings, data) if is_ai else unknown) for line, rule in _RULES]
    beyond = [(line, Said(NOT_ASSESSED, why)) for line, why in _BEYOND_ONE_FILE]
    return tuple(
        LegalLine(line=line, status=said.status, because=said.because)
        for line, said in sorted(assessed + beyond, key=lambda item: _order(item[0]))
    )


def _order(line: str) -> tuple[int, int]:
    law, number = line.split("-")
    return ("EU", "CA", "CN").index(law), int(number[1:])


def _says(holds: bool, passes: str, fails: str) -> Said:
    return Said(PASS, passes) if holds else Said(FAIL, fails)


def _signed_metadata(findings: Findings, _: bytes) -> Said:
    return _says(
        findings.credential.proves,
        "an intact credential of a trusted signer says that it was made with AI",
        "the file itself carries no intact credential of a trusted signer that says so",
    )


def _covered_and_time_stamped(findings: Findings, _: bytes) -> Said:
    credential = findings.credential
    if credential.integrity is not Integrity.INTACT:
        return Said(FAIL, "no signature covers the whole file as it stands")
    return _says(
        credential.time.trusted,
        "the signature covers the whole file and carries a trusted time stamp",
        "the signature carries no trusted time stamp",
    )


def _watermark(findings: Findings, _: bytes) -> Said:
    if findings.mark is not None:
        return Said(PASS, f"a {findings.mark.detection.scheme} watermark was read")
    contents = findings.credential.contents
    stated = {binding.alg for binding in contents.soft_bindings} if contents else set()
    if stated and not stated & findings.algs_tried:
        return Said(NOT_ASSESSED, f"no reader here for the stated {', '.join(sorted(stated))}")
    return Said(FAIL, "no watermark could be read with the schemes that were tried")


def _two_layers(findings: Findings, _: bytes) -> Said:
    return _says(
        findings.credential.proves and findings.mark is not None,
        "credential and watermark are both there",
        "fewer than two marking layers are left in this file",
    )


def _shared_identifier(findings: Findings, _: bytes) -> Said:
    stated = findings.credential.content_id
    return _says(
        stated is not None and findings.mark is not None and findings.mark.payload == stated,
        "credential and watermark carry the same identifier",
        "credential and watermark do not share an identifier in this file",
    )


def _log(findings: Findings, _: bytes) -> Said:
    if findings.candidate is None:
        return Said(NOT_ASSESSED, "logging is optional, and no record was found")
    return Said(PASS, f"it stands in the ledger as {findings.candidate.record.content_id}")


def _latent_disclosure(findings: Findings, _: bytes) -> Said:
    stated = findings.credential.contents if findings.credential.proves else None
    fields = stated.disclosures.model_dump() if stated else {}
    missing = [name for name, value in fields.items() if value is None]
    if not fields:
        return Said(FAIL, "the file itself carries no disclosure that can be believed")
    return _says(
        not missing,
        "provider, system, version, time and identifier are disclosed",
        f"not disclosed: {', '.join(missing)}",
    )


def _detectable(findings: Findings, _: bytes) -> Said:
    return _says(
        findings.credential.proves or findings.mark is not None,
        "this tool detects the disclosure",
        "neither credential nor watermark can be detected in this file",
    )


def _standard(findings: Findings, _: bytes) -> Said:
    return _says(
        findings.credential.state in (State.TRUSTED, State.VALID),
        "the disclosure is a C2PA credential",
        "the file carries no C2PA credential that holds",
    )


def _implicit_label(_: Findings, data: bytes) -> Said:
    packet = xmp_of(data)
    label = aigc_label(packet) if packet else None
    if label is None:
        return Said(FAIL, "no AIGC property was found in the file's metadata")
    missing = [name for name in AIGC_FIELDS if not label.get(name)]
    return _says(
        not missing,
        "the AIGC property names label, producer and identifier",
        f"the AIGC property lacks {', '.join(missing)}",
    )


_RULES: tuple[tuple[str, Callable[[Findings, bytes], Said]], ...] = (
    ("EU-E1", _signed_metadata),
    ("EU-E2", _covered_and_time_stamped),
    ("EU-E3", _watermark),
    ("EU-E4", _log),
    ("EU-E10", _two_layers),
    ("EU-E11", _shared_identifier),
    ("CA-C1", _latent_disclosure),
    ("CA-C2", _detectable),
    ("CA-C3", _standard),
    ("CN-Z1", _implicit_label),
)

_SERVICE = "a matter of the service, not of one file"
_BEYOND_ONE_FILE: tuple[tuple[str, str], ...] = (
    ("EU-E5", "whether metadata holds sensitive data is not looked into"),
    ("EU-E6", "one file does not show which marks its inputs carried"),
    ("EU-E7", "a matter of terms of use, not of one file"),
    ("EU-E8", _SERVICE),
    ("EU-E9", _SERVICE),
    ("EU-E12", _SERVICE),
    ("CA-C4", "one file does not show how hard its marks are to remove"),
    ("CA-C5", "visible disclosures are not looked for"),
    ("CA-C6", _SERVICE),
    ("CA-C7", _SERVICE),
    ("CA-C8", _SERVICE),
    ("CA-C9", "whether metadata holds personal data is not looked into"),
    ("CA-C10", _SERVICE),
    ("CA-C11", _SERVICE),
    ("CA-C12", "a matter of licences, not of one file"),
    ("CN-Z2", "visible labels are not looked for"),
    ("CN-Z3", "visible labels are not looked for"),
    ("CN-Z4", "optional, and its fields are not checked"),
)
