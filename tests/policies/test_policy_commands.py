"""``wardmark policy``: the real command line over real files and a real home."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.cli.policy import time_of
from guard.errors import InvalidRequest
from guard.pipeline import ImageRequest
from policies.load import list_policies, load_policy, pack_names, packs_folder
from provenance.home import Home
from tests.cli.conftest import Wardmark
from tests.support.deployment import pipeline_of

STRICT = """\
name: strict
version: "1"
description: Nothing at all.
applies: Nowhere
includes: [default]
overrides:
  - rule: ip-trademark
    because: Nobody here minds.
    drop: true
rules:
  - id: everything
    stage: prompt
    when: {field: count, op: ">=", limit: 1}
    action: block
    message: Nothing is drawn.
"""


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    file = tmp_path / "strict.yaml"
    file.write_text(STRICT)
    return file


def test_packs_are_listed(wardmark: Wardmark) -> None:
    ran = wardmark("policy", "list", "--json")
    assert [one["name"] for one in ran.document] == list(pack_names())
    assert {one["digest"] for one in ran.document} == {one.digest for one in list_policies()}
    people = wardmark("policy", "list")
    assert all(name in people.out for name in pack_names())


def test_show_says_where_each_rule_comes_from_and_what_was_overridden(
    wardmark: Wardmark, strict: Path
) -> None:
    ran = wardmark("policy", "show", strict)
    assert ran.code == 0
    assert "overridden by strict, may stop less: Nobody here minds." in ran.out
    assert "everything" in ran.out
    assert "from default" in ran.out
    shown = wardmark("policy", "show", strict, "--json").document
    assert shown["policy"]["digest"] == load_policy(strict).digest
    assert shown["includes"] == [{"name": "default", "version": load_policy("default").version}]
    dropped = [one for one in shown["rules"] if not one["in_force"]]
    assert [(one["id"], one["origin"]) for one in dropped] == [("ip-trademark", "default")]


def test_show_effective_is_a_document_of_the_same_digest(
    wardmark: Wardmark, strict: Path, tmp_path: Path
) -> None:
    ran = wardmark("policy", "show", strict, "--effective")
    whole = tmp_path / "whole.yaml"
    whole.write_text(ran.out)
    assert load_policy(whole).digest == load_policy(strict).digest
    assert "includes" not in ran.out
    assert "# dropped by strict (may stop less): Nobody here minds." in ran.out


def test_lint_answers_by_its_exit_code(wardmark: Wardmark, strict: Path) -> None:
    ran = wardmark("policy", "lint", strict)
    assert ran.code == 1
    assert f"{strict}:1:1: no-cases: there are no cases" in ran.out
    assert f"{strict}:7:5: note, weakened:" in ran.out
    found = wardmark("policy", "lint", strict, "--json").document
    assert not found["ok"]
    assert [(one["code"], one["note"]) for one in found["findings"]] == [
        ("no-cases", False),
        ("weakened", True),
    ]
    for pack in pack_names():
        assert wardmark("policy", "lint", pack).code == 0


def test_lint_of_a_broken_file_names_line_and_column(wardmark: Wardmark, strict: Path) -> None:
    strict.write_text(STRICT.replace("count", "cuont"))
    ran = wardmark("policy", "lint", strict)
    assert ran.code == 1
    assert f"{strict}:13:19: invalid: no field 'cuont'; did you mean" in ran.out
    shown = wardmark("policy", "show", strict, "--json")
    assert (shown.code, shown.document["error"]["code"]) == (2, "policy_invalid")
    assert "strict.yaml:13:19" in shown.err


def test_cases_are_put_to_a_policy(wardmark: Wardmark, tmp_path: Path) -> None:
    ran = wardmark("policy", "test", "default")
    assert ran.code == 0
    assert "cases hold" in ran.out
    # The cases of another policy do not hold for this one, and it says which.
    cases = packs_folder() / "cases" / "kids.yaml"
    ran = wardmark("policy", "test", "default", "--cases", cases)
    assert ran.code == 1
    assert "failed: hidden words wait for a person" in ran.out
    document = wardmark("policy", "test", "default", "--cases", cases, "--json").document
    assert document["failed"] > 0
    assert document["failed"] + document["passed"] == len(document["cases"])
    shutil.copy(packs_folder() / "default.yaml", tmp_path / "own.yaml")
    ran = wardmark("policy", "test", tmp_path / "own.yaml", "--json")
    assert (ran.code, ran.document["error"]["code"]) == (2, "policy_not_found")
    ran = wardmark("policy", "test", "default", "--cases", tmp_path / "gone.yaml")
    assert ran.code == 2


@pytest.mark.parametrize("more", [(), ("--cases",)])
def test_the_schema_is_printed(wardmark: Wardmark, more: tuple[str, ...]) -> None:
    ran = wardmark("policy", "schema", *more)
    assert ran.code == 0
    assert json.loads(ran.out)["$schema"].endswith("/draft/2020-12/schema")


def test_replay_tells_what_would_change_and_changes_nothing(
    wardmark: Wardmark, home: Path, strict: Path
) -> None:
    opened = Home.open(home)
    pipeline_of(opened).run(ImageRequest(prompt="a calm sea", seed=1))
    size = opened.ledger.size
    ran = wardmark("policy", "replay", strict, "--since", "1h", "--json")
    assert ran.code == 0
    report = ran.document
    assert (report["judged"], report["stricter"]) == (2, 1)
    assert report["rules"] == [{"rule": "everything", "gained": 1, "lost": 0}]
    (one,) = report["differences"]
    assert (one["part"], one["before"], one["after"]) == ("prompt_stage", "allow", "block")
    people = wardmark("policy", "replay", strict, "--since", "1h")
    assert "prompt_stage: allow -> block" in people.out
    assert one["decision"] in people.out
    assert opened.ledger.size == size
    again = wardmark("policy", "replay", "default", "--since", "1h", "--json")
    assert again.document["same"] == 2
    trial = wardmark("policy", "candidate", strict, "--since", "1h", "--json")
    assert trial.document["judged"] == 0


def test_a_replay_needs_to_know_since_when(wardmark: Wardmark) -> None:
    assert wardmark("policy", "replay", "default").code == 2
    ran = wardmark("policy", "replay", "default", "--since", "yesterday", "--json")
    assert (ran.code, ran.document["error"]["code"]) == (2, "invalid_value")
    assert "24h" in ran.err


def test_a_time_is_read_as_a_date_or_as_so_long_ago() -> None:
    assert time_of("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    assert time_of("2026-11-20T12:00+02:00") == datetime(2026, 11, 20, 10, tzinfo=UTC)
    before = datetime.now(UTC)
    assert before <= time_of("7d") + timedelta(days=7) <= datetime.now(UTC)
    with pytest.raises(InvalidRequest):
        time_of("-7d")
