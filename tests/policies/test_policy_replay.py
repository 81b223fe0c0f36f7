"""What would another policy have decided? From real entries of a real ledger."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from guard.assessment import Region
from guard.errors import DecisionRefused
from guard.pipeline import Caller, ImageRequest, Pipeline
from guard.pipeline.account import COMMITTED, recorded_facts, words_of
from guard.pipeline.request import Quota
from guard.policy_replay import ReplayReport, candidate_report, judgements, replay
from policies.candidate import Candidate
from policies.categories import CATEGORIES
from policies.decision import Action
from policies.facts import Facts
from policies.load import list_policies
from policies.policy import Policy
from provenance.home import Home
from provenance.ledger import Event
from tests.policies.documents import document, facts, policy, rule
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.deployment import pipeline_of

PACKS = list_policies()
EVER = datetime(2000, 1, 1, tzinfo=UTC)
VIOLENCE = {"field": "score.violence", "op": ">=", "limit": 0.5}
PRIVACY = {"field": "score.privacy", "op": ">=", "limit": "calibrated"}
ACME = {"field": "caller.tenant", "op": "==", "limit": "acme"}
SEEN = Region(x=60, y=60, width=60, height=40, kind="text", category="privacy", score=0.9)
DUE = ["watermark", "credential", "ledger"]

IN_FORCE = policy(
    document(
        rule(VIOLENCE, id="violence"),
        rule(PRIVACY, "redact", id="privacy", stage="image"),
        obligations=DUE,
    )
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which a calm sea was drawn twice, a fight refused, and a letter redacted."""
    made = Home.create(tmp_path_factory.mktemp("asked") / "home", provider="Test", version="0.0")
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.9}, "storm": {"violence": 0.3}})
    acme = Caller(tenant="acme", region="NO", age_verified=True, quota=Quota(left=3, share=0.7))
    send(made, ImageRequest(prompt="a calm sea", count=2, seed=1, caller=acme), prompts)
    send(made, ImageRequest(prompt="a fight"), prompts)
    redacting = ScriptedImageAssessor(({"privacy": 0.9}, (SEEN,)), ({}, ()))
    send(made, ImageRequest(prompt="a storm", seed=3), prompts, redacting)
    yield made
    made.ledger.close()


def send(
    home: Home,
    request: ImageRequest,
    prompts: ScriptedPromptAssessor,
    images: ScriptedImageAssessor | None = None,
    candidate: Candidate | None = None,
) -> None:
    whole: dict[str, Any] = vars(pipeline_of(home, policy=IN_FORCE, prompts=prompts, images=images))
    with suppress(DecisionRefused):
        Pipeline(**whole | {"candidate": candidate}).run(request)


def replayed(home: Home, other: Policy, since: datetime = EVER) -> ReplayReport:
    return replay(home.ledger, other, since, home.commitment_key)


def test_the_policy_in_force_would_decide_the_same_again(asked: Home) -> None:
    report = replayed(asked, IN_FORCE)
    # 3 prompts; 3 pictures, of which one was judged again after redaction
    assert (report.judged, report.same, report.differences) == (7, 7, ())
    assert [(ref.digest, count) for ref, count in report.decided_by] == [(IN_FORCE.digest, 7)]
    assert report.without_facts == 0


def test_a_stricter_policy_is_told_by_rule_and_by_id(asked: Home) -> None:
    lower = rule(VIOLENCE | {"limit": 0.2}, id="violence")
    stricter = policy(document(lower, obligations=DUE))
    report = replayed(asked, stricter)
    changed = {(one.part, one.before, one.after): one.count for one in report.transitions}
    assert changed == {("prompt_stage", "allow", "block"): 1, ("image", "redact", "allow"): 1}
    assert (report.stricter, report.milder, report.same) == (1, 1, 5)
    assert [(one.rule, one.gained, one.lost) for one in report.rules] == [
        ("privacy", 0, 1),
        ("violence", 1, 0),
    ]
    storm, letter = report.differences
    assert storm.decision == letter.decision
    assert storm.gained == ("violence",)
    assert asked.ledger.prove(storm.entry).index > 0


def test_a_prompt_that_would_pass_now_is_said_to_be_unknown_further_on(asked: Home) -> None:
    lenient = policy(document(rule(ACME, id="acme", on_missing="skip"), obligations=DUE))
    report = replayed(asked, lenient)
    assert report.never_drawn == 1
    (fight,) = (one for one in report.differences if one.before is Action.BLOCK)
    assert (fight.part, fight.after, fight.lost) == ("prompt_stage", Action.ALLOW, ("violence",))


def test_other_obligations_are_a_difference_although_the_action_is_the_same(asked: Home) -> None:
    more = IN_FORCE.document.model_copy(update={"obligations": frozenset(["ledger"])})
    report = replayed(asked, Policy(more))
    assert (report.other, report.same, report.transitions) == (7, 0, ())
    for one in report.differences:
        assert one.obligations_lost == ("credential", "watermark")
        assert one.obligations_gained == ()


def test_a_demanded_fact_that_nobody_recorded_is_told_as_undecided(asked: Home) -> None:
    demanding = rule({"field": "memorised.match", "op": "is_true"}, on_missing="error")
    report = replayed(asked, policy(document(demanding, obligations=DUE)))
    assert (report.undecided, report.judged) == (7, 7)
    assert {one.after for one in report.differences} == {None}


def test_the_tenant_is_compared_and_never_stands_in_clear(asked: Home) -> None:
    judged = rule(ACME, id="acme", on_missing="skip")
    report = replayed(asked, policy(document(judged, obligations=DUE)))
    assert [(one.rule, one.gained) for one in report.rules if one.gained] == [("acme", 3)]
    others = rule(ACME | {"limit": "emca"}, id="emca", on_missing="skip")
    report = replayed(asked, policy(document(others, obligations=DUE)))
    assert not [one for one in report.rules if one.gained]
    assert not any(b"acme" in line for line in asked.ledger.export())


def test_every_fact_that_a_caller_brings_is_on_record(asked: Home) -> None:
    first = next(judgements(asked.ledger, EVER))
    words = words_of([policy(document(rule(ACME)))], asked.commitment_key)
    held = recorded_facts(first.account, "prompt", words)
    assert held is not None
    fields = {
        "caller.role": "user",
        "caller.tenant": "acme",
        "caller.region": "NO",
        "caller.age_verified": True,
        "quota.left": 3,
        "quota.share": 0.7,
        "asked.visible_label": False,
        "core.domain": "closed",
        "count": 2,
    }
    assert fields.items() <= held.fields.items()
    assert held.scores.keys() == {*CATEGORIES, "unsafe"}


def test_only_what_was_recorded_since_is_judged(asked: Home) -> None:
    entries = list(asked.ledger.entries(kind="refusal"))
    assert replayed(asked, IN_FORCE, entries[0].at).judged == 4
    assert replayed(asked, IN_FORCE, datetime.now(UTC) + timedelta(days=1)).judged == 0


def test_an_entry_of_before_facts_were_recorded_is_counted_and_left_out(
    tmp_path: Path,
) -> None:
    made = Home.create(tmp_path / "old", provider="Test", version="0.0")
    old = {
        "action": "block",
        "scores": {"violence": 0.9},
        "not_assessed": [],
        "reasons": [],
        "policy": IN_FORCE.ref.model_dump(),
    }
    made.ledger.append([Event("refusal", {"decision_id": "dec_1", "prompt_stage": old})])
    report = replayed(made, IN_FORCE)
    assert (report.judged, report.without_facts) == (0, 1)
    made.ledger.close()


def test_a_candidate_is_asked_and_recorded_and_has_no_say(tmp_path: Path) -> None:
    made = Home.create(tmp_path / "home", provider="Test", version="0.0")
    strict = policy(document(rule(VIOLENCE | {"limit": 0.0}, id="all"), obligations=DUE))
    broken = policy(
        document(rule({"field": "match.list", "op": "==", "limit": "a"}, on_missing="error"))
    )
    prompts = ScriptedPromptAssessor()
    for candidate in (None, Candidate(strict), Candidate(broken), Candidate(strict, 0.0)):
        send(made, ImageRequest(prompt="a calm sea", seed=1), prompts, candidate=candidate)
    assert len(list(made.ledger.entries(kind="delivery"))) == 4
    assert not list(made.ledger.entries(kind="refusal"))
    report = candidate_report(made.ledger, strict, EVER)
    assert (report.judged, report.stricter) == (2, 2)
    assert [(one.rule, one.gained) for one in report.rules] == [("all", 2)]
    assert candidate_report(made.ledger, broken, EVER).undecided == 2
    assert candidate_report(made.ledger, IN_FORCE, EVER).judged == 0
    # What was recorded at the time is what a replay finds.
    again = replayed(made, strict)
    assert (again.stricter, again.judged) == (8, 8)
    assert made.ledger.verify().ok
    made.ledger.close()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_candidate_takes_its_share_of_requests_and_always_the_same(share: float) -> None:
    candidate = Candidate(IN_FORCE, share)
    ids = [f"dec_{number:016x}" for number in range(4000)]
    taken = [one for one in ids if candidate.takes(one)]
    assert len(taken) == pytest.approx(share * len(ids), abs=120)
    other = Candidate(PACKS[0], share)
    assert taken == [one for one in ids if other.takes(one)]
    with pytest.raises(ValueError, match="from 0 to 1"):
        Candidate(IN_FORCE, 1.1)


@settings(deadline=None, max_examples=60)
@given(asked_now=facts())
def test_any_facts_come_back_from_their_account(asked_now: Facts) -> None:
    """Compared by every pack and by a policy that knows the words: the answers are the same."""
    from guard.assessment import Assessment
    from guard.pipeline.account import Judgement
    from tests.support.assessors import REF

    key = bytes(32)
    deciding = policy(
        document(
            *[
                rule({"field": name, "op": "in", "limit": ["DE", "user"]}, id=f"rule-{n}")
                for n, name in enumerate(sorted(COMMITTED))
            ]
        )
    )
    seen = Assessment(assessor=REF, subject=asked_now.stage, scores=asked_now.scores)
    account = Judgement(seen, asked_now, deciding.decide(asked_now)).account(key, "dec_1")
    back = recorded_facts(account, asked_now.stage, words_of([deciding], key))
    assert back is not None
    for one in (deciding, *PACKS):
        before, after = one.decide(asked_now), one.decide(back)
        assert after.action == before.action
        assert [r.rule for r in after.reasons] == [r.rule for r in before.reasons]
