"""What a policy holds is kept sealed, seen by a person, and let go on or gone."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from guard.assessment import Region
from guard.decisions import Result, find_decision
from guard.errors import (
    AlreadyRuled,
    DecisionRefused,
    HeldNotFound,
    InvalidRequest,
    PolicyRefused,
    ReviewRequired,
)
from guard.pipeline import Caller, ImageRequest, Pipeline
from guard.pipeline.request import Edit
from guard.review import Review, SealedShelf, Verdict
from policies.policy import Policy
from provenance.errors import LedgerUnavailable, SignerUnavailable, SubjectForgotten
from provenance.home import Home
from provenance.ledger.database import Database
from provenance.ledger.retention import RetentionClass, RetentionPlan
from provenance.picture import decode
from provenance.verify import verify
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import textured_picture
from tests.support.deployment import EVERYWHERE, pipeline_of, policy_from, with_provenance
from tests.support.signer import InMemorySigner

SECRET = "Ann's own shock of hair"
SHOCKING = ScriptedPromptAssessor({"shock": {"shocking": 0.97}})
BOX = Region(x=8, y=8, width=20, height=20, kind="face", category="shocking", score=0.9)
Held = Callable[..., str]


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_from(tmp_path, EVERYWHERE)


def shelved(home: Home, policy: Policy, *scripts: dict[str, float]) -> Pipeline:
    """A pipeline that keeps what it holds, whose pictures score as ``scripts`` say."""
    images = ScriptedImageAssessor(*((script, (BOX,)) for script in scripts))
    made = pipeline_of(home, policy=policy, prompts=SHOCKING, images=images)
    return replace(made, shelf=SealedShelf(home))


def hold(pipeline: Pipeline, prompt: str = "a calm sea", **more: object) -> str:
    with pytest.raises(ReviewRequired) as error:
        pipeline.run(ImageRequest.model_validate({"prompt": prompt, "seed": 5} | more))
    return error.value.decision_id


def rule(review: Review, named: str, picture: int | None, verdict: Verdict) -> list[bytes]:
    files = review.rule(named, picture, verdict, by="key_17", words="it is harmless")
    return [file.data for file in files]


def test_a_held_picture_is_seen_released_and_verifies(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline, caller=Caller(tenant="acme"))
    review = Review(home, lambda: pipeline)
    (waiting,) = review.queue()
    assert (waiting.decision_id, waiting.picture) == (named, 0)
    shown = review.open(named, 0)
    assert (shown.prompt, shown.regions) == ("a calm sea", (BOX,))
    assert shown.decision.reasons[0].rule == "look-at-shocking"
    assert shown.picture_png is not None
    seen = decode(shown.picture_png).pixels
    assert np.array_equal(seen, textured_picture("a calm sea", 256, 256, 5))

    (data,) = rule(review, named, 0, Verdict.RELEASE)
    report = verify(data, sources=home.sources())
    assert report.verdict == "established"
    assert review.queue() == ()
    (file,) = review.collected(named)
    assert file.data == data
    (delivery,) = home.ledger.entries(kind="delivery")
    ruling = delivery.body["ruling"]
    assert isinstance(ruling, dict)
    assert (ruling["by"], ruling["decision_id"]) == ("key_17", named)
    assert home.ledger.prove(str(ruling["entry"])).leaf.kind == "review"
    assert "it is harmless" not in str(delivery.body)


def test_a_held_edit_is_released_with_what_it_was_made_from(home: Home, policy: Policy) -> None:
    (source,) = pipeline_of(home).run(ImageRequest(prompt="a calm sea")).released
    pipeline = shelved(home, policy, {}, {"shocking": 0.9})  # what is sent in, what is drawn
    named = hold(pipeline, edit=Edit(image=source.data))
    review = Review(home, lambda: pipeline)
    assert review.open(named, 0).input_image == source.data
    (data,) = rule(review, named, 0, Verdict.RELEASE)
    report = verify(data, sources=home.sources())
    assert (report.verdict, report.origin) == ("established", "ai-edited")
    assert report.credential.worst_ingredient == "trusted"


def test_an_edit_whose_input_is_held_goes_on_once_it_is_released(
    home: Home, policy: Policy
) -> None:
    (source,) = pipeline_of(home).run(ImageRequest(prompt="a calm sea")).released
    pipeline = shelved(home, policy, {"shocking": 0.9}, {"shocking": 0.9}, {})
    named = hold(pipeline, edit=Edit(image=source.data))
    review = Review(home, lambda: pipeline)
    assert review.open(named, None).input_image == source.data
    assert len(rule(review, named, None, Verdict.RELEASE)) == 1


def test_a_held_prompt_is_drawn_once_it_is_released(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy)
    named = hold(pipeline, SECRET, count=2)
    review = Review(home, lambda: pipeline)
    assert review.open(named, None).picture_png is None
    assert len(rule(review, named, None, Verdict.RELEASE)) == 2
    endings = find_decision(home.ledger, named).record.endings
    assert [e.result for e in endings] == [Result.HELD, Result.DELIVERED, Result.DELIVERED]
    assert len(review.collected(named)) == 2


def test_a_released_prompt_whose_picture_is_refused_delivers_nothing(
    home: Home, policy: Policy
) -> None:
    pipeline = shelved(home, policy, {"violence": 0.9})
    named = hold(pipeline, SECRET)
    with pytest.raises(PolicyRefused):
        rule(Review(home, lambda: pipeline), named, None, Verdict.RELEASE)
    assert list(home.ledger.entries(kind="delivery")) == []
    assert Review(home, lambda: pipeline).queue() == ()


def test_a_picture_of_a_released_prompt_may_be_held_in_turn(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline, SECRET)
    review = Review(home, lambda: pipeline)
    with pytest.raises(DecisionRefused):
        rule(review, named, None, Verdict.RELEASE)
    (waiting,) = review.queue()
    assert (waiting.decision_id, waiting.picture) == (named, 0)
    assert len(rule(review, named, 0, Verdict.RELEASE)) == 1


def test_nobody_releases_what_the_policy_blocks_by_now(
    home: Home, policy: Policy, tmp_path: Path
) -> None:
    named = hold(shelved(home, policy), SECRET)
    stricter = policy_from(tmp_path, EVERYWHERE.replace("action: review", "action: block"))
    with pytest.raises(PolicyRefused):
        rule(Review(home, lambda: shelved(home, stricter)), named, None, Verdict.RELEASE)
    assert list(home.ledger.entries(kind="delivery")) == []


def test_what_is_refused_is_gone_and_on_record(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline)
    review = Review(home, lambda: pipeline)
    assert rule(review, named, 0, Verdict.REFUSE) == []
    with pytest.raises(HeldNotFound):
        review.open(named, 0)
    (ruling,) = home.ledger.entries(kind="review")
    assert (ruling.body["ruling"], ruling.body["by"]) == ("refuse", "key_17")
    assert home.subjects.open(ruling).plain == {"said": "it is harmless"}
    assert review.collected(named) == ()


def test_what_is_held_can_be_read_in_no_file(home: Home, policy: Policy) -> None:
    named = hold(shelved(home, policy), SECRET)
    home.ledger.close()
    for file in home.path.rglob("*"):
        if file.is_file():
            assert b"Ann" not in file.read_bytes(), file
    assert Review(home, lambda: shelved(home, policy)).open(named, None).prompt == SECRET


def test_erasing_a_decision_ends_what_is_held_of_it(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy)
    named = hold(pipeline, SECRET)
    home.subjects.withdraw(named)
    with pytest.raises(SubjectForgotten):
        Review(home, lambda: pipeline).open(named, None)


def test_without_a_shelf_nothing_is_kept(home: Home, policy: Policy) -> None:
    pipeline = pipeline_of(home, policy=policy, prompts=SHOCKING)
    hold(pipeline, SECRET)
    assert Review(home, lambda: pipeline).queue() == ()


def test_what_is_blocked_is_never_kept(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"violence": 0.9})
    with pytest.raises(PolicyRefused):
        pipeline.run(ImageRequest(prompt="a calm sea"))
    assert Review(home, lambda: pipeline).queue() == ()


def test_of_two_rulings_the_first_counts(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline)
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def decide(verdict: Verdict) -> None:
        review = Review(home, lambda: pipeline)
        together.wait()
        try:
            rule(review, named, 0, verdict)
            outcomes.append(verdict.value)
        except (AlreadyRuled, HeldNotFound):
            outcomes.append("too late")

    threads = [threading.Thread(target=decide, args=(verdict,)) for verdict in Verdict]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = {outcome for outcome in outcomes if outcome != "too late"}
    (ruling,) = home.ledger.entries(kind="review")
    assert won == {ruling.body["ruling"]}
    delivered = list(home.ledger.entries(kind="delivery"))
    assert len(delivered) == (1 if won == {"release"} else 0)
    assert Review(home, lambda: pipeline).queue() == ()


def test_an_outage_in_the_middle_of_a_release_lets_it_wait_again(
    home: Home, policy: Policy
) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline)
    gone = with_provenance(pipeline, signer=InMemorySigner(home.signer, available=False))
    with pytest.raises(SignerUnavailable):
        rule(Review(home, lambda: gone), named, 0, Verdict.RELEASE)
    review = Review(home, lambda: pipeline)
    assert [one.decision_id for one in review.queue()] == [named]
    with pytest.raises(AlreadyRuled):
        rule(review, named, 0, Verdict.REFUSE)  # the ledger says release
    assert len(rule(review, named, 0, Verdict.RELEASE)) == 1


def test_a_release_is_done_once(home: Home, policy: Policy) -> None:
    pipeline = shelved(home, policy, {"shocking": 0.9})
    named = hold(pipeline)
    review = Review(home, lambda: pipeline)
    rule(review, named, 0, Verdict.RELEASE)
    with pytest.raises(HeldNotFound):
        rule(review, named, 0, Verdict.RELEASE)
    assert len(list(home.ledger.entries(kind="delivery"))) == 1


def test_what_is_held_ends_with_its_time(home: Home, policy: Policy) -> None:
    days = home.subjects.days_kept("review.held")
    assert days is not None
    later = datetime.now(UTC) + timedelta(days=days, minutes=1)
    pipeline = shelved(home, policy)
    hold(pipeline, SECRET)
    assert SealedShelf(home, clock=lambda: later).waiting(9) == ()
    with Database(home.ledger_url).reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM held").scalar_one() == 0


def test_what_cannot_be_sealed_is_not_held_and_said(home: Home, policy: Policy) -> None:
    plan = RetentionPlan(classes={"short": RetentionClass(keep_days=1, because="x")}, kinds={})
    home.subjects._plan = plan
    with pytest.raises(LedgerUnavailable, match="nothing can be held"):
        shelved(home, policy).run(ImageRequest(prompt=SECRET))
    assert list(home.ledger.entries(kind="refusal")) == []


@pytest.mark.parametrize("words", ["", "  ", "x" * 4001])
def test_a_ruling_says_why(home: Home, policy: Policy, words: str) -> None:
    pipeline = shelved(home, policy)
    named = hold(pipeline, SECRET)
    with pytest.raises(InvalidRequest):
        Review(home, lambda: pipeline).rule(named, None, Verdict.REFUSE, by="key_17", words=words)
    assert len(Review(home, lambda: pipeline).queue()) == 1
