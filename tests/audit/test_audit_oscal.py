"""OSCAL: documents that other tools read, the same bytes for the same audit."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from datasets_audit import AuditReport, audit
from datasets_audit.example import make_example
from datasets_audit.oscal import assessment_results, catalog, control_id, dumps
from datasets_audit.report import Status
from policies.frameworks import load_framework, load_frameworks

# The patterns of the published JSON schema, OSCAL 1.1.3.
TOKEN = re.compile(r"[^\W\d][\w.\-]*")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STRING = re.compile(r"\S(.*\S)?", re.DOTALL)
REQUIRED = {
    "metadata": {"title", "last-modified", "version", "oscal-version"},
    "import-ap": {"href"},
    "results": {"uuid", "title", "description", "start", "reviewed-controls"},
    "reviewed-controls": {"control-selections"},
    "observations": {"uuid", "description", "methods", "collected"},
    "findings": {"uuid", "title", "description", "target"},
    "target": {"type", "target-id", "status"},
    "groups": {"title"},
    "controls": {"id", "title"},
    "parts": {"name"},
    "props": {"name", "value"},
    "resources": {"uuid"},
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oscal")
    example = make_example(folder / "example")
    audit(
        example.images, name="example", annotations=example.annotations, out=folder / "audit",
        as_of=date(2026, 6, 30),
    )  # fmt: skip
    return folder / "audit"


@pytest.fixture(scope="module")
def report(out: Path) -> AuditReport:
    return AuditReport.model_validate_json((out / "report.json").read_bytes())


def parts(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document with the name of the field that holds it."""
    yield name, value
    if isinstance(value, dict):
        for key, held in value.items():
            yield from parts(held, key)
    elif isinstance(value, list):
        assert value, f"OSCAL allows no empty list in {name}"
        for held in value:
            yield from parts(held, name)


def check_shape(document: dict[str, Any]) -> None:
    (root,) = document.values()
    uuids = [value for name, value in parts(root) if name == "uuid"]
    assert len(set(uuids)) == len(uuids)
    for name, value in parts(root):
        if isinstance(value, dict):
            assert REQUIRED.get(name, set()) <= value.keys()
        elif isinstance(value, str):
            assert STRING.fullmatch(value), name
            if name in ("uuid", "observation-uuid"):
                assert UUID.fullmatch(value)
            elif name in ("id", "control-id", "target-id", "name"):
                assert TOKEN.fullmatch(value), value
            elif name in ("last-modified", "start", "collected"):
                assert datetime.fromisoformat(value).tzinfo is not None


def test_the_catalog_has_every_control_of_every_framework_once() -> None:
    document = catalog()
    check_shape(document)
    ids = [value["id"] for name, value in parts(document) if name == "controls" and "id" in value]
    expected = [control_id(f.name, c.id) for f in load_frameworks() for c in f.controls]
    assert ids == expected
    assert len(set(ids)) == len(ids)
    assert document == catalog()
    one = catalog([load_framework("eu-ai-act")])
    assert one["catalog"]["uuid"] != document["catalog"]["uuid"]


def test_the_file_of_an_audit_says_what_its_report_says(out: Path, report: AuditReport) -> None:
    document = json.loads((out / "oscal.json").read_text(encoding="utf-8"))
    check_shape(document)
    assert (out / "oscal.json").read_text(encoding="utf-8") == dumps(assessment_results(report))
    (result,) = document["assessment-results"]["results"]
    said = {f["target"]["target-id"]: f["target"]["status"]["state"] for f in result["findings"]}
    words = {"evidenced": "satisfied", "gap": "not-satisfied"}
    assert said == {
        f"{control_id(one.framework, one.id)}_smt": words[one.status]
        for one in report.checklist
        if one.status in words
    }
    assert set(words) <= {one.status for one in report.checklist}
    assert len(result["observations"]) == len(report.checklist)
    observed = {one["uuid"] for one in result["observations"]}
    related = [one for name, one in parts(result) if name == "observation-uuid"]
    assert set(related) <= observed


def test_whatever_is_named_is_in_the_file(out: Path) -> None:
    root = json.loads((out / "oscal.json").read_text(encoding="utf-8"))["assessment-results"]
    resources = {one["uuid"]: one for one in root["back-matter"]["resources"]}
    assert root["import-ap"]["href"].removeprefix("#") in resources
    (attached,) = (one["base64"]["value"] for one in resources.values() if "base64" in one)
    inside = json.loads(base64.b64decode(attached))
    assert inside == catalog()
    ids = {value for name, value in parts(inside) if name == "id"}
    named = {value for name, value in parts(root) if name in ("control-id", "target-id")}
    assert named <= ids


TRESTLE = Path(__file__).parents[2] / ".venv-oscal" / "bin" / "python"
READ_BY_TRESTLE = """
import json, sys
from trestle.oscal.assessment_results import Model as Results
from trestle.oscal.catalog import Model as Catalog
catalog, results = json.load(sys.stdin)
Catalog.model_validate(catalog)
Results.model_validate(results)
"""


@pytest.fixture
def every_status(report: AuditReport) -> AuditReport:
    """The report with a checklist in which items stand in each of the ways there are."""
    statuses = get_args(Status)
    checklist = [
        one.model_copy(
            update={
                "status": statuses[number % len(statuses)],
                "attestation": "attestation-1" if number % len(statuses) == 3 else None,
            }
        )
        for number, one in enumerate(report.checklist)
    ]
    assert {one.status for one in checklist} == {*statuses}
    return report.model_copy(update={"checklist": tuple(checklist)})


def test_each_status_is_told_in_the_two_words_that_oscal_has(every_status: AuditReport) -> None:
    document = assessment_results(every_status)
    check_shape(document)
    (result,) = document["assessment-results"]["results"]
    said = {f["target"]["target-id"]: f["target"]["status"]["state"] for f in result["findings"]}
    words = {"evidenced": "satisfied", "attested": "satisfied", "gap": "not-satisfied",
             "stale": "not-satisfied"}  # fmt: skip
    assert said == {
        f"{control_id(one.framework, one.id)}_smt": words[one.status]
        for one in every_status.checklist
        if one.status in words
    }
    assert len(result["observations"]) == len(every_status.checklist)


@pytest.mark.apart
def test_compliance_trestle_reads_both(every_status: AuditReport) -> None:
    if not TRESTLE.exists():
        pytest.skip("needs compliance-trestle in an environment of its own: run make test-oscal")
    documents = json.dumps([catalog(), assessment_results(every_status)])
    ran = subprocess.run(
        [TRESTLE, "-c", READ_BY_TRESTLE], input=documents, text=True, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr
