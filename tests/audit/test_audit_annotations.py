"""Annotations: everything wrong is named by its row, and nothing is dropped in silence."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_audit.annotations import load_annotations
from datasets_audit.consent import ConsentState
from datasets_audit.declaration import Declaration, Terms, combine
from datasets_audit.errors import AnnotationsInvalid
from datasets_audit.inspection import Inspection
from datasets_audit.licence import DeclaredUse, LicenceUse

TERMS = Terms(date(2026, 6, 30), DeclaredUse.COMMERCIAL, b"s" * 32)
Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str | bytes) -> Path:
        path = tmp_path / "annotations.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def read(path: Path, keys: Sequence[str]) -> dict[str, list[Declaration]]:
    with load_annotations(path, path.parent) as annotations:
        return annotations.lookup(keys)


def refusal(path: Path) -> str:
    with pytest.raises(AnnotationsInvalid) as caught:
        load_annotations(path, path.parent)
    return str(caught.value)


def test_a_row_is_read_with_its_spreadsheet_number(write: Write) -> None:
    path = write(
        "file,consent_state,consent_evidence,consent_expires,license,attr.age,attr_origin.age\n"
        'a.jpg, Declared ,form 1,2031-12-31,CC-BY-4.0,"30, or so",self-declared\n'
        "./b/c.jpg,,,,,,\n"
    )
    found = read(path, ["a.jpg", "b/c.jpg", "z.jpg"])
    assert set(found) == {"a.jpg", "b/c.jpg"}
    (row,) = found["a.jpg"]
    assert row.row == 2
    assert row.claim.state is ConsentState.DECLARED
    assert row.claim.expires == date(2031, 12, 31)
    assert row.licence == "CC-BY-4.0"
    assert row.attributes == {"age": "30, or so"}
    assert row.origins == {"age": "self-declared"}
    assert found["b/c.jpg"][0].claim.state is ConsentState.UNKNOWN


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name,licence\na.jpg,MIT\n", "no column that names the picture"),
        ("file,consent_state\na.jpg,yes\nb.jpg,declared\nc.jpg,maybe\n", "row 2.*row 4"),
        ("file,consent_expires\na.jpg,31/12/2031\n", "row 2: consent_expires 31/12/2031"),
        ("file,licence\na.jpg,MIT\n,MIT\n", "row 3: the key is empty"),
        ("file,attr.age,attr_origin.age\na.jpg,4,guess\n", "row 2: attr_origin.age guess"),
        ("file,licence\na.jpg,MIT,extra\n", "row 2"),
        ("file,licence\na.jpg\nb.jpg,MIT\n", "row 2"),
        ("file,file\na.jpg,b.jpg\n", "several columns named file"),
        ('file,attr."x\na.jpg,1\n', "no name for an attribute"),
        (b"file,caption\na.jpg,caf\xe9\nb.jpg,ok\n", "row 2: byte 10 is not UTF-8"),
        ("file\na.jpg\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_mistake_is_refused_and_its_row_named(
    write: Write, text: str | bytes, named: str
) -> None:
    import re

    assert re.search(named, refusal(write(text)))


def test_many_mistakes_are_counted_not_listed(write: Write) -> None:
    rows = "".join(f"{number}.jpg,perhaps\n" for number in range(20))
    assert "and 15 more" in refusal(write("file,consent_state\n" + rows))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    assert "not there" in refusal(tmp_path / "nowhere.csv")


def test_an_unknown_kind_of_file_says_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.xlsx"
    path.write_bytes(b"PK")
    assert ".csv" in refusal(path)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "tsv"])
def test_other_formats_say_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"annotations.{kind}"
    if kind == "jsonl":
        path.write_text(
            '{"file": "a.jpg", "consent_state": "licensed", "consent_expires": "2031-12-31"}\n'
            '{"file": "b.jpg", "licence": "MIT"}\n'
        )
    elif kind == "tsv":
        path.write_text(
            "file\tconsent_state\tconsent_expires\tlicence\n"
            "a.jpg\tlicensed\t2031-12-31\t\nb.jpg\t\t\tMIT\n"
        )
    else:
        table = pa.table(
            {
                "file": ["a.jpg", "b.jpg"],
                "consent_state": ["licensed", None],
                "consent_expires": [date(2031, 12, 31), None],
                "licence": [None, "MIT"],
            }
        )
        pq.write_table(table, path)
    found = read(path, ["a.jpg", "b.jpg"])
    assert found["a.jpg"][0].claim.state is ConsentState.LICENSED
    assert found["a.jpg"][0].claim.expires == date(2031, 12, 31)
    assert found["b.jpg"][0].licence == "MIT"


def test_damaged_json_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "annotations.jsonl"
    path.write_text('{"file": "a.jpg"}\n{"file": \n')
    assert "cannot be read" in refusal(path)


def test_unused_columns_and_missing_origins_are_remembered(write: Write) -> None:
    path = write("file,age,attr.gender\na.jpg,30,woman\n")
    with load_annotations(path, path.parent) as annotations:
        assert annotations.unused == ("age",)
        assert annotations.without_origin == ("gender",)
        assert annotations.rows == 1


def combined(write: Write, text: str) -> tuple[object, set[str], object]:
    rows = read(write(text), ["a.jpg"])["a.jpg"]
    sample, findings = combine("a.jpg", Inspection(1, "0" * 64), rows, TERMS)
    return sample, {finding.code for finding in findings}, findings


def test_contradicting_rows_lose_their_licence_and_attribute_and_say_so(write: Write) -> None:
    sample, codes, _ = combined(
        write, "file,licence,attr.age\na.jpg,MIT,20\na.jpg,CC-BY-NC-4.0,30\n"
    )
    assert codes == {"annotation_contradicted"}
    assert sample.licence_use is LicenceUse.UNSPECIFIED
    assert sample.attributes == {}


def test_a_repeated_row_is_noted_and_counts_once(write: Write) -> None:
    sample, codes, findings = combined(write, "file,licence\na.jpg,MIT\na.jpg,MIT\n")
    assert codes == {"annotation_repeated"}
    assert findings[0].detail == "rows 2, 3"
    assert sample.licence_use is LicenceUse.ANY


def test_a_sensitive_guess_is_not_written_down(write: Write) -> None:
    sample, codes, _ = combined(
        write,
        "file,attr.race,attr_origin.race,attr.weather,attr_origin.weather\n"
        "a.jpg,x,model-inferred,rain,model-inferred\n",
    )
    assert codes == {"inferred_attribute_withheld"}
    assert sample.attributes == {"weather": "rain"}


def test_a_subject_stands_as_a_commitment_under_the_secret(write: Write) -> None:
    path = write("file,subject_id\na.jpg,Ada\n")
    rows = read(path, ["a.jpg"])["a.jpg"]
    mine, _ = combine("a.jpg", Inspection(1, "0" * 64), rows, TERMS)
    other, _ = combine("a.jpg", Inspection(1, "0" * 64), rows, TERMS._replace(secret=b"t" * 32))
    assert mine.subject is not None
    assert "Ada" not in mine.subject
    assert mine.subject != other.subject
