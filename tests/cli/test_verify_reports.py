"""Reports of ``wardmark verify``: the signed one that is replayed, and the one for people."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.pipeline import ImageRequest, deliver
from guard.verification.signed import Conditions, SignedReport, seal, unseal
from provenance.credential.credential import IngredientState, Step
from provenance.errors import ProofInvalid
from provenance.home import Home
from provenance.ledger import Event, LedgerKey
from provenance.picture import decode, encode
from provenance.verify import Verdict, verify
from tests.cli.conftest import Wardmark
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

KEY = LedgerKey.generate("example.com/log")
REPORT = SignedReport(
    conditions=Conditions(
        at=datetime(2026, 11, 21, tzinfo=UTC), trust="0" * 64, use_ledger=True, ledger=None,
        software={"wardmark": "0"},
    ),
    files=({"file": "x.png", "verdict": "none", "chance": 1e-9, "list": [1, None, True]},),
)  # fmt: skip
SEALED = seal(REPORT, KEY)


@pytest.fixture(scope="module")
def original(home: Path) -> bytes:
    opened = Home.open(home)
    (released,) = pipeline_of(opened).run(ImageRequest(prompt="a calm sea", seed=5)).released
    data = deliver(released)
    opened.ledger.close()
    return data


@pytest.fixture
def pictures(original: bytes, tmp_path: Path) -> list[Path]:
    """An original, a stripped copy, and a file that is no picture."""
    made, copy, text = (tmp_path / name for name in ("made.png", "copy.jpg", "text.png"))
    made.write_bytes(original)
    copy.write_bytes(encode(decode(original).pixels, "jpeg"))
    text.write_text("no picture")
    return [made, copy, text]


@pytest.fixture
def report(wardmark: Wardmark, pictures: list[Path], tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    assert wardmark("verify", *pictures, "--report", path).code == 4
    return path


def test_a_report_done_again_is_the_same(wardmark: Wardmark, report: Path) -> None:
    ran = wardmark("verify", "--replay", report, "--json")
    assert ran.code == 0
    assert ran.document == {
        "report": str(report), "signed": True, "files": 3, "same": True, "differences": [],
    }  # fmt: skip


def test_a_report_states_what_its_answers_depend_on(
    report: Path, pictures: list[Path], home: Path
) -> None:
    stated = json.loads(report.read_text())
    opened = Home.open(home)
    assert stated["conditions"]["trust"] == opened.sources().trust.digest
    assert stated["conditions"]["ledger"] == opened.ledger.checkpoint().note
    assert stated["conditions"]["software"].keys() == {"wardmark", "c2pa-python"}
    assert [entry["file"] for entry in stated["files"]] == [str(path) for path in pictures]
    opened.ledger.close()


def test_a_changed_file_is_named_when_a_report_is_done_again(
    wardmark: Wardmark, report: Path, pictures: list[Path]
) -> None:
    pictures[1].write_bytes(encode(textured_picture("another", 128, 128, 2), "png"))
    ran = wardmark("verify", "--replay", report, "--json")
    assert ran.code == 1
    assert not ran.document["same"]
    changed = {(d["file"], d["field"]): (d["then"], d["now"]) for d in ran.document["differences"]}
    assert changed[str(pictures[1]), "verdict"] == ("recovered", "none")
    assert {file for file, _ in changed} == {str(pictures[1])}


def test_files_that_moved_are_found_by_their_content(
    wardmark: Wardmark, report: Path, pictures: list[Path], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in pictures[:2]:
        path.rename(elsewhere / f"renamed-{path.name}")
    assert wardmark("verify", "--replay", report).code == 1
    ran = wardmark("verify", elsewhere, "--replay", report, "--json")
    assert ran.code == 0, ran.document


def test_a_ledger_that_has_grown_is_told_and_changes_no_answer(
    wardmark: Wardmark, report: Path, home: Path
) -> None:
    opened = Home.open(home)
    opened.ledger.append([Event("note", {"about": "something else"})])
    opened.ledger.close()
    ran = wardmark("verify", "--replay", report)
    assert ran.code == 0, ran.out
    assert "the same" in ran.out
    assert "entries then, " in ran.out
    assert "root" not in ran.out


def test_another_trust_list_is_another_answer(
    wardmark: Wardmark, report: Path, tmp_path: Path
) -> None:
    from tests.credential.authority import Authority

    anchors = tmp_path / "anchors.pem"
    anchors.write_text(Authority().trust.pem)
    ran = wardmark("verify", "--replay", report, "--trust", anchors, "--json")
    assert ran.code == 1
    assert [d["field"] for d in ran.document["differences"]] == ["trust"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"recovered"', '"established"'),
        ('"use_ledger": true', '"use_ledger": false'),
        ("wardmark.org/verification-report/v1\\n", "wardmark.org/verification-report/v2\\n"),
    ],
)
def test_a_report_that_was_changed_is_not_believed(
    wardmark: Wardmark, report: Path, old: str, new: str
) -> None:
    text = report.read_text()
    assert old in text
    report.write_text(text.replace(old, new))
    ran = wardmark("verify", "--replay", report, "--json")
    assert ran.code == 1
    assert ran.document["error"]["code"] == "proof_invalid"


@given(data=st.data())
def test_whatever_byte_is_changed_the_report_says_the_same_or_is_not_believed(
    data: st.DataObject,
) -> None:
    sealed = bytearray(SEALED)
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        opened = unseal(bytes(sealed), [KEY.public])
    except ProofInvalid:
        return
    assert opened == REPORT


def test_a_report_of_another_house_is_not_believed(
    wardmark: Wardmark, report: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert wardmark("init", "--home", other).code == 0
    ran = wardmark("verify", "--replay", report, "--home", other, "--json")
    assert ran.code == 1
    assert "not a key of this ledger" in ran.document["error"]["message"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"note": 1}', "\x00" * 99, '{"note": "x"}'])
def test_a_file_that_is_no_report_is_told_so(
    wardmark: Wardmark, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "no-report.json"
    path.write_text(content)
    assert wardmark("verify", "--replay", path).code == 1


def test_replay_takes_no_other_conditions(wardmark: Wardmark, report: Path) -> None:
    assert wardmark("verify", "--replay", report, "--no-ledger").code == 2


class Page(HTMLParser):
    """The words of a page, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += f"{data} "


def test_the_report_for_people_shows_pictures_and_layers_and_loads_nothing(
    wardmark: Wardmark, pictures: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    assert wardmark("verify", *pictures, "--html", path, "--legal", "eu").code == 4
    page = Page(path.read_text())
    assert "We know where this picture comes from" in page.words
    assert "This is a copy of a picture that is on record" in page.words
    assert "This file could not be read" in page.words
    assert {"EU-E1", "EU-E12"} <= set(page.words.split())
    assert "script" not in page.tags
    assert all(url.startswith(("data:image/jpeg;base64,", "#file-")) for url in page.loads)
    assert sum(url.startswith("data:") for url in page.loads) == 2


def test_what_a_stranger_wrote_into_a_credential_is_shown_as_text(original: bytes) -> None:
    from guard.verification.page import Item, render, view

    report = verify(original)
    assert report.verdict is Verdict.UNCONFIRMED
    assert report.credential.contents is not None
    evil = Step(
        manifest="urn:c2pa:x",
        title="<script>alert(1)</script>",
        ingredients=(
            Step(title="parent.png", relationship="parentOf", state=IngredientState.INVALID),
        ),
    )
    contents = report.credential.contents.model_copy(update={"lineage": evil})
    credential = report.credential.model_copy(update={"contents": contents})
    shown = view(report.model_copy(update={"credential": credential}))
    page = Page(render([Item('"><img src=x>', shown, None)], datetime.now(UTC)))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.words
    assert page.words.index("<script>") < page.words.index("parent.png")
    assert page.loads == []


def test_a_report_that_cannot_be_written_stops_before_the_work(
    wardmark: Wardmark, pictures: list[Path], tmp_path: Path
) -> None:
    ran = wardmark("verify", *pictures, "--html", tmp_path / "nowhere" / "x.html", "--json")
    assert ran.code == 4
    assert ran.document["error"]["code"] == "output_failed"
