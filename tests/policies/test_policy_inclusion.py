"""Policies made of several files: in a stated order, and never weaker in silence."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.decision import Action
from policies.errors import PolicyInvalid
from policies.facts import Facts
from policies.inclusion import Effective, effective
from policies.language import PolicyDocument
from policies.load import load_effective, load_policy
from policies.policy import Policy
from policies.source import read_source
from policies.written import MAX_INCLUDES, PolicyFile
from tests.policies.documents import FEW_FIELDS, document, documents, facts, rule, rules

calm = settings(deadline=None, max_examples=60)

CODE = {"field": "qr.present", "op": "is_true"}
CHANGED = ("stage", "when", "action", "obligations", "on_missing")
LINES = {"field": "text.lines", "op": ">", "limit": 3}
MANY_LINES = Facts(stage="image", fields={"qr.present": False, "text.lines": 5})


def named(name: str, *with_rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return document(*with_rules, **more) | {"name": name}


def write(folder: Path, *given: dict[str, Any]) -> Path:
    """Each as a file of its own name; returns the last."""
    for one in given:
        path = folder / f"{one['name']}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(one, sort_keys=False))
    return path


def joined(given: dict[str, Any], *included: dict[str, Any]) -> Effective:
    """``given`` over ``included``, without files."""
    source = read_source(yaml.safe_dump(given), "drawn.yaml")
    below = [joined(one) for one in included]
    return effective(source, PolicyFile.model_validate(given), below)


def ids(policy: Policy) -> list[str]:
    return [one.id for one in policy.document.rules]


def change(name: str, **setting: Any) -> dict[str, Any]:
    how = {"set": setting} if setting else {"drop": True}
    return {"rule": name, "because": "For a test."} | how


def test_rules_come_in_the_order_of_the_includes_and_own_rules_last(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        named("base", rule(CODE, id="base-rule"), obligations=["ledger"]),
        named("left", rule(CODE, id="left-rule"), includes=["base.yaml"], requires=["sexual"]),
        named("right", rule(CODE, id="right-rule"), includes=["base.yaml"]),
        named(
            "top",
            rule(CODE, id="top-rule"),
            includes=["left.yaml", "right.yaml"],
            obligations=["watermark"],
        ),
    )
    top = load_policy(path)
    assert ids(top) == ["base-rule", "left-rule", "right-rule", "top-rule"]
    assert top.document.obligations == {"ledger", "watermark"}
    assert top.requires == {"sexual"}
    assert [one.name for one in load_effective(path).in_order()] == ["base", "left", "right", "top"]


def test_the_digest_is_of_what_is_in_force_not_of_how_it_is_spread_over_files(
    tmp_path: Path,
) -> None:
    base = named("base", rule(CODE, id="one"), rule(LINES, id="two"))
    top = {key: value for key, value in base.items() if key != "rules"} | {"name": "top"}
    spread = write(tmp_path, base, top | {"includes": ["base.yaml"], "overrides": [change("two")]})
    whole = write(tmp_path / "whole", top | {"rules": [base["rules"][0]]})
    assert load_policy(spread).digest == load_policy(whole).digest


def test_an_override_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        named("base", rule(LINES, id="lines", obligations=["ledger"])),
        named("top", includes=["base.yaml"], overrides=[change("lines", action="review")]),
    )
    held = load_effective(path)
    (standing,) = held.standing
    assert standing.rule.model_dump(exclude={"action"}) == standing.changes[
        0
    ].before.model_dump(exclude={"action"})
    assert Policy(held.document).decide(MANY_LINES).action is Action.REVIEW
    assert standing.changes[0].may_weaken


def test_an_override_that_is_as_strict_is_not_called_weaker(tmp_path: Path) -> None:
    lower = LINES | {"limit": 2}
    path = write(
        tmp_path,
        named("base", rule(LINES, "review", id="lines")),
        named("top", includes=["base.yaml"], overrides=[change("lines", action="block")]),
        named("over", includes=["top.yaml"], overrides=[change("lines", when=lower)]),
    )
    (standing,) = load_effective(path).standing
    assert [one.by for one in standing.changes] == ["top", "over"]
    assert not any(one.may_weaken for one in standing.changes)


def test_the_outer_override_has_the_last_word_and_can_put_back_what_was_dropped(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        named("base", rule(CODE, id="code"), rule(LINES, id="lines")),
        named("inner", includes=["base.yaml"], overrides=[change("lines")]),
        named("outer", includes=["inner.yaml"], overrides=[change("lines", action="label")]),
    )
    assert ids(load_policy(tmp_path / "inner.yaml")) == ["code"]
    assert load_policy(path).decide(MANY_LINES).action is Action.LABEL


def test_an_override_holds_wherever_else_its_rule_is_included(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        named("base", rule(LINES, id="lines")),
        named("strict", includes=["base.yaml"], overrides=[change("lines", message="Never.")]),
        named("plain", rule(CODE, id="code"), includes=["base.yaml"]),
        named("top", includes=["plain.yaml", "strict.yaml"]),
    )
    assert load_policy(path).decide(MANY_LINES).reasons[0].message == "Never."


def test_two_overrides_of_one_rule_are_refused_until_one_file_says_which(tmp_path: Path) -> None:
    parts = (
        named("base", rule(LINES, id="lines")),
        named("left", includes=["base.yaml"], overrides=[change("lines", action="review")]),
        named("right", includes=["base.yaml"], overrides=[change("lines", action="label")]),
    )
    top = named("top", includes=["left.yaml", "right.yaml"])
    with pytest.raises(PolicyInvalid, match="left and right both override 'lines'"):
        load_policy(write(tmp_path, *parts, top))
    top["overrides"] = [change("lines", action="redact")]
    assert load_policy(write(tmp_path, top)).decide(MANY_LINES).action is Action.REDACT


def test_a_dropped_rule_no_longer_serves_its_line_of_law(tmp_path: Path) -> None:
    served = {"line": "EU-E1", "by": ["code"], "how": "In a test."}
    kept = {"line": "EU-E3", "by": ["watermark"], "how": "In a test."}
    path = write(
        tmp_path,
        named(
            "base",
            rule(CODE, id="code"),
            rule(LINES, id="lines"),
            serves=[served, kept],
            obligations=["watermark"],
        ),
        named("top", includes=["base.yaml"], overrides=[change("code")]),
    )
    held = load_effective(path)
    assert [one.line for one in held.document.serves] == ["EU-E3"]
    assert [one.line for one in held.unserved] == ["EU-E1"]


BASE = named("base", rule(CODE, id="code"), rule(LINES, id="lines"))
REFUSED = {
    "a rule that stands already": (
        named("top", rule(CODE, id="code"), includes=["base.yaml"]),
        "base has a rule 'code'; override it, or take another id",
    ),
    "an override of nothing": (
        named("top", includes=["base.yaml"], overrides=[change("coed")]),
        "no rule 'coed' in what is included; did you mean 'code'?",
    ),
    "an override of its own rule": (
        named("top", rule(CODE, id="own"), includes=["base.yaml"], overrides=[change("own")]),
        "no rule 'own' in what is included",
    ),
    "a second override": (
        named("top", includes=["base.yaml"], overrides=[change("code"), change("code")]),
        "a second override of 'code'",
    ),
    "an override that neither sets nor drops": (
        named("top", includes=["base.yaml"], overrides=[{"rule": "code", "because": "So."}]),
        "has either set or drop",
    ),
    "an override without a reason": (
        named("top", includes=["base.yaml"], overrides=[{"rule": "code", "drop": True}]),
        "the key 'because' is missing",
    ),
    "an override that changes nothing": (
        named("top", includes=["base.yaml"], overrides=[change("code") | {"set": {}}]),
        "set changes nothing",
    ),
    "an override that turns a score round": (
        named(
            "top",
            includes=["base.yaml"],
            overrides=[change("code", when={"field": "score.sexual", "op": "<", "limit": 0.5})],
        ),
        "would weaken the decision when the score rises",
    ),
    "an override with another id": (
        named("top", includes=["base.yaml"], overrides=[change("code", id="x")]),
        "unknown key 'id'",
    ),
    "every rule dropped": (
        named("top", includes=["base.yaml"], overrides=[change("code"), change("lines")]),
        "0 rules are in force",
    ),
    "no rule at all": (named("top"), "rules is empty; state one, or include a policy that does"),
    "a file that is not there": (named("top", includes=["gone.yaml"]), "no policy file"),
    "a pack that is not there": (named("top", includes=["defautl"]), "did you mean 'default'?"),
    "a file elsewhere": (named("top", includes=["../base.yaml"]), "beside this one or below"),
    "a file by its whole path": (named("top", includes=["/etc/base.yaml"]), "beside this one"),
    "one file twice": (named("top", includes=["base.yaml", "base.yaml"]), "included twice"),
    "itself": (named("top", includes=["top.yaml"]), "it includes itself"),
    "too many": (
        named("top", includes=[f"f{n}.yaml" for n in range(MAX_INCLUDES + 1)]),
        "at most 16 items",
    ),
    "a file of its own name": (
        named("base", includes=["base.yaml"]) | {"file": "top"},
        "a second policy named 'base'",
    ),
    "a line of law served by nothing": (
        named(
            "top",
            includes=["base.yaml"],
            serves=[{"line": "EU-E1", "by": ["credentail"], "how": "So."}],
        ),
        "no rule or obligation 'credentail' is in force; did you mean 'credential'?",
    ),
    "an obligation that is not due": (
        named(
            "top",
            includes=["base.yaml"],
            serves=[{"line": "EU-E1", "by": ["credential"], "how": "So."}],
        ),
        "no rule or obligation 'credential' is in force",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_at_its_line(tmp_path: Path, case: str) -> None:
    given, said = REFUSED[case]
    write(tmp_path, BASE)
    path = tmp_path / f"{given.pop('file', 'top')}.yaml"
    path.write_text(yaml.safe_dump(given, sort_keys=False))
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(path)
    assert said in str(caught.value)
    assert all(at.line >= 1 and at.column >= 1 for at in caught.value.problems)


def test_files_that_include_one_another_are_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path, named("one", includes=["two.yaml"]), named("two", includes=["one.yaml"])
    )
    with pytest.raises(PolicyInvalid, match="it includes itself, at once or by way of others"):
        load_policy(path)


def test_a_tower_of_files_is_refused(tmp_path: Path) -> None:
    tower = [named("f0", rule(CODE))]
    tower += [named(f"f{n}", includes=[f"f{n - 1}.yaml"]) for n in range(1, 10)]
    path = write(tmp_path, *tower)
    with pytest.raises(PolicyInvalid, match="more than 8 deep"):
        load_policy(path)
    assert ids(load_policy(tmp_path / "f7.yaml")) == ["only"]


def test_a_file_is_read_once_however_often_it_is_included(tmp_path: Path) -> None:
    """Seven storeys of eight files, each including the whole storey below: 8^7 ways down."""
    storeys = [[named(f"s{n}-{m}", rule(CODE, id=f"r{n}-{m}")) for m in range(8)] for n in range(7)]
    for below, storey in pairwise(storeys):
        for one in storey:
            one["includes"] = [f"{lower['name']}.yaml" for lower in below]
    top = named("top", includes=[f"{one['name']}.yaml" for one in storeys[-1]])
    path = write(tmp_path, *(one for storey in storeys for one in storey), top)
    assert len(ids(load_policy(path))) == 7 * 8


def test_a_fault_in_an_included_file_is_told_with_both_places(tmp_path: Path) -> None:
    broken = named("base", rule(CODE | {"op": "=="}))
    path = write(tmp_path, broken, named("top", includes=["base.yaml"]))
    with pytest.raises(PolicyInvalid, match=r"top\.yaml:\d+:\d+: 'base\.yaml' cannot be") as caught:
        load_policy(path)
    assert "base.yaml:" in str(caught.value)
    assert "takes is_true, is_false" in str(caught.value)


@calm
@given(drawn=documents(), more=documents(), asked=facts())
def test_including_a_policy_never_weakens(
    drawn: dict[str, Any], more: dict[str, Any], asked: Facts
) -> None:
    renamed = [one | {"id": f"more-{one['id']}"} for one in more["rules"]]
    further = more | {"name": "more", "rules": renamed}
    before = Policy(PolicyDocument.model_validate(drawn)).decide(asked)
    after = Policy(joined(drawn, further).document).decide(asked)
    assert after.action >= before.action
    assert after.obligations >= before.obligations
    assert set(after.reasons) >= set(before.reasons)


@calm
@given(data=st.data(), drawn=documents(FEW_FIELDS), asked=facts())
def test_an_override_that_is_not_said_to_weaken_does_not(
    data: st.DataObject, drawn: dict[str, Any], asked: Facts
) -> None:
    """Some keys of each rule are drawn anew; what is not marked stops as much as before."""
    overrides = []
    for one in drawn["rules"]:
        other = data.draw(rules(names=FEW_FIELDS))
        keys = data.draw(st.sets(st.sampled_from(CHANGED), min_size=1, max_size=2))
        anew = {key: other[key] for key in sorted(keys & other.keys())} or {"message": "So."}
        overrides.append(change(one["id"], **anew))
    held = joined(named("top", includes=["drawn"], overrides=overrides), drawn)
    for standing in held.standing:
        (one,) = standing.changes
        if one.after is None or one.may_weaken:
            continue
        before, after = (
            Policy(held.document.model_copy(update={"rules": (which,)})).decide(asked)
            for which in (one.before, one.after)
        )
        event("an override that was proved no weaker")
        assert after.action >= before.action
        assert after.obligations >= before.obligations
