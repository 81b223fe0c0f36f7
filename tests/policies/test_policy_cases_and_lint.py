"""Cases hold the packs to their word, and the lint finds what is legal and yet wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from policies.cases import Case, load_cases, run
from policies.decision import Action
from policies.errors import PolicyInvalid, PolicyNotFound
from policies.facts import Facts
from policies.implication import covers, never
from policies.language import Rule
from policies.lint import lint_policy
from policies.load import load_effective, load_policy, pack_names
from policies.policy import Policy
from tests.policies.documents import FEW_FIELDS, document, documents, facts, policy, rule

CASES = [
    pytest.param(load_policy(name), case, id=f"{name}: {case.name}")
    for name in pack_names()
    for case in load_cases(name)
]

HEAD = """\
name: small
version: "1"
description: Small.
applies: Nowhere
rules:
"""


def entry(name: str, when: str, rest: str = "action: block") -> str:
    """One rule on five lines."""
    return f"""\
  - id: {name}
    stage: both
    when: {when}
    {rest}
    message: No.
"""


@pytest.mark.parametrize(("pack", "case"), CASES)
def test_a_pack_keeps_its_case(pack: Policy, case: Case) -> None:
    (outcome,) = run(pack, [case])
    assert outcome.faults == ()


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_has_nothing_to_remark_but_what_it_states(name: str) -> None:
    found = lint_policy(name)
    assert all(one.is_note for one in found)
    loosened = {
        standing.rule.id
        for standing in load_effective(name).standing
        if any(change.may_weaken for change in standing.changes)
    }
    assert {one.rule for one in found} == loosened
    expected = {rule for case in load_cases(name) for rule in case.expect.rules}
    assert expected <= {rule.id for rule in load_policy(name).document.rules}


def test_a_case_that_fails_says_what_differed() -> None:
    case = Case.model_validate(
        {
            "name": "wrong in every way",
            "facts": {
                "stage": "prompt",
                "scores": {"violence": 0.9},
                "thresholds": {"violence": 0.5},
            },
            "expect": {"action": "review", "rules": ["shocking"], "obligations": ["ledger"]},
        }
    )
    (outcome,) = run(load_policy("default"), [case])
    assert not outcome.passed
    assert outcome.action is Action.BLOCK
    assert outcome.faults == (
        "the action is block, not review",
        "violence fired",
        "shocking did not fire",
        "due are credential, ledger, watermark, not ledger",
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("cases: []\n", 1, "cases is empty"),
        ("cases:\n  - name: a\n    facts: {stage: prmpt}\n", 3, "stage is 'prmpt'"),
        (
            "cases:\n  - name: a\n    facts: {stage: prompt, scores: {violense: 1}}\n",
            3,
            "unknown category 'violense'",
        ),
        ("base: 7\ncases: []\n", 1, "base"),
        ("7\n", 1, ""),
    ],
)
def test_broken_cases_are_told_with_their_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "own.yaml").write_text(HEAD + entry("one", "{field: qr.present, op: is_true}"))
    (tmp_path / "cases" / "own.yaml").write_text(text)
    with pytest.raises(PolicyInvalid) as caught:
        load_cases(tmp_path / "own.yaml")
    assert any(at.line == line and said in at.message for at in caught.value.problems)


def test_a_policy_without_cases_says_where_to_write_them(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(HEAD)
    with pytest.raises(PolicyNotFound, match=r"write them in cases/own\.yaml"):
        load_cases(tmp_path / "own.yaml")


MORE_THAN_ONE = "{field: count, op: '>=', limit: 2}"
CODE = "{field: qr.present, op: is_true}"
ADULT = "{field: caller.age_verified, op: is_true}"

LINTED = {
    "unreachable": (
        entry("one", f"{{all: [{MORE_THAN_ONE}, {{field: count, op: '<', limit: 2}}]}}"),
        "unreachable",
        8,
    ),
    "unreachable in every branch": (
        entry(
            "one",
            "{any: [{field: score.unsafe, op: '>', limit: 1},"
            f" {{all: [{ADULT}, {{not: {ADULT}}}]}}]}}",
        ),
        "unreachable",
        8,
    ),
    "a duplicate in other words": (
        entry("one", "{field: caller.age_verified, op: is_false}")
        + entry("two", f"{{not: {ADULT}}}"),
        "duplicate",
        13,
    ),
    "a higher limit": (
        entry("one", MORE_THAN_ONE)
        + entry("two", "{field: count, op: '>=', limit: 4}", "action: review"),
        "covered",
        13,
    ),
    "a silent skip": (
        entry(
            "one",
            "{field: score.violence, op: '>=', limit: 0.5}",
            "action: block\n    on_missing: skip",
        ),
        "unanswered-skip",
        10,
    ),
    "a label that nobody draws": (
        entry("one", MORE_THAN_ONE, "action: label"),
        "unmet-label",
        9,
    ),
    "a requirement without a rule": (
        entry("one", MORE_THAN_ONE) + "requires: [violence]\n",
        "unused-requirement",
        11,
    ),
    "an unknown field": (entry("one", "{field: cuont, op: '>=', limit: 2}"), "invalid", 8),
    "a rule that never decides": (
        entry("one", "{field: text.lines, op: '>=', limit: 2}")
        + entry(
            "two",
            "{field: text.lines, op: '>=', limit: 5}",
            "action: review\n    obligations: [ledger]",
        ),
        "overlap",
        13,
    ),
    "a number beside the assessor's threshold": (
        entry("one", "{field: score.violence, op: '>=', limit: calibrated}")
        + entry("two", "{any: [{field: score.violence, op: '>=', limit: 0.2}, " + CODE + "]}"),
        "overlap",
        13,
    ),
}


@pytest.mark.parametrize("name", LINTED)
def test_the_lint_finds_it_on_its_line(tmp_path: Path, name: str) -> None:
    text, code, line = LINTED[name]
    (tmp_path / "own.yaml").write_text(HEAD + text)
    found = [one for one in lint_policy(tmp_path / "own.yaml") if one.code != "no-cases"]
    assert [(one.code, one.line) for one in found] == [(code, line)]


def test_a_ladder_of_limits_is_no_overlap(tmp_path: Path) -> None:
    """The higher the score the stricter: what thresholds are for."""
    ladder = [("label", 0.2), ("review", 0.5), ("block", 0.8)]
    text = "".join(
        entry(
            action,
            f"{{field: score.violence, op: '>=', limit: {limit}}}",
            f"action: {action}\n    obligations: [visible_label]",
        )
        for action, limit in ladder
    )
    (tmp_path / "own.yaml").write_text(HEAD + text)
    assert [one.code for one in lint_policy(tmp_path / "own.yaml")] == ["no-cases"]


def test_an_override_that_weakens_is_noted_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        HEAD.replace("small", "base").replace(
            "rules:",
            "serves: [{line: EU-E1, by: [code], how: By a rule.}]\nrules:",
        )
        + entry("code", CODE)
        + entry("more", MORE_THAN_ONE)
        + entry("lines", "{field: text.lines, op: '>', limit: 9}")
    )
    (tmp_path / "own.yaml").write_text(
        HEAD.replace("rules:\n", "includes: [base.yaml]\noverrides:\n")
        + "  - {rule: code, because: Codes are our trade., drop: true}\n"
        + "  - {rule: more, because: We have room., set: {action: review}}\n"
        + "  - {rule: lines, because: Fewer are wanted., set: {on_missing: match, message: N.}}\n"
    )
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "own.yaml").write_text(
        "cases:\n"
        "  - name: all of it\n"
        "    facts: {stage: image, fields: {count: 3, qr.present: true, text.lines: 10}}\n"
        "    expect: {action: block, rules: [more, lines]}\n"
    )
    found = lint_policy(tmp_path / "own.yaml")
    assert [(one.code, one.line, one.is_note) for one in found] == [
        ("unserved", 7, True),
        ("weakened", 7, True),
        ("weakened", 8, True),
    ]
    assert "Codes are our trade." in found[1].message
    assert "EU-E1 is not served without the rule code of base" in found[0].message


def test_what_is_only_included_is_left_to_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        HEAD.replace("small", "base") + entry("one", MORE_THAN_ONE, "action: label")
    )
    (tmp_path / "own.yaml").write_text(
        HEAD.replace("rules:\n", "includes: [base.yaml]\nrules:\n")
        + entry("two", "{field: count, op: '>=', limit: 4}", "action: label")
    )
    found = lint_policy(tmp_path / "own.yaml")
    assert [one.code for one in found] == ["no-cases", "covered", "unmet-label"]
    assert {one.rule for one in found} == {None, "two"}


def test_a_rule_that_no_case_expects_is_found(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        HEAD
        + entry("one", "{field: qr.present, op: is_true}")
        + entry("two", "{field: text.present, op: is_true}")
    )
    assert [one.code for one in lint_policy(tmp_path / "own.yaml")] == ["no-cases"]
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "own.yaml").write_text(
        "cases:\n"
        "  - name: a code\n"
        "    facts: {stage: image, fields: {qr.present: true, text.present: false}}\n"
        "    expect: {action: block, rules: [one]}\n"
    )
    (found,) = lint_policy(tmp_path / "own.yaml")
    assert (found.code, found.line, found.rule) == ("no-case", 11, "two")


@settings(deadline=None, max_examples=150)
@given(drawn=documents(FEW_FIELDS), asked=facts())
def test_a_rule_said_to_be_covered_never_fires_alone(drawn: dict[str, Any], asked: Facts) -> None:
    deciding = policy(drawn)
    fired = {reason.rule for reason in deciding.decide(asked).reasons}
    for narrow in deciding.document.rules:
        for wide in deciding.document.rules:
            if narrow.id in fired and covers(wide, narrow):
                assert wide.id in fired


@settings(deadline=None, max_examples=150)
@given(drawn=documents(FEW_FIELDS), asked=facts())
def test_a_rule_said_to_be_unreachable_is_never_true(drawn: dict[str, Any], asked: Facts) -> None:
    skipping = [one | {"on_missing": "skip"} for one in drawn["rules"]]
    deciding = policy(drawn | {"rules": skipping})
    fired = {reason.rule for reason in deciding.decide(asked).reasons}
    assert not [one.id for one in deciding.document.rules if never(one.when) and one.id in fired]


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("count > 1", "count > 1", True),
        ("count >= 1", "count > 1", True),
        ("count > 1", "count >= 1", False),
        ("count >= 3", "count > 1", False),  # 2 lies between
        ("count != 3", "count < 3", True),
        ("count in [1, 2]", "count == 2", True),
        ("core.domain != closed", "core.domain == open", True),
        ("language == en", "language != de", False),
        ("not_assessed contains_any [sexual, violence]", "not_assessed contains violence", True),
        ("not_assessed contains violence", "not_assessed contains_any [sexual, violence]", False),
        ("score.sexual >= calibrated", "score.sexual > calibrated", True),
        ("score.sexual >= calibrated", "score.sexual >= 0.9", False),
        ("score.sexual >= calibrated * 0.7", "score.sexual >= calibrated", True),
        ("score.sexual >= calibrated * 0.7", "score.sexual >= calibrated * .70", True),
        ("score.sexual >= calibrated", "score.sexual >= calibrated * 0.7", False),
        ("language == calibrated", "language == calibrated", True),
        ("score.sexual >= 0.5", "score.violence >= 0.9", False),
    ],
)
def test_what_covers_what(wide: str, narrow: str, expected: bool) -> None:
    def clause(text: str) -> dict[str, Any]:
        field, op, limit = text.split(" ", 2)
        return {"field": field, "op": op, "limit": yaml.safe_load(limit)}

    def rules_of(one: dict[str, Any], other: dict[str, Any]) -> tuple[Rule, Rule]:
        first, second = policy(
            document(rule(one, id="wide"), rule(other, id="narrow"))
        ).document.rules
        return first, second

    assert covers(*rules_of(clause(wide), clause(narrow))) is expected
    code = {"field": "qr.present", "op": "is_true"}
    any_wide, all_narrow = rules_of({"any": [code, clause(wide)]}, {"all": [clause(narrow), code]})
    assert covers(any_wide, all_narrow)
    assert not covers(all_narrow, any_wide)
