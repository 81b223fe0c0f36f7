"""The packs that come with Wardmark: what each is for, and that they can be kept and joined."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from guard.pipeline import ImageRequest, deliver
from guard.pipeline.trail import DISCHARGES
from policies.decision import Action, Obligation
from policies.errors import PolicyInvalid
from policies.facts import Facts
from policies.load import list_policies, load_effective, load_policy, pack_names
from policies.policy import Policy
from provenance.home import Home
from provenance.verify import legal, verify
from provenance.verify.report import LineStatus, Origin
from tests.policies.documents import facts
from tests.support.deployment import home, pipeline_of
from tests.verify.findings import findings

__all__ = ["home"]

PACKS = {pack.name: pack for pack in list_policies()}
LAWS = {"EU": "eu-ai-act-50", "CA": "california-sb-942", "CN": "china-gb-45438"}
LOOSENED = {"newsroom", "research"}


@settings(
    deadline=None, max_examples=1, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(found=findings)
def test_every_line_of_law_that_a_pack_serves_is_one_that_verify_knows(found: object) -> None:
    known = {one.line for one in legal.lines(found, Origin.UNKNOWN, b"")}  # type: ignore[arg-type]
    for pack in PACKS.values():
        assert {one.line for one in pack.document.serves} <= known


@pytest.mark.parametrize(("law", "name"), LAWS.items())
def test_a_pack_of_a_law_serves_lines_of_that_law_and_no_other(law: str, name: str) -> None:
    lines = [one.line for one in PACKS[name].document.serves]
    assert lines
    assert {line.split("-")[0] for line in lines} == {law}
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_marks_signs_and_records(name: str) -> None:
    always = {Obligation.WATERMARK, Obligation.CREDENTIAL, Obligation.LEDGER}
    assert PACKS[name].document.obligations >= always


@pytest.mark.parametrize("name", pack_names())
def test_what_a_pack_obliges_to_is_done_here(name: str, home: Home) -> None:
    document = PACKS[name].document
    asked = document.obligations.union(*(rule.obligations for rule in document.rules))
    assert asked <= DISCHARGES.keys()
    assert pipeline_of(home, policy=PACKS[name]).policy is PACKS[name]


@pytest.mark.parametrize("name", sorted(set(pack_names()) - LOOSENED))
@settings(deadline=None, max_examples=40)
@given(asked=facts())
def test_a_pack_without_a_stated_exception_is_never_milder_than_the_default(
    name: str, asked: Facts
) -> None:
    before, after = PACKS["default"].decide(asked), PACKS[name].decide(asked)
    assert after.action >= before.action
    assert after.obligations >= before.obligations


@pytest.mark.parametrize("name", sorted(LOOSENED))
@settings(deadline=None, max_examples=40)
@given(asked=facts())
def test_no_pack_lets_sexual_content_about_minors_or_known_content_through(
    name: str, asked: Facts
) -> None:
    never = {"sexual-minors", "known-content"}
    if never & {reason.rule for reason in PACKS["default"].decide(asked).reasons}:
        assert PACKS[name].decide(asked).action is Action.BLOCK


@pytest.mark.parametrize("name", [name for name in pack_names() if PACKS[name].document.serves])
def test_a_picture_fails_no_line_that_its_pack_serves(name: str, home: Home) -> None:
    """What ``serves`` claims, held against what ``verify`` finds in a delivered picture."""
    pipeline = pipeline_of(home, policy=PACKS[name])
    (released,) = pipeline.run(ImageRequest(prompt="a calm sea", seed=1)).released
    report = verify(deliver(released), sources=home.sources())
    found = {one.line: one.status for one in report.legal}
    for service in PACKS[name].document.serves:
        assert found[service.line] is not LineStatus.FAIL, service.line
    if Obligation.VISIBLE_LABEL in PACKS[name].document.obligations:
        assert "label" in released.trail.ran


def test_only_the_packs_that_say_so_loosen_anything() -> None:
    loosened = {
        name
        for name in pack_names()
        for standing in load_effective(name).standing
        if any(change.may_weaken for change in standing.changes)
    }
    assert loosened == LOOSENED


def test_packs_can_be_joined_unless_they_contradict(tmp_path: Path) -> None:
    """Where two override one rule, neither is taken silently."""
    for pair in combinations(sorted(set(pack_names()) - {"default"}), 2):
        file = tmp_path / "joined.yaml"
        file.write_text(
            f"name: joined\nversion: '1'\ndescription: Two.\napplies: Nowhere\n"
            f"includes: [{', '.join(pair)}]\n"
        )
        if set(pair) <= {"kids", *LOOSENED}:
            with pytest.raises(PolicyInvalid, match="both override"):
                load_policy(file)
        else:
            joined = load_policy(file).document
            assert joined.obligations == frozenset().union(
                *(PACKS[one].document.obligations for one in pair)
            )
            assert {one.line for one in joined.serves} == {
                one.line for name in pair for one in PACKS[name].document.serves
            }


def test_who_asks_for_a_visible_label_gets_one_where_the_policy_grants_it(home: Home) -> None:
    asking = ImageRequest(prompt="a calm sea", seed=1, visible_label=True)

    def labelled(policy: Policy, request: ImageRequest) -> bool:
        (released,) = pipeline_of(home, policy=policy).run(request).released
        return "label" in released.trail.ran

    granting = PACKS["california-sb-942"]
    assert labelled(granting, asking)
    assert not labelled(granting, asking.model_copy(update={"visible_label": False}))
    assert not labelled(PACKS["default"], asking)
