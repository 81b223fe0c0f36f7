"""What a decision promises, on the packs and on any document that the grammar allows."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.categories import CATEGORIES, CORE_CATEGORIES
from policies.decision import Action, Because, Obligation
from policies.errors import FactMissing, Unavailable
from policies.facts import Facts
from policies.language import All, AnyOf, Clause, Not, OnMissing
from policies.load import list_policies, load_policy
from policies.policy import Policy
from tests.policies.documents import (
    FEW_FIELDS,
    SCORED,
    document,
    documents,
    facts,
    policy,
    rule,
    rules,
)

calm = settings(deadline=None, max_examples=60)
PACKS = {pack.name: pack for pack in list_policies()}


@st.composite
def raised(draw: st.DrawFn, asked: Facts) -> Facts:
    """The same facts with some of the scores that are there raised."""
    higher = {
        category: draw(st.just(score) | st.floats(score, 1.0))
        for category, score in asked.scores.items()
    }
    return asked.model_copy(update={"scores": higher})


def assert_no_weaker(deciding: Policy, before: Facts, after: Facts) -> None:
    first, second = deciding.decide(before), deciding.decide(after)
    assert second.action >= first.action
    assert second.obligations >= first.obligations
    assert {reason.rule for reason in second.reasons} >= {reason.rule for reason in first.reasons}


@pytest.mark.parametrize("name", sorted(PACKS))
@calm
@given(data=st.data(), asked=facts())
def test_raising_a_score_never_weakens_a_pack(name: str, data: st.DataObject, asked: Facts) -> None:
    assert_no_weaker(PACKS[name], asked, data.draw(raised(asked)))


@calm
@given(data=st.data(), drawn=documents(), asked=facts())
def test_raising_a_score_never_weakens_any_document(
    data: st.DataObject, drawn: dict[str, Any], asked: Facts
) -> None:
    assert_no_weaker(policy(drawn), asked, data.draw(raised(asked)))


@calm
@given(drawn=documents(), added=rules("added"), asked=facts())
def test_adding_a_rule_never_weakens(
    drawn: dict[str, Any], added: dict[str, Any], asked: Facts
) -> None:
    before = policy(drawn).decide(asked)
    after = policy(drawn | {"rules": [*drawn["rules"], added]}).decide(asked)
    assert after.action >= before.action
    assert after.obligations >= before.obligations
    assert after.reasons[: len(before.reasons)] == before.reasons


@calm
@given(drawn=documents(), asked=facts())
def test_each_rule_fires_in_company_as_it_does_alone(drawn: dict[str, Any], asked: Facts) -> None:
    together = policy(drawn).decide(asked)
    alone = [policy(drawn | {"rules": [one]}).decide(asked) for one in drawn["rules"]]
    assert together.reasons == tuple(reason for each in alone for reason in each.reasons)
    assert together.action == max((each.action for each in alone), default=Action.ALLOW)
    assert together.obligations == frozenset().union(*(each.obligations for each in alone))


@calm
@given(drawn=documents(), asked=facts())
def test_whatever_fired_gives_reasons_that_hold(drawn: dict[str, Any], asked: Facts) -> None:
    """Every comparison named, asked again as a rule of its own, fires on the same facts."""
    deciding = policy(drawn)
    for reason in deciding.decide(asked).reasons:
        assert reason.because
        for because in reason.because:
            flag = because.op in ("is_true", "is_false")
            limit = {} if flag else {"limit": because.limit}
            again = rule({"field": because.field, "op": because.op} | limit, on_missing="match")
            assert policy(document(again)).decide(asked).action is Action.BLOCK


def flagged(op: str, limit: Any, asked: Facts) -> bool | None:
    """Whether one of the categories named is over its threshold; open while one was not scored."""
    named = [limit] if isinstance(limit, str) else limit
    over = [
        asked.scores[one] >= asked.thresholds[one] if one in asked.scores else None
        for one in named
    ]
    held = True if True in over else None if None in over else False
    return held if op in ("contains", "contains_any") or held is None else not held


def truth(clause: Clause, asked: Facts) -> bool | None:
    """The meaning of a clause, by the book: Kleene's tables, and no negation pushed anywhere."""
    match clause:
        case Not():
            held = truth(clause.clause, asked)
            return None if held is None else not held
        case All():
            parts = [truth(part, asked) for part in clause.all]
            return False if False in parts else None if None in parts else True
        case AnyOf():
            parts = [truth(part, asked) for part in clause.any]
            return True if True in parts else None if None in parts else False
    if clause.field == "flagged":
        return flagged(clause.op, clause.limit, asked)
    given = {**asked.fields, "stage": asked.stage, "not_assessed": asked.not_assessed}
    given |= {f"score.{category}": score for category, score in asked.scores.items()}
    value: Any = given.get(clause.field)
    limit: Any = clause.limit
    if value is None:
        return None
    if isinstance(limit, str) and limit.startswith("calibrated") and "score." in clause.field:
        share = 0.5 if "*" in limit else 1.0
        limit = share * asked.thresholds[clause.field.removeprefix("score.")]
    by_the_book: dict[str, Callable[[], bool]] = {
        ">=": lambda: value >= limit,
        ">": lambda: value > limit,
        "<=": lambda: value <= limit,
        "<": lambda: value < limit,
        "==": lambda: value == limit,
        "!=": lambda: value != limit,
        "in": lambda: value in limit,
        "not_in": lambda: value not in limit,
        "contains": lambda: limit in value,
        "not_contains": lambda: limit not in value,
        "contains_any": lambda: any(one in value for one in limit),
        "contains_none": lambda: not any(one in value for one in limit),
        "is_true": lambda: value,
        "is_false": lambda: not value,
    }
    return by_the_book[clause.op]()


@calm
@given(drawn=documents() | documents(FEW_FIELDS), asked=facts())
def test_a_rule_fires_by_the_book(drawn: dict[str, Any], asked: Facts) -> None:
    deciding = policy(drawn)
    fired = [reason.rule for reason in deciding.decide(asked).reasons]
    expected = []
    for one in deciding.document.rules:
        held = truth(one.when, asked)
        fires = one.on_missing is OnMissing.MATCH if held is None else held
        if fires and one.applies_at(asked.stage):
            expected.append(one.id)
    assert fired == expected


@calm
@given(drawn=documents(), asked=facts())
def test_a_double_negation_changes_nothing(drawn: dict[str, Any], asked: Facts) -> None:
    twice = [one | {"when": {"not": {"not": one["when"]}}} for one in drawn["rules"]]
    plain, negated = policy(drawn).decide(asked), policy(drawn | {"rules": twice}).decide(asked)
    assert plain.reasons == negated.reasons


def test_a_reason_shows_field_operator_number_and_value() -> None:
    deciding = policy(
        document(rule({"field": "score.violence", "op": ">=", "limit": "calibrated"}))
    )
    decision = deciding.decide(
        Facts(stage="prompt", scores={"violence": 0.75}, thresholds={"violence": 0.5})
    )
    (reason,) = decision.reasons
    assert reason.because == (Because(field="score.violence", op=">=", limit=0.5, value=0.75),)
    assert reason.message == "Not here."
    assert decision.policy == deciding.ref


def test_a_share_of_the_threshold_is_that_much_stricter_and_shown_as_a_number() -> None:
    lower = {"field": "score.violence", "op": ">=", "limit": "calibrated * 0.5"}
    asked = Facts(stage="prompt", scores={"violence": 0.3}, thresholds={"violence": 0.5})
    (reason,) = policy(document(rule(lower))).decide(asked).reasons
    assert reason.because[0].limit == 0.25
    whole = lower | {"limit": "calibrated * 1.0"}
    assert policy(document(rule(whole))).decide(asked).action is Action.ALLOW


def test_a_negated_comparison_is_named_by_what_held() -> None:
    one = rule({"not": {"any": [{"field": "caller.age_verified", "op": "is_true"}]}})
    decision = policy(document(one)).decide(
        Facts(stage="prompt", fields={"caller.age_verified": False})
    )
    assert decision.reasons[0].because == (
        Because(field="caller.age_verified", op="is_false", limit=None, value=False),
    )


def test_a_rule_is_silent_at_the_other_stage() -> None:
    one = rule({"field": "core.domain", "op": "==", "limit": "open"}, stage="image")
    deciding = policy(document(one))
    fields = {"core.domain": "open"}
    assert deciding.decide(Facts(stage="prompt", fields=fields)).action is Action.ALLOW
    assert deciding.decide(Facts(stage="image", fields=fields)).action is Action.BLOCK


@pytest.mark.parametrize(
    ("action", "expected"),
    [("block", "block"), ("review", "review"), ("redact", "allow"), ("label", "allow")],
)
def test_a_missing_fact_matches_block_and_review_rules_unless_told(
    action: str, expected: str
) -> None:
    one = rule({"field": "score.violence", "op": ">=", "limit": 0.5}, action)
    decision = policy(document(one)).decide(Facts(stage="prompt"))
    assert decision.action == expected


@pytest.mark.parametrize(("on_missing", "expected"), [("match", "label"), ("skip", "allow")])
def test_on_missing_is_obeyed(on_missing: str, expected: str) -> None:
    one = rule({"field": "language", "op": "!=", "limit": "en"}, "label", on_missing=on_missing)
    assert policy(document(one)).decide(Facts(stage="prompt")).action == expected


def test_a_demanded_fact_that_is_missing_is_an_outage_not_an_answer() -> None:
    one = rule({"field": "score.violence", "op": ">=", "limit": 0.5}, on_missing="error")
    with pytest.raises(FactMissing, match=r"rule only cannot be decided without score\.violence"):
        policy(document(one)).decide(Facts(stage="prompt"))
    assert issubclass(FactMissing, Unavailable)
    assert (FactMissing.http_status, FactMissing.code) == (503, "safety_unavailable")


def test_a_score_without_its_calibrated_threshold_does_not_pass() -> None:
    one = rule({"field": "score.violence", "op": ">=", "limit": "calibrated"}, on_missing="skip")
    with pytest.raises(FactMissing, match=r"score\.violence was scored without a calibrated"):
        policy(document(one)).decide(Facts(stage="prompt", scores={"violence": 0.9}))


def test_what_is_settled_anyway_does_not_ask_for_the_missing_fact() -> None:
    missing = {"field": "score.violence", "op": ">=", "limit": 0.5}
    is_open = {"field": "core.domain", "op": "==", "limit": "open"}
    closed = Facts(stage="image", fields={"core.domain": "closed"})
    opened = Facts(stage="image", fields={"core.domain": "open"})
    both = policy(document(rule({"all": [missing, is_open]}, on_missing="error")))
    assert both.decide(closed).action is Action.ALLOW
    either = policy(document(rule({"any": [missing, is_open]}, on_missing="error")))
    (reason,) = either.decide(opened).reasons
    assert [because.field for because in reason.because] == ["core.domain"]


def test_a_missing_fact_is_shown_as_missing() -> None:
    clause = {
        "all": [
            {"field": "core.domain", "op": "==", "limit": "open"},
            {"field": "score.violence", "op": ">=", "limit": 0.5},
        ]
    }
    decision = policy(document(rule(clause))).decide(
        Facts(stage="image", fields={"core.domain": "open"})
    )
    assert decision.reasons[0].because == (
        Because(field="core.domain", op="==", limit="open", value="open"),
        Because(field="score.violence", op=">=", limit=0.5, value=None),
    )


def test_obligations_of_the_document_are_due_even_when_no_rule_fires() -> None:
    decision = load_policy("default").decide(
        Facts(
            stage="prompt",
            scores=dict.fromkeys(CORE_CATEGORIES, 0.0),
            thresholds=dict.fromkeys(CORE_CATEGORIES, 0.5),
        )
    )
    assert decision.action is Action.ALLOW
    assert decision.reasons == ()
    assert decision.obligations == {
        Obligation.WATERMARK,
        Obligation.CREDENTIAL,
        Obligation.LEDGER,
    }


def test_an_open_core_needs_every_required_category_assessed() -> None:
    default = load_policy("default")
    covered = set(CORE_CATEGORIES) - {"self_harm", "sexual_minors"}
    assert default.unmet_requirements(covered, "open") == ("self_harm", "sexual_minors")
    assert default.unmet_requirements(CATEGORIES, "open") == ()
    assert default.unmet_requirements((), "closed") == ()
    assert default.unmet_requirements((), "anything else") == tuple(sorted(CORE_CATEGORIES))


def test_actions_are_ordered_by_severity_and_not_by_the_alphabet() -> None:
    milder = Action.ALLOW
    for stricter in (Action.LABEL, Action.REDACT, Action.REVIEW, Action.BLOCK):
        assert milder < stricter
        assert milder <= stricter
        assert stricter > milder
        assert stricter >= milder
        assert max(milder, stricter.value) == stricter
        milder = stricter


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1, float("inf")])
@pytest.mark.parametrize("where", ["scores", "thresholds"])
def test_what_is_no_probability_is_not_a_fact(where: str, wrong: float) -> None:
    with pytest.raises(ValueError, match="not a probability"):
        Facts.model_validate({"stage": "prompt", where: {"violence": wrong}})


def test_a_category_that_nobody_knows_cannot_pass_for_not_assessed() -> None:
    with pytest.raises(ValueError, match="unknown category 'sexual-minors'"):
        Facts(stage="prompt", not_assessed=frozenset({"sexual-minors"}))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("size.pixels", float("nan"), "not a finite number"),
        ("size.pixels", "many", "declared as a number"),
        ("size.pixels", True, "declared as a number"),
        ("caller.age_verified", "yes", "declared as a flag"),
        ("language", 7, "declared as a text"),
        ("core.domain", "ajar", "not one of open, closed"),
        ("score.violence", 0.0, "comes from the assessment"),
        ("not_assessed", None, "comes from the assessment"),
        ("flagged", None, "comes from the assessment"),
        ("stage", "image", "fields say stage"),
    ],
)
def test_a_fact_of_the_wrong_kind_is_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Facts.model_validate({"stage": "prompt", "fields": {name: value}})


def test_every_scored_category_can_be_asked_for() -> None:
    for category in SCORED:
        one = rule({"field": f"score.{category}", "op": ">", "limit": 0.5})
        asked = Facts(stage="image", scores={category: 0.6})
        assert policy(document(one)).decide(asked).action is Action.BLOCK
