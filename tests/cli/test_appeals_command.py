"""``wardmark appeals``: listed, read beside the decision, answered once, exported on permission."""

from pathlib import Path

import pytest

from guard.appeals import Appeals, Statement
from guard.decisions import find_decision
from guard.pipeline import ImageRequest
from policies.errors import Refused
from provenance.home import Home
from tests.cli.conftest import Wardmark
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.deployment import pipeline_of


def appealed(home: Path, statement: str = "it is harmless") -> str:
    opened = Home.open(home)
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    with pytest.raises(Refused) as error:
        pipeline_of(opened, prompts=prompts).run(ImageRequest(prompt="a pillow fight"))
    found = find_decision(opened.ledger, error.value.decision_id)  # type: ignore[attr-defined]
    said = Statement(statement=statement, prompt="a pillow fight", reuse=True)
    return Appeals(opened).open(found, said).id


def test_an_appeal_is_listed_read_and_answered(home: Path, wardmark: Wardmark) -> None:
    named = appealed(home)
    assert named in wardmark("appeals", "list").out
    shown = wardmark("appeals", "show", named)
    assert "it is harmless" in shown.out
    assert "the prompt they give: a pillow fight" in shown.out
    document = wardmark("appeals", "show", named, "--json").document
    reason = document["decision"]["endings"][0]["stages"][0]["reasons"][0]
    assert reason["because"][0]["value"] == 0.97
    answer = ("appeals", "answer", named, "overturned", "--words", "so it is")
    assert wardmark(*answer).code == 0
    again = wardmark(*answer, "--json")
    assert (again.code, again.document["error"]["code"]) == (2, "already_ruled")
    assert wardmark("appeals", "list", "--json").document == []
    (answered,) = wardmark("appeals", "list", "--answered", "--json").document
    assert (answered["id"], answered["state"]) == (named, "overturned")


def test_what_a_stranger_wrote_moves_no_terminal(home: Path, wardmark: Wardmark) -> None:
    named = appealed(home, "harmless\x1b[2J\x07\nreally")
    shown = wardmark("appeals", "show", named).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\nreally" in shown


def test_an_answer_is_one_of_two(home: Path, wardmark: Wardmark) -> None:
    ran = wardmark("appeals", "answer", appealed(home), "perhaps", "--words", "x", "--json")
    assert (ran.code, ran.document["error"]["code"]) == (2, "invalid_value")
    assert wardmark("appeals", "show", "apl_x").code == 2


def test_nothing_is_exported_unless_the_settings_say_so(
    home: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    ran = wardmark("appeals", "export", tmp_path / "labelled.jsonl")
    assert ran.code == 2
    assert "[appeals] export = true" in ran.err
    assert not (tmp_path / "labelled.jsonl").exists()
