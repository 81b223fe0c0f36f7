"""The main job, with the real parts from end to end."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from provenance.picture import decode, encode
from tests.cli.conftest import Ran, Wardmark

PROMPT = "a red sailboat on the sea at sunset, with mountains"
UNSAFE = "a labelled diagram that shows how to build a pipe bomb at home"


@pytest.fixture(scope="module")
def made(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture by the embedded core, at its default size."""
    from guard.cli import run

    path = tmp_path_factory.mktemp("made") / "boat.png"
    arguments = ["generate", PROMPT, "-o", str(path), "--seed", "7", "--home", str(home)]
    assert run(arguments) == 0
    return path


def test_a_generated_picture_is_512_pixels_and_established(made: Path, wardmark: Wardmark) -> None:
    picture = decode(made.read_bytes())
    assert (picture.width, picture.height) == (512, 512)
    (report,) = verified(wardmark("verify", made, "--json"))
    assert report["verdict"] == "established"
    assert report["origin"] == "ai-generated"
    assert report["credential"]["state"] == "trusted"
    assert report["watermark"]["found"]
    assert report["record"]["inclusion"] == "proved"
    assert report["disclosures"]["provider"] == "Test provider"
    assert "development" in report["summary"].lower()


def test_maps_of_words_are_written_beside_the_picture(wardmark: Wardmark, tmp_path: Path) -> None:
    picture, maps = tmp_path / "boat.png", tmp_path / "maps"
    asked = ("a red boat", "-o", picture, "--maps", maps, "--size", "384x384", "--steps", "4")
    assert wardmark("generate", *asked).code == 0
    names = [file.name for file in sorted(maps.iterdir())]
    assert names == ["boat-01-a.png", "boat-02-red.png", "boat-03-boat.png"]
    assert decode((maps / names[2]).read_bytes()).pixels.shape == (384, 384, 3)


def verified(ran: Ran) -> list[Any]:
    """The report of each file: one object a line, or one document."""
    assert ran.code in (0, 1), ran.err
    return [ran.document] if ran.out.startswith("{\n") else [*map(json.loads, ran.out.splitlines())]


def test_a_screenshot_without_metadata_is_recovered(
    made: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    copy = tmp_path / "screenshot.png"
    copy.write_bytes(encode(decode(made.read_bytes()).pixels, "png"))
    ran = wardmark("verify", copy, "--json")
    (report,) = verified(ran)
    assert ran.code == 0
    assert report["verdict"] == "recovered"
    assert report["credential"]["state"] == "absent"


def test_a_changed_byte_is_contradicted(made: Path, wardmark: Wardmark, tmp_path: Path) -> None:
    data = bytearray(made.read_bytes())
    data[-2000] ^= 1
    changed = tmp_path / "changed.png"
    changed.write_bytes(data)
    ran = wardmark("verify", changed, "--json")
    assert ran.code in (1, 4)
    if ran.code == 1:
        assert verified(ran)[0]["verdict"] == "contradicted"


def test_the_same_seed_draws_the_same_picture(
    made: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    again = tmp_path / "again.png"
    assert wardmark("generate", PROMPT, "-o", again, "--seed", 7).code == 0
    first, second = (decode(path.read_bytes()).pixels for path in (made, again))
    assert np.abs(first.astype(int) - second).mean() < 4  # their marks differ, nothing else does


def test_an_unsafe_prompt_is_refused_with_reasons_and_recorded(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    ran = wardmark("generate", UNSAFE, "-o", tmp_path / "x.png", "--json")
    assert ran.code == 3
    error = ran.document["error"]
    assert error["code"] == "moderation_blocked"
    assert error["reasons"]
    assert all(b["value"] >= b["limit"] for r in error["reasons"] for b in r["because"])
    assert error["decision_id"] in ran.err
    assert not (tmp_path / "x.png").exists()


def test_every_delivered_picture_has_a_proof_that_verifies_offline(
    made: Path, wardmark: Wardmark, tmp_path: Path, home: Path
) -> None:
    (report,) = verified(wardmark("verify", made, "--json"))
    proof = tmp_path / "proof.json"
    assert wardmark("ledger", "prove", report["record"]["id"], "-o", proof).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    key = (home / "ledger.pub").read_text().strip()
    ran = wardmark("--home", elsewhere, "ledger", "verify", proof, "--key", key, "--json")
    assert ran.code == 0
    assert ran.document["valid"]
    proof.write_text(proof.read_text().replace('"delivery"', '"refusal"'))
    assert wardmark("ledger", "verify", proof, "--key", key).code == 1


def test_the_whole_ledger_verifies(made: Path, wardmark: Wardmark) -> None:
    ran = wardmark("ledger", "verify", "--json")
    assert ran.code == 0
    assert ran.document["size"] > 0
    assert ran.document["findings"] == []


def test_several_pictures_are_numbered(wardmark: Wardmark, tmp_path: Path) -> None:
    ran = wardmark(
        "generate", "a snowy field at night", "-o", tmp_path / "n.jpg", "-n", 2, "--json"
    )
    assert ran.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n-1.jpg", "n-2.jpg"]
    assert len({image["content_id"] for image in ran.document["images"]}) == 2


def test_a_picture_from_social_media_still_leads_back(
    made: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    pixels = decode(made.read_bytes()).pixels
    smaller = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    copy = tmp_path / "social.jpg"
    copy.write_bytes(encode(smaller, "jpeg", quality=70))
    (report,) = verified(wardmark("verify", copy, "--json"))
    assert report["verdict"] == "recovered"
    assert report["fingerprint"]["match"]["false_positive_probability"] < 1e-3


def test_ctrl_c_leaves_no_file_and_a_ledger_that_verifies(
    home: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    output = tmp_path / "never.png"
    before = wardmark("ledger", "verify", "--json").document["size"]
    command = [
        sys.executable, "-c", "from guard.cli import main; main()", "generate", PROMPT,
        "-o", str(output), "--steps", "60", "-n", "10", "--home", str(home),
    ]  # fmt: skip
    people, terminal = pty.openpty()
    with subprocess.Popen(command, stderr=terminal, start_new_session=True) as process:
        os.close(terminal)
        said = _read_until(people, r"generate .* [1-9]\d*/\d+")
        process.send_signal(signal.SIGINT)
        said += _read_until(people, None)
        assert process.wait(timeout=120) == 130
    os.close(people)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    after = wardmark("ledger", "verify", "--json")
    assert after.code == 0
    assert after.document["size"] == before + 1


def _read_until(terminal: int, pattern: str | None) -> str:
    """What a terminal shows until ``pattern`` is in it, or to its end; two minutes of silence at
    most."""
    said = ""
    while pattern is None or not re.search(pattern, said):
        assert select.select([terminal], [], [], 120)[0], f"nothing more was said after {said!r}"
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux tells the end of a terminal as an error
            read = b""
        if not read:
            assert pattern is None, f"it ended with {said!r}"
            break
        said += read.decode(errors="replace")
    return said


def test_a_full_disk_leaves_no_file_and_a_ledger_that_verifies(
    home: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    probe = ["unshare", "-rm", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("needs unshare and user namespaces, to make a disk of 64 KB")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {disk} && "
        f'"{sys.executable}" -c "from guard.cli import main; main()" generate "{PROMPT}"'
        f' -o {disk}/x.png --home {home}; echo "exit $?"; ls -A {disk}'
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, env=environment
    )
    assert ran.stdout.strip() == "exit 4", ran.stdout + ran.stderr
    assert "could not be written" in ran.stderr
    assert wardmark("ledger", "verify").code == 0
