"""The commands around an audit, over a real home: what they print and how they end."""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from datasets_audit.example import make_example
from guard.cli import run
from policies.frameworks import load_frameworks
from provenance.home import Home
from provenance.ledger import Event
from tests.cli.conftest import Wardmark


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """Two versions of the example, ``one`` and ``two``: pictures came, went and changed."""
    folder = tmp_path_factory.mktemp("audits")
    example = make_example(folder / "example")
    _audit(example.images, example.annotations, folder / "one", home)
    (example.images / "drawing-010.jpg").unlink()
    swapped = (example.images / "drawing-011.jpg").read_bytes()
    (example.images / "drawing-012.jpg").write_bytes(swapped)
    (example.images / "drawing-013.jpg").rename(example.images / "moved.jpg")
    (example.images / "new.jpg").write_bytes(swapped + b"\x00")
    text = example.annotations.read_text(encoding="utf-8")
    annotations = folder / "later.csv"
    lines = [
        re.sub(",(declared|licensed|claimed|),", ",withdrawn,", line, count=1)
        if line.startswith("drawing-014.jpg") else line
        for line in text.splitlines()
    ]  # fmt: skip
    annotations.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _audit(example.images, annotations, folder / "two", home)
    return folder


def _audit(images: Path, annotations: Path, out: Path, home: Path) -> None:
    given = ["audit", str(images), "--name", "drawings", "--annotations", str(annotations)]
    assert run(["--home", str(home), *given, "--out", str(out)]) == 0


def test_a_checklist_of_a_new_home_knows_its_ledger_alone(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    assert run(["init", "--home", str(tmp_path / "new"), "--provider", "Test provider"]) == 0
    given = wardmark("--home", tmp_path / "new", "checklist", "--format", "json").document
    assert len(given) == sum(len(framework.controls) for framework in load_frameworks())
    shown = {one["id"] for one in given if one["status"] == "evidenced"}
    assert "MG-2.2-007" in shown  # the ledger proves its entries from the first on
    assert "MEASURE 2.11" not in shown
    one = wardmark("checklist", "eu-ai-act", "--json").document
    assert {item["framework"] for item in one} == {"eu-ai-act"}
    assert wardmark("checklist", "iso-9000").code == 2


def test_a_checklist_takes_the_last_audit_of_each_data_set(
    wardmark: Wardmark, audited: Path
) -> None:
    named = wardmark("checklist", "--audit", audited / "two", "--format", "json").document
    assert wardmark("checklist", "--json").document == named
    by_id = {item["id"]: item for item in named}
    assert by_id["A.7.5"]["evidence"][-1] == "dataset.version"
    assert "2 versions of 1 data sets" in by_id["CT.DM-P3"]["because"]
    assert by_id["GOVERN 1.6"]["status"] == "evidenced"
    table = wardmark("checklist", "nist-ai-rmf").out
    assert "GOVERN" in table
    assert "evidenced" in table
    page = wardmark("checklist", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert wardmark("checklist", "--audit", audited, "--json").code == 4


def test_a_checklist_is_oscal_with_and_without_an_audit(wardmark: Wardmark, audited: Path) -> None:
    assert "catalog" in wardmark("checklist", "--format", "oscal").document
    ran = wardmark("checklist", "--audit", audited / "one", "--format", "oscal").document
    (result,) = ran["assessment-results"]["results"]
    controls = sum(len(framework.controls) for framework in load_frameworks())
    assert len(result["observations"]) == controls


def test_an_attestation_is_signed_named_and_ends(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    document = tmp_path / "policy.txt"
    document.write_text("Our policy on AI.")
    given = ("--person", "Jo Weber", "--document", document, "--expires", "2199-12-31")
    ran = wardmark("checklist", "attest", "iso-42001/A.2.2", *given, "--json")
    assert ran.code == 0
    assert ran.document["attestation"]["document"] == sha256(document.read_bytes()).hexdigest()
    items = {one["id"]: one for one in wardmark("checklist", "iso-42001", "--json").document}
    assert items["A.2.2"]["status"] == "attested"
    assert items["A.2.2"]["attestation"] == ran.document["entry"]
    assert items["A.2.3"]["status"] == "gap"
    opened = Home.open(home)
    (entry,) = opened.ledger.entries(kind="attestation")
    assert "Weber" not in json.dumps(entry.body)
    assert opened.subjects.open(entry).plain == {"name": "Jo Weber"}
    why = ("--not-applicable", "no customers are served")
    assert wardmark("checklist", "attest", "iso-42001/A.10.4", *given, *why).code == 0
    items = {one["id"]: one for one in wardmark("checklist", "iso-42001", "--json").document}
    assert items["A.10.4"]["status"] == "not-applicable"
    assert "no customers are served" in items["A.10.4"]["because"]


def test_an_attestation_that_is_not_this_ledgers_does_not_count(
    wardmark: Wardmark, home: Path
) -> None:
    ledger = Home.open(home).ledger
    (entry, *_) = ledger.entries(kind="attestation")
    ledger.append([Event("attestation", dict(entry.body) | {"item": "iso-42001/A.2.4"})])
    items = {one["id"]: one for one in wardmark("checklist", "iso-42001", "--json").document}
    assert items["A.2.4"]["status"] == "gap"
    assert "does not hold" in items["A.2.4"]["because"]


@pytest.mark.parametrize(
    ("item", "document", "expires"),
    [
        ("iso-42001/A.2.2", "absent.txt", "2199-12-31"),
        ("iso-42001/A.99", "policy.txt", "2199-12-31"),
        ("iso-9000/1", "policy.txt", "2199-12-31"),
        ("iso-42001/A.2.2", "policy.txt", "2001-12-31"),
        ("iso-42001/A.2.2", "policy.txt", "tomorrow"),
    ],
)
def test_what_cannot_be_attested_is_refused(
    wardmark: Wardmark, tmp_path: Path, item: str, document: str, expires: str
) -> None:
    (tmp_path / "policy.txt").write_text("Our policy on AI.")
    given = ("--person", "Jo", "--document", tmp_path / document, "--expires", expires)
    assert wardmark("checklist", "attest", item, *given).code == 2


def test_an_evaluation_on_record_is_evidence(wardmark: Wardmark, tmp_path: Path) -> None:
    def standing() -> str:
        items = wardmark("checklist", "nist-ai-rmf", "--json").document
        return next(item["status"] for item in items if item["id"] == "MEASURE 2.3")

    document = tmp_path / "evaluation.json"
    document.write_text("{}")
    assert standing() == "gap"
    assert wardmark("checklist", "record", "evaluation", "--document", document).code == 0
    assert standing() == "evidenced"
    assert wardmark("checklist", "record", "delivery", "--document", document).code == 2


def test_a_difference_names_what_came_went_and_changed(wardmark: Wardmark, audited: Path) -> None:
    ran = wardmark("audit-diff", audited / "one", audited / "two", "--json")
    assert ran.code == 0
    found = ran.document
    samples = found["samples"]
    assert samples["added"] == {"samples": 2, "keys": ["moved.jpg", "new.jpg"]}
    assert samples["removed"] == {"samples": 2, "keys": ["drawing-010.jpg", "drawing-013.jpg"]}
    assert samples["changed"] == {"samples": 1, "keys": ["drawing-012.jpg"]}
    assert samples["renamed"] == 1
    (move,) = samples["consent"]
    assert (move["after"], move["samples"]) == ("withdrawn", 1)
    withdrawn = next(one for one in found["consent"] if one["what"] == "withdrawn")
    assert withdrawn["after"] == withdrawn["before"] + 1
    changed = {one["what"] for one in found["findings_changed"]}
    assert {"consent_withdrawn", "duplicate_exact"} <= changed
    assert found["cells"]
    assert all(cell["before"] != cell["after"] or cell["share_before"] for cell in found["cells"])
    told = wardmark("audit-diff", audited / "one", audited / "two").out
    assert "moved.jpg" in told
    assert "-> withdrawn  1 samples" in told


def test_a_difference_read_backwards_is_the_same_change(wardmark: Wardmark, audited: Path) -> None:
    there = wardmark("audit-diff", audited / "one", audited / "two", "--json").document
    back = wardmark("audit-diff", audited / "two", audited / "one", "--json").document
    assert there["samples"]["added"] == back["samples"]["removed"]
    assert there["findings_new"] == [
        one | {"before": one["after"], "after": one["before"]} for one in back["findings_gone"]
    ]


def test_a_version_compared_with_itself_is_the_same(wardmark: Wardmark, audited: Path) -> None:
    found = wardmark("audit-diff", audited / "one", audited / "one", "--json").document
    assert found["same"]
    assert not any(found[part] for part in ("consent", "licences", "findings_new", "cells"))
    assert found["samples"]["added"]["samples"] == found["samples"]["changed"]["samples"] == 0


def test_versions_on_record_are_compared_by_their_sums(wardmark: Wardmark, audited: Path) -> None:
    folders = wardmark("audit-diff", audited / "one", audited / "two", "--json").document
    root = folders["before"]["root"]
    found = wardmark("audit-diff", root[:12], "drawings", "--json").document
    assert found["after"] == folders["after"]
    for part in ("before", "consent", "licences", "findings_new", "findings_changed"):
        assert found[part] == folders[part]
    assert found["samples"] is found["cells"] is None
    assert "sums alone" in found["not_compared"][0]
    assert wardmark("audit-diff", "nobody", "drawings").code == 4


def test_an_audit_is_verified_with_the_homes_key_or_a_file(
    wardmark: Wardmark, audited: Path, home: Path, tmp_path: Path
) -> None:
    ran = wardmark("audit-verify", audited / "one", "--json")
    assert (ran.code, ran.document["holds"], ran.document["signature_checked"]) == (0, True, True)
    assert wardmark("audit-verify", audited / "one", "--key", home / "ledger.pub").code == 0
    copy = tmp_path / "copy"
    shutil.copytree(audited / "one", copy)
    (copy / "attribution.csv").write_text("key\n")
    ran = wardmark("audit-verify", copy)
    assert ran.code == 1
    assert "attribution.csv" in ran.out
    assert wardmark("audit-verify", tmp_path).code == 4
