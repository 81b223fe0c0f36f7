"""One row of the audit: what was measured of a picture and what its annotations say of it.

Rows lie in ``samples/part-*.parquet``. The leaf of a row is the canonical JSON (RFC 8785) of all
its columns; the root of a shard is the RFC 6962 root over its leaves in file order.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from datasets_audit.consent import ConsentState, Standing
from datasets_audit.inspection import Inspection
from datasets_audit.licence import Fit, LicenceUse
from provenance.ledger.merkle import leaf_hash, root_of

if TYPE_CHECKING:
    import pyarrow as pa

ATTRIBUTE_PREFIX: Final = "attr."
ORIGIN_PREFIX: Final = "attr_origin."

Row = dict[str, Any]
"""Column name to value, as written to Parquet."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, measured and annotated.

    ``annotated``: a row of annotations spoke of it. ``fit``: whether its licence allows the
    declared use, None if no use was declared. ``subject``: a keyed commitment to the subject's id,
    never the id. ``stated_sha256``: what the file was when its annotation was made. ``reserved``:
    the signal by which rights are reserved; ``rights_asked``: whether any was looked for.
    ``caption_personal``: kinds of personal data in the caption. ``attributes`` and ``origins``: by
    attribute name; only what was stated.
    """

    key: str
    inspection: Inspection
    annotated: bool = False
    consent: ConsentState = ConsentState.UNKNOWN
    consent_evidence: str | None = None
    consent_expires: date | None = None
    consent_since: date | None = None
    consent_sha256: str | None = None
    licence: str | None = None
    licence_expression: str | None = None
    licence_use: LicenceUse = LicenceUse.UNSPECIFIED
    attribution: bool = False
    share_alike: bool = False
    fit: Fit | None = None
    subject: str | None = None
    creator: str | None = None
    caption: str | None = None
    split: str | None = None
    source_url: str | None = None
    stated_sha256: str | None = None
    label: str | None = None
    rights_asked: bool = False
    reserved: str | None = None
    caption_personal: str | None = None
    attributes: Mapping[str, str] | None = None
    origins: Mapping[str, str] | None = None

    @property
    def standing(self) -> Standing:
        """Whether training may rest on this picture's consent."""
        return self.consent.standing


def to_row(sample: Sample, attributes: Sequence[str], secret: bytes) -> Row:
    """The columns of a sample. ``attributes`` fixes which attribute columns there are.

    ``salt`` keys the leaf, so that nobody who has a picture can guess the rest of its row from
    the root that stands in the ledger; it goes when the row goes.
    """
    row: Row = {"key": sample.key, **asdict(sample.inspection)}
    row |= {
        "annotated": sample.annotated,
        "consent": sample.consent.value,
        "standing": sample.standing.value,
        "consent_evidence": sample.consent_evidence,
        "consent_expires": sample.consent_expires.isoformat() if sample.consent_expires else None,
        "consent_since": sample.consent_since.isoformat() if sample.consent_since else None,
        "consent_sha256": sample.consent_sha256,
        "licence": sample.licence,
        "licence_expression": sample.licence_expression,
        "licence_use": sample.licence_use.value,
        "attribution": sample.attribution,
        "share_alike": sample.share_alike,
        "fit": sample.fit.value if sample.fit else None,
        "subject": sample.subject,
        "creator": sample.creator,
        "caption": sample.caption,
        "split": sample.split,
        "source_url": sample.source_url,
        "stated_sha256": sample.stated_sha256,
        "label": sample.label,
        "rights_asked": sample.rights_asked,
        "reserved": sample.reserved,
        "caption_personal": sample.caption_personal,
    }
    for name in attributes:
        row[ATTRIBUTE_PREFIX + name] = (sample.attributes or {}).get(name)
        row[ORIGIN_PREFIX + name] = (sample.origins or {}).get(name)
    row["salt"] = hmac.digest(secret, b"row\x00" + sample.key.encode(), "sha256")[:16].hex()
    return row


def subject_commitment(secret: bytes, subject_id: str) -> str:
    """64 hex digits that stand for a subject: equal for equal ids under one secret, else opaque."""
    return hmac.digest(secret, b"subject\x00" + subject_id.encode(), "sha256").hex()


def rows_root(rows: Sequence[Row]) -> bytes:
    """RFC 6962 root, 32 bytes, over the leaves of ``rows`` in order."""
    import rfc8785

    return root_of([leaf_hash(rfc8785.dumps(row)) for row in rows])


_TYPES: Final = {
    "bytes": "int64",
    "width": "int32",
    "height": "int32",
    "pdq_quality": "int16",
    "sharpness": "float64",
    "entropy": "float64",
    "brightness": "float64",
    "dark": "int16",
    "light": "int16",
    "faces": "int16",
    "gps": "bool",
    "serial": "bool",
    "owner": "bool",
    "c2pa": "bool",
    "synthetic": "bool",
    "rights_asked": "bool",
    "annotated": "bool",
    "attribution": "bool",
    "share_alike": "bool",
}


def schema(attributes: Sequence[str]) -> "pa.Schema":
    """The Parquet schema of sample rows: text unless _TYPES says otherwise."""
    import pyarrow as pa

    empty = to_row(Sample("", Inspection(0, None)), attributes, b"")
    return pa.schema([(name, pa.type_for_alias(_TYPES.get(name, "string"))) for name in empty])
