"""The commands around an audit, over a real home: what they print and how they end."""

import json
import re
from pathlib import Path

import pytest

from datasets_audit.example import make_example
from guard.cli import run
from policies.frameworks import load_frameworks
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


def test_a_checklist_before_any_audit_is_all_gaps(wardmark: Wardmark) -> None:
    given = wardmark("checklist", "--format", "json").document
    assert len(given) == sum(len(framework.controls) for framework in load_frameworks())
    assert {one["status"] for one in given} == {"gap"}
    one = wardmark("checklist", "eu-ai-act", "--json").document
    assert {item["framework"] for item in one} == {"eu-ai-act"}
    assert wardmark("checklist", "iso-9000").code == 2


def test_a_checklist_of_an_audit_says_what_its_report_says(
    wardmark: Wardmark, audited: Path
) -> None:
    report = json.loads((audited / "one" / "report.json").read_text(encoding="utf-8"))
    given = wardmark("checklist", "--audit", audited / "one", "--format", "json").document
    assert given == report["checklist"]
    table = wardmark("checklist", "nist-ai-rmf", "--audit", audited / "one").out
    assert "GOVERN" in table
    assert "evidenced" in table
    page = wardmark("checklist", "--audit", audited / "one", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert all(item["id"] in page for item in given)
    assert wardmark("checklist", "--audit", audited, "--json").code == 4


def test_a_checklist_is_oscal_with_and_without_an_audit(wardmark: Wardmark, audited: Path) -> None:
    assert "catalog" in wardmark("checklist", "--format", "oscal").document
    ran = wardmark("checklist", "--audit", audited / "one", "--format", "oscal")
    assert ran.out == (audited / "one" / "oscal.json").read_text(encoding="utf-8")


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
