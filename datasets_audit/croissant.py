"""The audit as Croissant metadata (MLCommons, version 1.1, with the RAI vocabulary 1.0).

It describes the sample rows, which carry the consent and licence of every single picture; Croissant
itself knows one licence for a whole data set.
"""

from typing import Any, Final

from datasets_audit.report import AuditReport
from datasets_audit.sample import schema

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_DATA_TYPES: Final = {"string": "sc:Text", "bool": "sc:Boolean", "double": "sc:Float"}


def croissant(report: AuditReport, attributes: tuple[str, ...]) -> dict[str, Any]:
    """The metadata as JSON-LD. ``attributes``: the declared ones, which fix the columns."""
    shares = {count.state.value: count.count for count in report.consent}
    consent = ", ".join(f"{state} {count:,}" for state, count in shares.items() if count)
    described: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": report.name,
        "description": f"Audit rows of the data set {report.name}. {report.summary}",
        "version": f"0.0.0+{report.root}",
        "datePublished": report.as_of.isoformat(),
        "rai:dataBiases": _biases(report),
        "rai:personalSensitiveInformation": (
            f"Positions in {report.figure('privacy.gps'):,} pictures, names of owners in "
            f"{report.figure('privacy.owner'):,}."
        ),
        "rai:dataCollection": f"Consent by picture: {consent}.",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": shard.file,
                "name": shard.file,
                "contentUrl": shard.file,
                "encodingFormat": "application/x-parquet",
                "sha256": report.files[shard.file],
            }
            for shard in report.shards
        ],
        "recordSet": [
            _record_set(shard.file, attributes, len(report.shards) > 1) for shard in report.shards
        ],
    }
    licences = [licence.expression for licence in report.licences if licence.expression]
    if licences:
        described["license"] = [_licence_url(expression) for expression in licences]
    return described


def _record_set(file: str, attributes: tuple[str, ...], numbered: bool) -> dict[str, Any]:
    name = file.removesuffix(".parquet").replace("/", "-") if numbered else "samples"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column.name}",
                "name": column.name,
                "dataType": _DATA_TYPES.get(str(column.type), "sc:Integer"),
                "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
            }
            for column in schema(attributes)
        ],
    }


def _biases(report: AuditReport) -> list[str]:
    tables = [
        f"{' x '.join(table.attributes)}: {table.empty} of {table.cells_total} cells empty, "
        f"{table.thin} below {report.balance.thin_below} pictures, normalised entropy "
        f"{table.entropy:.3f}."
        for table in report.balance.intersections or report.balance.attributes
    ]
    return [report.balance.statement, *tables]


def _licence_url(expression: str) -> str:
    simple = all(sign.isalnum() or sign in "-.+" for sign in expression)
    return f"https://spdx.org/licenses/{expression}.html" if simple else expression
