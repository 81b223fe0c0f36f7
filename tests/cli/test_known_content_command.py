"""``wardmark known-content``: lists are made out of pictures, joined and handed on."""

from pathlib import Path

import numpy as np

from guard.images import load_assessor, load_list
from provenance.picture import encode
from tests.cli.conftest import Wardmark
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import textured_picture

A, B = "a" * 64, "b" * 64


def test_a_list_is_made_of_pictures_and_finds_them_again(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    seen = textured_picture("a wolf", 256, 256, 1)
    flat = np.full((64, 64, 3), 90, np.uint8)
    (folder / "wolf.png").write_bytes(encode(seen))
    (folder / "flat.png").write_bytes(encode(flat))
    (folder / "notes.txt").write_text("no picture")
    ran = wardmark("known-content", "make", folder, "-o", tmp_path / "own.csv", "--label", "wolf")
    assert ran.code == 0
    assert "left out" in ran.err
    known = load_list(tmp_path / "own.csv")
    assert (len(known.sha256), len(known.pdq)) == (3, 1)  # two files, and the flat one's pixels
    assessor = load_assessor(ScriptedPromptAssessor(), lists=[known])
    copy = np.ascontiguousarray(np.rot90(seen))
    found = assessor.assess([copy, flat, 255 - seen])
    assert [each.fields["match.known_content"] for each in found] == [True, True, False]


def test_lists_are_joined_and_exported_in_the_form_of_threat_exchange(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    one, two, out = (tmp_path / name for name in ("one.txt", "two.csv", "all.csv"))
    one.write_text(f"# kind: pdq\n{A}\n")
    two.write_text(f"kind,hash,label\nsha256,{B},second\npdq,{A},second\n")
    assert wardmark("known-content", "export", one, two, "-o", out).code == 0
    assert out.read_text().splitlines() == [
        "signal_type,signal_str,label",
        f"HASH_SHA256,{B},second",
        f"HASH_PDQ,{A},",
    ]


def test_the_lists_of_a_home_are_exported(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "all.csv"
    nothing = wardmark("known-content", "export", "-o", out)
    assert (nothing.code, out.exists()) == (2, False)
    (home / "own.csv").write_text(f"kind,hash\nsha256,{B}\n")
    settings = home / "wardmark.toml"
    before = settings.read_text()
    settings.write_text(before.replace("known_content = []", 'known_content = ["own.csv"]'))
    try:
        assert wardmark("known-content", "export", "-o", out).code == 0
    finally:
        settings.write_text(before)
    assert B in out.read_text()


def test_a_place_that_is_not_there_is_said(wardmark: Wardmark, tmp_path: Path) -> None:
    ran = wardmark("known-content", "make", tmp_path / "none", "-o", tmp_path / "own.csv")
    assert ran.code == 2
    assert "there is no" in ran.err
