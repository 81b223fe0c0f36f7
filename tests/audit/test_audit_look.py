"""A closer look: what is written in pictures, and faces; off unless asked for."""

import io
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from paint import jpeg
from PIL import Image

from datasets_audit import audit
from datasets_audit.errors import LookUnavailable
from datasets_audit.inspection import Problem, inspect
from datasets_audit.look import Pixels, Seen, count_faces
from guard.cli import run
from guard.cli.closer_look import CloserLook
from tests.support.lettering import plain, with_lines

TERMS = {"name": "x", "as_of": date(2026, 6, 30), "secret": bytes(32)}


class Reads:
    """Finds in every picture what it was told."""

    name = "told"

    def __init__(self, text: str | None, faces: int | None) -> None:
        self._seen = Seen(text, faces)

    def __call__(self, pixels: Pixels) -> Seen:
        assert pixels.shape[2] == 3
        return self._seen


def png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("look", "text", "faces"),
    [
        (None, None, None),
        (Reads(None, 2), None, 2),
        (Reads("mail a@example.org", None), "email", None),
        (Reads("no more than words", 0), "", 0),
    ],
)
def test_what_nobody_looked_for_is_not_known(
    look: Reads | None, text: str | None, faces: int | None
) -> None:
    seen = inspect(jpeg(1), look)
    assert (seen.text_personal, seen.faces) == (text, faces)


def test_a_broken_picture_is_not_looked_at() -> None:
    assert inspect(jpeg(1)[:300], Reads("a@example.org", 1)).problem is Problem.DAMAGED


def test_writing_and_faces_are_findings_and_their_pictures_are_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(14):
        (folder / f"{number:02d}.png").write_bytes(png(plain(300, 20, grey=number)))  # odd shapes
    lines = [f"{number:02d}.png,declared,form.pdf" for number in range(14)]
    (tmp_path / "a.csv").write_text("\n".join(["file,consent_state,consent_evidence", *lines]))
    found = Reads("write to a@example.org", 1)
    for name, look in (("plain", None), ("looked", found)):
        report = audit(folder, annotations=tmp_path / "a.csv", out=tmp_path / name, look=look,
                       memory=tmp_path / "seen", workers=1, **TERMS)  # fmt: skip
        codes = {group.code: group.count for group in report.findings}
        shown = (tmp_path / name / "report.html").read_text().count("data:image/jpeg")
        if look is None:
            assert not {"text_personal", "face_possible"} & codes.keys()
            assert shown
            assert report.figure("privacy.read") == 0
            assert "look" not in report.tools
        else:
            assert codes["text_personal"] == codes["face_possible"] == 14
            assert not shown
            assert report.figure("privacy.text") == report.figure("privacy.faces") == 14
            assert report.tools["look"] == "told"
            rows = pq.read_table(tmp_path / name / report.shards[0].file).to_pylist()
            assert {(row["text_personal"], row["faces"]) for row in rows} == {("email", 1)}
            row = next(one for one in report.checklist if one.id == "MP-4.1-010")
            assert "14 pictures show writing" in row.because


def test_the_reader_of_the_guard_finds_an_address_in_a_picture() -> None:
    look = CloserLook.of(read_text=True, count_faces=False)
    assert look is not None
    written = with_lines(plain(), ["Write to", "jane.doe@example.org"])
    assert inspect(png(written), look).text_personal == "email"
    assert inspect(png(plain()), look).text_personal == ""
    assert look.name.startswith("text ")


def test_a_face_is_counted_and_a_wall_is_none() -> None:
    skimage = pytest.importorskip("skimage.data", reason="needs pip install 'wardmark[faces]'")
    look = CloserLook.of(read_text=False, count_faces=True)
    assert look is not None
    assert inspect(png(skimage.astronaut()), look).faces == 1
    assert inspect(png(skimage.astronaut()), look).text_personal is None
    assert count_faces(plain(640, 480)) == 0
    assert count_faces(np.zeros((8, 8, 3), np.uint8)) == 0


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError

    monkeypatch.setattr("datasets_audit.look.version", absent)
    with pytest.raises(LookUnavailable, match=r"wardmark\[faces\]"):
        CloserLook.of(read_text=False, count_faces=True)
    assert CloserLook.of(read_text=False, count_faces=False) is None


def test_the_command_looks_closer_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    written = with_lines(plain(), ["call", "+49 30 1234567"])
    (tmp_path / "set" / "a.png").write_bytes(png(written))
    home = ["--home", str(tmp_path / "home")]
    assert run([*home, "init"]) == 0
    given = [*home, "audit", str(tmp_path / "set"), "--name", "x", "--out", str(tmp_path / "out")]
    assert run([*given, "--read-text"]) == 0
    (row,) = pq.read_table(tmp_path / "out" / "samples").to_pylist()
    assert row["text_personal"] == "phone"
