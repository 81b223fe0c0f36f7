"""The way of one request: what passes, what is refused, what is recorded, what stops."""

import json
from pathlib import Path

import numpy as np
import pytest

from guard.assessment import Region
from guard.errors import (
    CoreFailed,
    GenerationCancelled,
    InvalidRequest,
    PolicyRefused,
    ReviewRequired,
    SafetyUnavailable,
)
from guard.generation import GenerationRequest
from guard.pipeline import ImageRequest, deliver
from policies.decision import Action, Obligation
from provenance.errors import LedgerUnavailable, SignerUnavailable, WatermarkFailed
from provenance.home import Home
from provenance.picture import Pixels, decode
from provenance.verify import verify
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import InMemoryCore
from tests.support.deployment import EVERYWHERE, GUARDED, pipeline_of, policy_from, with_provenance

SEEN = Region(x=60, y=60, width=60, height=40, kind="text", category="privacy", score=0.9)


def kinds(home: Home) -> list[str]:
    return [entry.kind for entry in home.ledger.entries(first=1)]  # 0 is home.created


def test_a_harmless_request_is_delivered_marked_signed_and_recorded(home: Home) -> None:
    outcome = pipeline_of(home).run(ImageRequest(prompt="a calm sea", seed=1))
    (released,) = outcome.released
    assert released.obligations == {
        Obligation.WATERMARK,
        Obligation.CREDENTIAL,
        Obligation.LEDGER,
    }
    report = verify(deliver(released), sources=home.sources())
    assert report.verdict == "established"
    assert report.origin == "ai-generated"
    assert report.disclosures.content_id == released.content_id
    assert home.ledger.verify().ok


def test_a_prompt_that_policy_blocks_is_never_drawn(home: Home, tmp_path: Path) -> None:
    drawn = []

    def draw(prompt: str, width: int, height: int, seed: int) -> Pixels:
        drawn.append(prompt)
        return np.zeros((height, width, 3), np.uint8)

    pipeline = pipeline_of(
        home,
        policy=policy_from(tmp_path, GUARDED),
        core=InMemoryCore(draw=draw),
        prompts=ScriptedPromptAssessor({"fight": {"violence": 0.9}}),
    )
    with pytest.raises(PolicyRefused, match="violence is not drawn here") as refused:
        pipeline.run(ImageRequest(prompt="a fight"))
    (reason,) = refused.value.decision.reasons
    assert (reason.because[0].value, reason.because[0].limit) == (0.9, 0.5)
    assert not drawn
    assert kinds(home) == ["refusal"]


def test_a_picture_that_policy_blocks_is_not_delivered(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"violence": 0.8}, ()))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    with pytest.raises(PolicyRefused, match="the picture was refused"):
        pipeline.run(ImageRequest(prompt="a calm sea"))
    assert kinds(home) == ["refusal"]


def test_review_holds_the_picture_and_is_no_refusal_by_another_name(
    home: Home, tmp_path: Path
) -> None:
    images = ScriptedImageAssessor(({"shocking": 0.8}, ()))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    with pytest.raises(ReviewRequired) as held:
        pipeline.run(ImageRequest(prompt="a calm sea"))
    assert held.value.code == "review_required"


def test_of_several_pictures_only_those_that_pass_are_delivered(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({}, ()), ({"violence": 0.8}, ()), ({}, ()))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    outcome = pipeline.run(ImageRequest(prompt="a calm sea", count=3))
    assert [refusal.index for refusal in outcome.refusals] == [1]
    assert len({released.content_id for released in outcome.released}) == 2
    assert sorted(kinds(home)) == ["decision", "decision", "delivery", "delivery", "refusal"]


def test_a_redacted_picture_is_assessed_again_before_it_leaves(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"privacy": 0.9}, (SEEN,)), ({}, ()))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    (released,) = pipeline.run(ImageRequest(prompt="a letter", seed=3)).released
    before, after = images.seen
    inside = np.s_[60:100, 60:120]
    assert np.abs(before[inside].astype(int) - after[inside]).mean() > 1
    assert np.array_equal(before[150:], after[150:])
    assert "redact" in released.trail.ran


def test_what_redaction_cannot_mend_is_held_for_a_person(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"privacy": 0.9}, (SEEN,)), ({"privacy": 0.9}, (SEEN,)))
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, GUARDED), images=images)
    with pytest.raises(ReviewRequired):
        pipeline.run(ImageRequest(prompt="a letter"))


def test_a_prompt_that_policy_would_redact_is_held_and_not_drawn(
    home: Home, tmp_path: Path
) -> None:
    policy = policy_from(tmp_path, EVERYWHERE)
    prompts = ScriptedPromptAssessor({"letter": {"privacy": 0.9}})
    with pytest.raises(ReviewRequired, match="held for review"):
        pipeline_of(home, policy=policy, prompts=prompts).run(ImageRequest(prompt="a letter"))
    assert kinds(home) == ["refusal"]


def test_what_nobody_looked_for_stands_in_the_receipt_and_in_the_ledger(home: Home) -> None:
    images = ScriptedImageAssessor(covers=frozenset({"violence"}))
    request = ImageRequest(prompt="a calm sea")
    (released,) = pipeline_of(home, images=images).run(request).released
    (looked,) = (r for r in released.trail.receipts if r.step == "assess_image")
    assert "sexual_minors" in str(looked.detail["not_assessed"]).split(", ")
    assert "violence" not in str(looked.detail["not_assessed"]).split(", ")
    assert released.entry is not None
    assert "sexual_minors" in json.dumps(released.entry.event.body["image"])


def test_label_puts_readable_words_on_the_picture(home: Home, tmp_path: Path) -> None:
    scripts = ({"likeness_deception": 0.9}, ())
    policy = policy_from(tmp_path, GUARDED)
    labelled = pipeline_of(home, policy=policy, images=ScriptedImageAssessor(scripts))
    plain = pipeline_of(home, policy=policy)
    request = ImageRequest(prompt="a stage", seed=5)
    (with_label,) = labelled.run(request).released
    (without,) = plain.run(request).released
    assert "label" in with_label.trail.ran
    assert "label" not in without.trail.ran
    corner = np.s_[-20:, -100:]
    brightest = decode(deliver(with_label)).pixels[corner].max(axis=2)
    assert (brightest > 240).sum() > (decode(deliver(without)).pixels[corner] > 240).sum() + 50


def test_more_pictures_than_a_batch_holds_keep_their_seeds(home: Home) -> None:
    core = InMemoryCore()
    count = core.info.max_batch + 2
    images = ScriptedImageAssessor()
    pipeline_of(home, core=core, images=images).run(
        ImageRequest(prompt="a calm sea", seed=7, count=count)
    )
    last = GenerationRequest(
        prompt="a calm sea", width=256, height=256, steps=4, guidance=1.0, seed=7 + count - 1
    )
    assert np.array_equal(images.seen[-1], core.generate(last)[0])


def test_the_ledger_holds_no_word_of_the_prompt(home: Home) -> None:
    prompts = ScriptedPromptAssessor({"xylophone": {"violence": 0.99}})
    with pytest.raises(PolicyRefused):
        pipeline_of(home, prompts=prompts).run(ImageRequest(prompt="a xylophone"))
    pipeline_of(home).run(ImageRequest(prompt="a quokka"))
    written = str([entry.body for entry in home.ledger.entries()])
    assert "xylophone" not in written
    assert "quokka" not in written


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ImageRequest(prompt="  \n"), "empty"),
        (ImageRequest(prompt="x" * 100_000), "100,000 characters"),
        (ImageRequest(prompt="a \ud800 sea"), "not valid Unicode"),
        (ImageRequest(prompt="a sea", width=250), "multiple of 8"),
        (ImageRequest(prompt="a sea", width=4096), "from 64 to 1024"),
        (ImageRequest(prompt="a sea", steps=0), "1 to 50"),
        (ImageRequest(prompt="a sea", count=11), "1 to 10"),
        (ImageRequest(prompt="a sea", seed=-1), "seed"),
    ],
)
def test_a_request_outside_the_limits_is_told_them(
    home: Home, request_: ImageRequest, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        pipeline_of(home).run(request_)
    assert kinds(home) == []


class _Broken:
    """A part that is down, in place of any other."""

    name, alg, covers = "broken", "org.wardmark.broken.1", frozenset[str]()

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> object:
        raise self._error

    def assess(self, _: object) -> list[object]:
        raise self._error

    def embed(self, *_: object) -> Pixels:
        raise self._error


def test_an_assessor_that_is_down_is_an_outage_and_never_a_pass(home: Home) -> None:
    down = _Broken(SafetyUnavailable("the assessor is down"))
    with pytest.raises(SafetyUnavailable):
        pipeline_of(home, prompts=down).run(ImageRequest(prompt="a calm sea"))  # type: ignore[arg-type]
    with pytest.raises(SafetyUnavailable):
        pipeline_of(home, images=down).run(ImageRequest(prompt="a calm sea"))  # type: ignore[arg-type]
    recorded = home.ledger.entries(first=1)
    stops = [(entry.body["stopped_at"], entry.body["code"]) for entry in recorded]
    assert stops == [
        ("assess_prompt", "safety_unavailable"),
        ("assess_image", "safety_unavailable"),
    ]


def test_a_mark_that_cannot_be_written_stops_delivery(home: Home) -> None:
    broken = with_provenance(pipeline_of(home), scheme=_Broken(WatermarkFailed("no mark")))
    with pytest.raises(WatermarkFailed):
        broken.run(ImageRequest(prompt="a calm sea"))
    assert kinds(home) == ["stopped"]
    assert home.ledger.verify().ok


def test_a_signer_that_is_down_stops_delivery(home: Home) -> None:
    class Lost:
        """A signer whose token was pulled out."""

        alg, certificate_chain = home.signer.alg, home.signer.certificate_chain

        def sign(self, data: bytes) -> bytes:
            raise SignerUnavailable("the token is gone")

    with pytest.raises(SignerUnavailable, match="the token is gone"):
        with_provenance(pipeline_of(home), signer=Lost()).run(ImageRequest(prompt="a calm sea"))
    assert kinds(home) == ["decision", "stopped"]


def test_nothing_is_delivered_without_a_ledger(home: Home) -> None:
    broken = with_provenance(
        pipeline_of(home), ledger=_Broken(LedgerUnavailable("the database is gone"))
    )
    with pytest.raises(LedgerUnavailable):
        broken.run(ImageRequest(prompt="a calm sea"))


def test_cancelling_stops_the_drawing_and_is_recorded(home: Home) -> None:
    with pytest.raises(GenerationCancelled):
        pipeline_of(home).run(ImageRequest(prompt="a calm sea"), cancelled=lambda: True)
    (entry,) = home.ledger.entries(first=1)
    assert (entry.kind, entry.body["stopped_at"]) == ("stopped", "generate")


def test_ctrl_c_in_the_middle_is_recorded_and_the_ledger_still_verifies(home: Home) -> None:
    def interrupt(_: str, done: int, __: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline_of(home).run(ImageRequest(prompt="a calm sea"), progress=interrupt)
    assert kinds(home) == ["stopped"]
    assert home.ledger.verify().ok


def test_a_core_that_breaks_is_an_outage(home: Home) -> None:
    def break_down(*_: object) -> Pixels:
        raise CoreFailed("out of memory")

    with pytest.raises(CoreFailed):
        pipeline_of(home, core=InMemoryCore(draw=break_down)).run(ImageRequest(prompt="a sea"))
    assert kinds(home) == ["stopped"]


def test_an_open_core_that_nobody_assesses_does_not_start(home: Home, tmp_path: Path) -> None:
    policy = policy_from(tmp_path, GUARDED + "requires: [sexual]\n")
    blind = ScriptedImageAssessor(covers=frozenset({"violence"}))
    with pytest.raises(SafetyUnavailable, match="sexual"):
        pipeline_of(home, policy=policy, core=InMemoryCore(domain="open"), images=blind)
    pipeline_of(home, policy=policy, core=InMemoryCore(domain="closed"), images=blind)


def test_an_obligation_that_nobody_can_meet_stops_the_start(home: Home, tmp_path: Path) -> None:
    policy = policy_from(tmp_path, GUARDED.replace("ledger]", "ledger, retention]"))
    with pytest.raises(SafetyUnavailable, match="retention"):
        pipeline_of(home, policy=policy)


@pytest.mark.parametrize("picture_format", ["jpeg", "webp"])
def test_a_lossy_file_still_carries_its_mark(home: Home, picture_format: str) -> None:
    request = ImageRequest(prompt="a calm sea", seed=2, format=picture_format)  # type: ignore[arg-type]
    (released,) = pipeline_of(home).run(request).released
    report = verify(deliver(released), sources=home.sources())
    assert report.verdict == "established"
    assert report.watermark.payload == released.content_id


def test_actions_rise_from_allow_to_block() -> None:
    assert sorted(Action, reverse=True)[0] is Action.BLOCK
    assert Action.ALLOW < Action.LABEL < Action.REDACT < Action.REVIEW < Action.BLOCK
