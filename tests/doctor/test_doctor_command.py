"""``wardmark doctor`` as people and programs see it."""

import json
from pathlib import Path

import pytest

from guard.cli import run
from guard.doctor import CHECKS
from tests.doctor.conftest import set_in

LIGHT = ["--only", "ledger", "--only", "signer"]


def test_a_program_reads_one_document(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--home", str(home), "--json", *LIGHT]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["home"] == str(home)
    states = {f["check"]: f["state"] for f in document["findings"]}
    assert list(states) == ["settings", "database", "migrations", "ledger", "signer"]


def test_a_person_reads_what_to_mend_below_what_is_wrong(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "ledger.key").chmod(0o644)
    assert run(["doctor", "--home", str(home), "--only", "permissions"]) == 1
    lines = capfd.readouterr().out.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("fail")]
    assert "ledger.key" in lines[at]
    assert lines[at + 1].strip().startswith("Run: chmod 600")


def test_a_part_that_is_down_and_a_thing_to_mend_have_codes_of_their_own(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--home", str(home), *LIGHT, "--strict"]) == 1  # a development signer
    (home / "ledger.db").unlink()
    assert run(["doctor", "--home", str(home), *LIGHT]) == 4
    assert "wardmark init" in capfd.readouterr().out


def test_no_home_and_no_such_check_are_wrong_use(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--home", str(tmp_path / "none")]) == 2
    assert run(["doctor", "--home", str(home), "--only", "weather"]) == 2
    said = capfd.readouterr().err
    assert all(check.name in said for check in CHECKS)


def test_looking_changes_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def contents() -> dict[str, bytes]:
        files = (p for p in home.rglob("*") if p.is_file())
        return {str(p): p.read_bytes() for p in files if not p.name.endswith(("-wal", "-shm"))}

    set_in(home, 'provider = "Example Ltd"', 'provider = "Another Ltd"')
    before = contents()
    quick = [f"--only={check.name}" for check in CHECKS if check.name not in ("guards", "policy")]
    assert run(["doctor", "--home", str(home), "--whole", *quick]) == 0
    assert contents() == before
