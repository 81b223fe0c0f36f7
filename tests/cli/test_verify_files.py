"""``wardmark verify`` over files, folders and patterns, in one process and in several."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.pipeline import ImageRequest, deliver
from guard.verification import named_files
from provenance.home import Home
from provenance.picture import decode, encode
from tests.cli.conftest import Wardmark
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

STRANGER = encode(textured_picture("somebody else's", 128, 128, 9), "png")


@pytest.fixture(scope="module")
def delivered(home: Path) -> bytes:
    """A picture that this home marked, signed and recorded."""
    opened = Home.open(home)
    (released,) = pipeline_of(opened).run(ImageRequest(prompt="a calm sea", seed=3)).released
    data = deliver(released)
    opened.ledger.close()
    return data


@pytest.fixture
def folder(delivered: bytes, tmp_path: Path) -> Path:
    """Two pictures by us, two by others, and things that are none, in a tree."""
    place = tmp_path / "pictures"
    (place / "below" / "deeper").mkdir(parents=True)
    (place / ".hidden").mkdir()
    (place / "b.png").write_bytes(delivered)
    (place / "a.png").write_bytes(STRANGER)
    (place / "below" / "no-ending").write_bytes(encode(decode(delivered).pixels, "jpeg"))
    (place / "below" / "deeper" / "c.jpg").write_bytes(STRANGER)
    (place / "notes.png").write_text("a text, whatever its name says")
    (place / ".hidden" / "d.png").write_bytes(STRANGER)
    return place


def names(paths: list[Path], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


def test_a_folder_stands_for_the_pictures_in_it_and_below(folder: Path) -> None:
    found = list(named_files([folder]))
    assert names(found, folder) == ["a.png", "b.png", "below/no-ending", "below/deeper/c.jpg"]


def test_a_pattern_is_expanded_and_no_file_comes_twice(folder: Path) -> None:
    found = list(named_files([folder / "b.png", folder / "*.png", folder / "**" / "*.jpg"]))
    assert names(found, folder) == ["b.png", "a.png", "notes.png", "below/deeper/c.jpg"]


def test_a_name_with_brackets_is_a_name_where_such_a_file_lies(tmp_path: Path) -> None:
    odd = tmp_path / "scan[1].png"
    odd.write_bytes(STRANGER)
    (tmp_path / "scan1.png").write_bytes(STRANGER)
    assert list(named_files([odd])) == [odd]


def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert folder / "pipe" not in set(named_files([folder]))


def test_several_processes_answer_as_one_does_and_in_order(
    wardmark: Wardmark, folder: Path
) -> None:
    alone = wardmark("verify", folder, "--workers", 1, "--json")
    together = wardmark("verify", folder, "--workers", 2, "--json")
    assert (together.code, together.out) == (alone.code, alone.out)
    reports = [json.loads(line) for line in alone.out.splitlines()]
    verdicts = {Path(report["file"]).name: report["verdict"] for report in reports}
    assert list(verdicts.items()) == [
        ("a.png", "none"),
        ("b.png", "established"),
        ("no-ending", "recovered"),
        ("c.jpg", "none"),
    ]
    assert alone.code == 1


def test_processes_of_a_fresh_command_answer_as_one_does(
    wardmark: Wardmark, folder: Path, home: Path
) -> None:
    """A command that has loaded nothing yet forks, while the test above starts processes anew."""
    program = "from guard.cli import main; main()"
    command = [sys.executable, "-c", program, "--home", str(home), "verify", str(folder)]
    fresh = subprocess.run([*command, "--workers", "2", "--json"], capture_output=True, text=True)
    here = wardmark("verify", folder, "--workers", 1, "--json")
    assert (fresh.returncode, fresh.stdout) == (here.code, here.out)
    assert '"verdict":"established"' in fresh.stdout


DEADLY = """
import os, signal, sys
from pathlib import Path
from guard.verification import Asked, verify_all

def verify(self, file, known=Asked.verify):
    if file.name == "b.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return known(self, file)

Asked.verify = verify
files = sorted(Path(sys.argv[1]).glob("*.png"))
for file, report, problem in verify_all(files, Asked(), 2):
    print(file.name, report.verdict.value if report else problem.code)
"""


def test_a_file_that_kills_its_process_is_named_and_the_rest_is_verified(tmp_path: Path) -> None:
    for name in "abcdefghijklmn":
        (tmp_path / f"{name}.png").write_bytes(STRANGER)
    ran = subprocess.run(
        [sys.executable, "-c", DEADLY, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    answers = dict(line.split() for line in ran.stdout.splitlines())
    assert list(answers) == [f"{name}.png" for name in "abcdefghijklmn"], ran.stderr
    assert answers.pop("b.png") == "provenance_unavailable"
    assert set(answers.values()) == {"none"}


def test_what_cannot_be_read_is_told_and_the_rest_is_verified(
    wardmark: Wardmark, folder: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = wardmark(
        "verify", folder / "b.png", tmp_path / "missing.png", empty, tmp_path / "none*.png",
        "--json",
    )  # fmt: skip
    first, missing, nothing, no_match = map(json.loads, ran.out.splitlines())
    assert ran.code == 4
    assert first["verdict"] == "established"
    assert {missing["error"]["code"], no_match["error"]["code"]} == {"invalid_image"}
    assert "holds no picture" in nothing["error"]["message"]
    assert "1 established, 3 not read" in ran.err


def test_a_home_that_is_not_there_stops_all_processes(wardmark: Wardmark, folder: Path) -> None:
    ran = wardmark("verify", folder, "--workers", 2, "--home", folder / "nowhere", "--json")
    assert ran.code == 2
    assert ran.document["error"]["code"] == "home_invalid"


def test_nothing_named_is_wrong_use(wardmark: Wardmark) -> None:
    ran = wardmark("verify", "--json")
    assert ran.code == 2
    assert ran.document["error"]["code"] == "invalid_value"


def test_a_revocation_that_was_asked_about_and_not_answered_is_told(
    wardmark: Wardmark, folder: Path
) -> None:
    """A development certificate names no authority to ask, so nothing goes over the network."""

    def names(*options: str) -> set[str]:
        said = wardmark("verify", folder / "b.png", "--json", *options).document["agreement"]
        return {agreement["name"] for agreement in said}

    assert "revocation-unknown" not in names()
    assert "revocation-unknown" in names("--revocation")


def test_lines_of_one_law_alone(wardmark: Wardmark, folder: Path) -> None:
    ran = wardmark("verify", folder / "b.png", "--legal", "ca", "--json")
    assert {line["line"][:3] for line in ran.document["legal"]} == {"CA-"}
    said = wardmark("verify", folder / "b.png", "--legal", "cn").out
    assert "CN-Z1" in said
    assert "EU-E1" not in said
