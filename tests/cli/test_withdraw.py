"""``wardmark withdraw`` and ``wardmark retention`` over a real home."""

from pathlib import Path

import pytest

from datasets_audit.sample import subject_commitment
from provenance.errors import SubjectForgotten
from provenance.home import Home
from tests.cli.conftest import Wardmark

ADA = "ada-lovelace-1815"


def test_a_withdrawal_is_recorded_and_leaves_nothing(home: Path, wardmark: Wardmark) -> None:
    opened = Home.open(home)
    event = opened.subjects.event("appeal", ADA, {"said": "it is my picture"})
    (entry,) = opened.ledger.append([event])

    ran = wardmark("withdraw", "--subject", ADA, "--json")
    assert (ran.code, ran.err) == (0, "")
    done = ran.document
    assert (done["keys_destroyed"], done["sealed"], done["readable"]) == (1, 1, 0)
    assert done["complete"]
    assert done["subject"] == entry.body["subject"]
    assert done["subject"] == subject_commitment(opened.commitment_key, ADA)  # as in audits
    assert ADA not in ran.out

    again = wardmark("withdraw", "--subject", ADA)
    assert again.code == 0
    assert "0 keys destroyed now; of 1 sealed entries 0 can be read" in again.out
    assert wardmark("ledger", "prove", entry.id).code == 0
    assert wardmark("ledger", "verify").code == 0
    assert not any(ADA.encode() in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_a_withdrawal_needs_to_say_of_whom(wardmark: Wardmark) -> None:
    assert wardmark("withdraw").code == 2
    empty = wardmark("withdraw", "--subject", "", "--json")
    assert (empty.code, empty.document["error"]["code"]) == (2, "event_invalid")


def test_a_home_that_was_made_before_gets_its_store(home: Path, wardmark: Wardmark) -> None:
    (home / "subject-keys.db").unlink()
    assert wardmark("withdraw", "--subject", "grace").code == 0
    assert (home / "subject-keys.db").stat().st_mode & 0o077 == 0


def test_retention_says_what_is_due_and_ends_it(home: Path, wardmark: Wardmark) -> None:
    Home.open(home).subjects.event("appeal", "grace-hopper", {})
    report = wardmark("retention", "--json").document
    classes = {found["name"]: found for found in report["classes"]}
    assert (classes["dispute"]["keys"], classes["dispute"]["due"]) == (1, 0)
    assert classes["consent"]["keep_days"] is None
    ran = wardmark("retention", "--erase")
    assert (ran.code, ran.err) == (0, "")
    assert "for ever" in ran.out


def test_a_copy_of_the_keys_brings_back_all_but_who_left(
    home: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    opened = Home.open(home)
    stays, leaves = (
        opened.ledger.append([opened.subjects.event("appeal", who, {"said": "mine"})])[0]
        for who in ("stays-1", "leaves-1")
    )
    copy = tmp_path / "keys.db"
    made = wardmark("subject-keys", "copy", copy, "--keep", 3, "--json")
    assert (made.code, made.document["file"]) == (0, str(copy))
    assert copy.stat().st_mode & 0o077 == 0
    assert wardmark("withdraw", "--subject", "leaves-1").code == 0
    refused = wardmark("subject-keys", "restore", copy, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "key_copy_refused")

    (home / "subject-keys.db").unlink()
    assert wardmark("subject-keys", "restore", copy).code == 2  # older than the withdrawal
    assert wardmark("subject-keys", "restore", copy, "--forgetting").code == 0
    subjects = Home.open(home).subjects
    assert subjects.open(stays).plain == {"said": "mine"}
    with pytest.raises(SubjectForgotten):
        subjects.open(leaves)


def test_a_copy_of_the_keys_is_not_kept_longer_than_a_month(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    assert wardmark("subject-keys", "copy", tmp_path / "keys.db", "--keep", 31).code == 2
    assert not (tmp_path / "keys.db").exists()
