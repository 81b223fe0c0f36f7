"""What a subject's samples reach, over a real home, real audits and real entries of deliveries."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from delivered import delivered

from datasets_audit import load_report
from datasets_audit.example import make_example
from guard.cli import run
from provenance.home import Home

SUBJECT = "contributor-007"


class Ran(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one audit, ``../audit``, of what its core ``scenes`` is said to have learnt."""
    path = tmp_path_factory.mktemp("deployment") / "home"
    assert run(["init", "--home", str(path), "--provider", "Test provider"]) == 0
    example = make_example(path.parent / "example")
    given = ["audit", str(example.images), "--name", "drawings"]
    given += ["--annotations", str(example.annotations), "--out", str(path.parent / "audit")]
    assert run(["--home", str(path), *given]) == 0
    root = load_report(path.parent / "audit").root
    with (path / "wardmark.toml").open("a", encoding="utf-8") as settings:
        for core, digest in (("scenes", root), ("elsewhere", "ab" * 32)):
            settings.write(
                f'\n[[data_sets]]\ncore = "{core}"\nname = "drawings"\ndigest = "{digest}"\n'
            )
    ledger = Home.open(path).ledger
    for number, core in enumerate(["scenes", "scenes", "other", "scenes"]):
        ledger.record(delivered(number, core))
    return path


@pytest.fixture
def wardmark(home: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def command(*arguments: object) -> Ran:
        code = run(["--home", str(home), *map(str, arguments)])
        return Ran(code, capfd.readouterr().out)

    return command


def test_samples_lead_to_versions_cores_and_pictures(
    home: Path, wardmark: Callable[..., Ran]
) -> None:
    folder = home.parent / "audit"
    report = load_report(folder)
    ran = wardmark("impact", "--subject", SUBJECT, "--audit", folder, "--json")
    assert ran.code == 0
    found = ran.document
    pseudonym = Home.open(home).subjects.pseudonym(SUBJECT)
    rows = pq.read_table(folder / report.shards[0].file).to_pylist()
    keys = sorted(row["key"] for row in rows if row["subject"] == pseudonym)
    (version,) = found["versions"]
    assert keys
    assert (version["samples"], version["keys"]) == (len(keys), keys)
    assert sum(version["consent"].values()) == len(keys)
    assert report.ledger is not None
    assert (version["entry"], version["intact"]) == (report.ledger.version_entry, True)
    assert found["cores"] == [{"core": "scenes", "data_set": "drawings", "digest": report.root}]
    (drawn,) = found["pictures"]
    assert drawn["content_ids"] == [f"{number:016x}" for number in (0, 1, 3)]
    assert drawn["pictures"] == 3
    assert any("elsewhere" in reason for reason in found["unknown"])
    assert SUBJECT not in ran.out


def test_the_home_knows_where_its_audits_lie(home: Path, wardmark: Callable[..., Ran]) -> None:
    named = wardmark("impact", "--subject", SUBJECT, "--audit", home.parent / "audit", "--json")
    assert wardmark("impact", "--subject", SUBJECT, "--json").document == named.document


def test_a_version_whose_rows_were_not_found_is_an_open_question(
    home: Path, wardmark: Callable[..., Ran]
) -> None:
    (home.parent / "audit").rename(home.parent / "moved")
    found = wardmark("impact", "--subject", SUBJECT, "--json").document
    (home.parent / "moved").rename(home.parent / "audit")
    assert found["versions"] == found["cores"] == found["pictures"] == []
    root = load_report(home.parent / "audit").root
    assert any(root[:12] in reason and "not searched" in reason for reason in found["unknown"])
    assert any("The core scenes" in reason for reason in found["unknown"])


def test_a_subject_of_no_sample_reaches_nothing(home: Path, wardmark: Callable[..., Ran]) -> None:
    ran = wardmark("impact", "--subject", "nobody", "--audit", home.parent / "audit")
    assert ran.code == 0
    assert "nothing of this subject in 1 audits" in ran.out
    assert "core     " not in ran.out
    assert wardmark("impact", "--subject", "", "--json").code == 2
    assert wardmark("impact", "--subject", "x", "--audit", home.parent).code == 4


def test_rows_that_were_changed_and_rows_of_another_home_are_named(
    home: Path, tmp_path: Path, wardmark: Callable[..., Ran]
) -> None:
    changed, foreign = tmp_path / "changed", tmp_path / "foreign"
    for copy in (changed, foreign):
        shutil.copytree(home.parent / "audit", copy)
    file = changed / load_report(changed).shards[0].file
    table = pq.read_table(file)
    pq.write_table(table.slice(1), file)
    found = wardmark("impact", "--subject", SUBJECT, "--audit", changed, "--json").document
    assert not found["versions"] or not found["versions"][0]["intact"]
    assert any("changed since" in reason for reason in found["unknown"])
    (foreign / "sketches" / "key.hex").write_text("00" * 32)
    found = wardmark("impact", "--subject", SUBJECT, "--audit", foreign, "--json").document
    assert found["searched"] == 0
    assert any("another home's key" in reason for reason in found["unknown"])


def test_a_withdrawal_shows(wardmark: Callable[..., Ran]) -> None:
    subject = "contributor-011"
    before = wardmark("impact", "--subject", subject, "--json").document
    assert before["consent"]["state"] == "unknown"
    assert wardmark("withdraw", "--subject", subject).code == 0
    assert "consent  withdrawn since" in wardmark("impact", "--subject", subject).out
