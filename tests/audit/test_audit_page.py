"""The report as people see it: nothing runs together, nothing private is shown."""

import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

from paint import jpeg

from datasets_audit import AuditReport, audit
from datasets_audit.page.charts import CELL_WIDTH, HEAD_HEIGHT, heat_map

LETTER = 7.0  # units of a letter of a heading, as wide as they come on average
AGES = ("9-Mar", "19-Oct", "20-29", "may-be", "Marching", "3-9")
ORIGINS = ("Latino_Hispanic", "Middle Eastern", "Southeast Asian", "A group of a very long name")


def audited(folder: Path) -> AuditReport:
    (folder / "set").mkdir()
    lines = ["file,consent_state,consent_evidence,attr.age,attr.origin"]
    for number in range(24):
        (folder / "set" / f"{number:02d}.jpg").write_bytes(jpeg(number))
        age, origin = AGES[number % 6], ORIGINS[number % 4]
        lines.append(f"{number:02d}.jpg,declared,form.pdf,{age},{origin}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return audit(folder / "set", name="x", annotations=folder / "a.csv", out=folder / "out",
                 as_of=date(2026, 6, 30), secret=bytes(32), workers=1)  # fmt: skip


def test_headings_stand_above_their_cells_and_do_not_run_together(tmp_path: Path) -> None:
    report = audited(tmp_path)
    (table,) = (one for one in report.balance.intersections if len(one.attributes) == 2)
    heads = [one for one in ET.fromstring(str(heat_map(table))) if one.get("class") == "head"]  # noqa: S314 - our own
    assert {"Latino", "Hispanic", "Middle", "Eastern"} <= {str(one.text) for one in heads}
    for one in heads:
        assert len(str(one.text)) * LETTER <= CELL_WIDTH
        assert 0 < float(str(one.get("y"))) < HEAD_HEIGHT


def test_ranges_that_a_spreadsheet_made_dates_of_are_found(tmp_path: Path) -> None:
    found = {one.code: one for one in audited(tmp_path).findings}
    assert found["attribute_like_date"].count == 1
    assert found["attribute_like_date"].examples[0].detail == "age: 19-Oct, 9-Mar"
