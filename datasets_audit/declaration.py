"""From the rows of annotations that speak of a picture to the one sample that is audited."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from datasets_audit.consent import ConsentClaim, resolve
from datasets_audit.findings import Finding
from datasets_audit.inspection import Inspection
from datasets_audit.licence import DeclaredUse, classify
from datasets_audit.personal import personal_kinds
from datasets_audit.rights import Rights
from datasets_audit.sample import Sample, subject_commitment


class AttributeOrigin(StrEnum):
    """Who stated an attribute. They are counted together and shown apart."""

    SELF_DECLARED = "self-declared"
    ANNOTATOR_PERCEIVED = "annotator-perceived"
    CAPTION_DERIVED = "caption-derived"
    MODEL_INFERRED = "model-inferred"


SENSITIVE: Final = frozenset(
    {"race", "ethnicity", "gender", "sex", "sexual_orientation", "religion", "disability",
     "nationality", "skin_tone", "fitzpatrick", "monk", "political_opinion", "health"}
)  # fmt: skip
"""Attributes (GDPR art. 9 and their usual stand-ins) that are not kept where a model guessed them:
a guess on a single person's picture does harm, and its errors are not evenly spread."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One row of annotations. ``row`` is its number as a person sees it in a spreadsheet."""

    row: int
    claim: ConsentClaim
    licence: str | None = None
    subject_id: str | None = None
    creator: str | None = None
    caption: str | None = None
    split: str | None = None
    source_url: str | None = None
    sha256: str | None = None
    label: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


NOBODY: Final = Rights()


class Terms(NamedTuple):
    """What a whole audit judges by: the day, the declared use, the key of commitments, and who
    reserved their rights."""

    as_of: date
    use: DeclaredUse | None
    secret: bytes
    rights: Rights = NOBODY


Value = TypeVar("Value")


def combine(
    key: str, inspection: Inspection, rows: Sequence[Declaration], terms: Terms
) -> tuple[Sample, list[Finding]]:
    """The sample, and what is wrong between or within its rows.

    Where rows contradict each other the cautious reading holds: the stricter consent, an unknown
    licence, an attribute that is not stated.
    """
    findings: list[Finding] = []
    first = rows[0].row if rows else None
    listed = ", ".join(str(row.row) for row in rows)

    def agreed(what: str, said: Iterable[Value | None]) -> Value | None:
        values = {value for value in said if value is not None}
        if len(values) > 1:
            findings.append(
                Finding("annotation_contradicted", key, first, f"{what} in rows {listed}")
            )
            return None
        return next(iter(values), None)

    consent = resolve([row.claim for row in rows], terms.as_of)
    if consent.contradicted:
        detail = f"rows {listed}; taken as {consent.state}"
        findings.append(Finding("consent_contradicted", key, first, detail))
    stated = agreed("licence", (row.licence for row in rows))
    licence = classify(stated)
    subject = agreed("subject_id", (row.subject_id for row in rows))
    attributes: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in sorted({name for row in rows for name in row.attributes}):
        value = agreed(f"attr.{name}", (row.attributes.get(name) for row in rows))
        origin = agreed(f"attr_origin.{name}", (row.origins.get(name) for row in rows))
        if value is None:
            continue
        if origin == AttributeOrigin.MODEL_INFERRED and name.lower() in SENSITIVE:
            findings.append(Finding("inferred_attribute_withheld", key, first, f"attr.{name}"))
            continue
        attributes[name] = value
        if origin is not None:
            origins[name] = origin
    creator = agreed("creator", (row.creator for row in rows))
    caption = agreed("caption", (row.caption for row in rows))
    split = agreed("split", (row.split for row in rows))
    source_url = agreed("source_url", (row.source_url for row in rows))
    sha256 = agreed("sha256", (row.sha256 for row in rows))
    label = agreed("label", (row.label for row in rows))
    if len(rows) > 1 and not findings:
        findings.append(Finding("annotation_repeated", key, first, f"rows {listed}"))
    sample = Sample(
        key=key,
        inspection=inspection,
        annotated=bool(rows),
        consent=consent.state,
        consent_evidence=consent.evidence,
        consent_expires=consent.expires,
        consent_since=consent.since,
        consent_sha256=consent.evidence_sha256,
        licence=stated,
        licence_expression=licence.expression,
        licence_use=licence.use,
        attribution=licence.attribution,
        share_alike=licence.share_alike,
        fit=licence.fit(terms.use) if terms.use else None,
        subject=subject_commitment(terms.secret, subject) if subject else None,
        creator=creator,
        caption=caption,
        split=split,
        source_url=source_url,
        stated_sha256=sha256.lower() if sha256 else None,
        label=label,
        rights_asked=terms.rights.asked(source_url),
        reserved=terms.rights.reserved(inspection, source_url),
        caption_personal=", ".join(personal_kinds(caption)) or None if caption else None,
        attributes=attributes,
        origins=origins,
    )
    return sample, findings
