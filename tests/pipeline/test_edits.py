"""An edit enters by the same door: what is sent in is read, assessed and kept as an ingredient."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from guard.assessment import Region
from guard.errors import (
    CoreFailed,
    InvalidRequest,
    PolicyRefused,
    ReviewRequired,
    SafetyUnavailable,
)
from guard.generation import CoreInfo, GenerationRequest
from guard.pipeline import Edit, ImageRequest, Outcome, Pipeline, Released, deliver
from guard.pipeline.sent_in import MAX_STRETCH, fitted, nearest_size, open_sent
from guard.policy_replay import replay
from guard.review import Review, SealedShelf
from guard.review import Verdict as Ruling
from policies.decision import Action
from provenance.credential import IngredientState
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.home import Home
from provenance.picture import Pixels, decode, encode
from provenance.verify import Origin, Verdict, verify
from tests.pipeline.test_pipeline import SEEN, kinds
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import GUARDED, pipeline_of, policy_from, with_provenance

PHOTO = textured_picture("a photograph", 256, 256, 1)
FILE = encode(PHOTO, "png")
INFO = InMemoryCore().info


def edited(pipeline: Pipeline, image: bytes = FILE, **changes: object) -> Outcome:
    edit = {name: changes.pop(name) for name in ("mask", "strength") if name in changes}
    asked = {"prompt": "a calm sea", "seed": 7, "edit": Edit(image=image, **edit)} | changes  # type: ignore[arg-type]
    return pipeline.run(ImageRequest.model_validate(asked))


def only(outcome: Outcome) -> Released:
    (released,) = outcome.released
    return released


def mask_of(*box: slice, size: int = 256) -> bytes:
    mask = np.zeros((size, size, 3), np.uint8)
    mask[box] = 255
    return encode(mask, "png")


class WatchedCore(InMemoryCore):
    """Remembers what it was asked to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[GenerationRequest] = []

    def generate_batch(self, requests, **hooks):  # type: ignore[no-untyped-def]
        self.asked += requests
        return super().generate_batch(requests, **hooks)


# What comes out of an edit


def test_an_edited_picture_is_established_as_edited_with_ai(home: Home) -> None:
    released = only(edited(pipeline_of(home)))
    report = verify(deliver(released), sources=home.sources())
    assert (report.verdict, report.origin) == (Verdict.ESTABLISHED, Origin.AI_EDITED)
    assert report.watermark.payload == released.content_id
    assert set(released.trail.ran) >= {"read_input", "assess_input", "decide_input"}


def test_an_edit_of_our_own_picture_names_it_as_a_trusted_ingredient(home: Home) -> None:
    pipeline = pipeline_of(home)
    first = only(pipeline.run(ImageRequest(prompt="a calm sea", seed=1)))
    second = only(edited(pipeline, deliver(first)))
    report = verify(deliver(second), sources=home.sources())
    assert (report.verdict, report.origin) == (Verdict.ESTABLISHED, Origin.AI_EDITED)
    assert report.credential.worst_ingredient is IngredientState.TRUSTED
    assert report.watermark.payload == second.content_id != first.content_id
    (_, entry) = home.ledger.entries(kind="delivery")
    assert entry.body["source"]["mark"] == first.content_id
    assert entry.body["source"]["credential"] == "trusted"


def test_an_edit_does_not_launder_a_picture_that_was_tampered_with(home: Home) -> None:
    pipeline = pipeline_of(home)
    data = bytearray(deliver(only(pipeline.run(ImageRequest(prompt="a calm sea", format="jpeg")))))
    data[-200] ^= 0x11  # of the pixels
    report = verify(deliver(only(edited(pipeline, bytes(data)))), sources=home.sources())
    assert report.credential.worst_ingredient is IngredientState.INVALID
    assert report.verdict is Verdict.CONTRADICTED
    assert "laundered-ingredient" in {one.name for one in report.agreement}


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_every_format_of_an_edit_carries_the_new_mark(home: Home, kind: str) -> None:
    # The mark that homes come with: over another of its kind, the tests' quicker one is lost in one
    # WebP of fifty.
    pipeline = with_provenance(pipeline_of(home), scheme=home.scheme())
    first = deliver(only(pipeline.run(ImageRequest(prompt="a calm sea", seed=1))))
    second = only(edited(pipeline, first, mask=mask_of(slice(0, 99), slice(0, 99)), format=kind))
    assert verify(deliver(second), sources=home.sources()).watermark.payload == second.content_id


def test_what_a_mask_leaves_out_is_drawn_as_it_was(home: Home) -> None:
    core = WatchedCore()
    outcome = edited(pipeline_of(home, core=core), mask=mask_of(slice(64, 128), slice(64, 128)))
    (asked,) = core.asked
    assert asked.original is not None
    assert asked.original.mask is not None
    assert asked.original.mask[64:128, 64:128].all()
    assert asked.original.mask.sum() == 64 * 64
    assert asked.original.strength == 1.0
    assert np.array_equal(asked.original.pixels, PHOTO)
    assert outcome.asked.original is asked.original


def test_without_a_strength_the_core_s_own_is_taken_and_stands_in_the_record(home: Home) -> None:
    edited(pipeline_of(home))
    (entry,) = home.ledger.entries(kind="delivery")
    assert entry.body["strength_asked"] == INFO.default_strength
    assert entry.body["source"]["masked"] is False


def test_the_ledger_holds_no_plain_hash_of_what_a_person_sent(home: Home) -> None:
    edited(pipeline_of(home))
    written = str([entry.body for entry in home.ledger.entries()])
    assert sha256(FILE).hexdigest() not in written


# What is sent in is judged before anything is drawn


def test_an_unsafe_picture_is_refused_before_anything_is_drawn(home: Home, tmp_path: Path) -> None:
    core = WatchedCore()
    region = Region(x=1, y=2, width=30, height=40, kind="scene", category="violence", score=0.9)
    images = ScriptedImageAssessor(({"violence": 0.9}, (region,)))
    policy = policy_from(tmp_path, GUARDED)
    pipeline = pipeline_of(home, core=core, images=images, policy=policy)
    with pytest.raises(PolicyRefused, match="the picture that was sent in was refused: violence"):
        edited(pipeline)
    assert core.asked == []
    (entry,) = home.ledger.entries(kind="refusal")
    assert entry.body["stage"] == "input"
    assert entry.body["input_image"]["scores"]["violence"] == 0.9
    assert entry.body["input_image"]["fields"]["image.sent_in"] is True
    assert "generate" in entry.body["steps"]["not_run"]


def test_a_picture_that_needs_a_person_is_held_before_anything_is_drawn(
    home: Home, tmp_path: Path
) -> None:
    core = WatchedCore()
    images = ScriptedImageAssessor(({"shocking": 0.9}, ()))
    policy = policy_from(tmp_path, GUARDED)
    with pytest.raises(ReviewRequired, match="sent in is held for review"):
        edited(pipeline_of(home, core=core, images=images, policy=policy))
    assert core.asked == []


def test_private_parts_of_what_is_sent_in_are_hidden_from_the_core(
    home: Home, tmp_path: Path
) -> None:
    core = WatchedCore()
    images = ScriptedImageAssessor(({"privacy": 0.9}, (SEEN,)))
    policy = policy_from(tmp_path, GUARDED)
    released = only(edited(pipeline_of(home, core=core, images=images, policy=policy)))
    assert core.asked[0].original is not None
    shown = core.asked[0].original.pixels
    assert not np.array_equal(shown[60:100, 60:120], PHOTO[60:100, 60:120])
    assert np.array_equal(shown[150:], PHOTO[150:])
    assert len(images.seen) == 3  # as sent, as redacted, as drawn
    assert "redact_input" in released.trail.ran
    (entry,) = home.ledger.entries(kind="delivery")
    assert entry.body["input_image"]["action"] == "redact"
    assert entry.body["input_image_redacted"]["action"] == "allow"


def test_what_is_demanded_of_the_input_is_demanded_of_the_edit(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"likeness_deception": 0.9}, ()))
    policy = policy_from(tmp_path, GUARDED)
    released = only(edited(pipeline_of(home, images=images, policy=policy)))
    assert "label" in released.trail.ran


def test_the_prompt_of_an_edit_is_judged_too(home: Home, tmp_path: Path) -> None:
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.9}})
    pipeline = pipeline_of(home, prompts=prompts, policy=policy_from(tmp_path, GUARDED))
    with pytest.raises(PolicyRefused, match="the prompt was refused"):
        edited(pipeline, prompt="a fight")
    (entry,) = home.ledger.entries(kind="refusal")
    assert entry.body["prompt_stage"]["fields"]["asked.edit"] is True


def test_a_policy_can_forbid_edits(home: Home, tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path,
        """
name: drawn-only
version: "1"
applies: tests
description: tests
rules:
  - id: no-edits
    stage: prompt
    when: {field: asked.edit, op: is_true}
    action: block
    message: pictures are not edited here
""",
    )
    pipeline = pipeline_of(home, policy=policy)
    assert pipeline.run(ImageRequest(prompt="a calm sea")).released
    with pytest.raises(PolicyRefused, match="not edited here"):
        edited(pipeline)


def test_a_replay_asks_about_the_picture_that_was_sent_in_once(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"shocking": 0.4}, ()))
    before = policy_from(tmp_path, GUARDED)
    edited(pipeline_of(home, images=images, policy=before), count=2)
    stricter = policy_from(tmp_path, GUARDED.replace('">=", limit: calibrated', '">=", limit: 0.3'))
    report = replay(home.ledger, stricter, datetime.min.replace(tzinfo=UTC), home.commitment_key)
    assert report.judged == 4  # the prompt, the picture sent in, two that were drawn
    (different,) = report.differences
    assert (different.part, different.after) == ("input_image", Action.REVIEW)


# A closed core draws only what is known, and an edit shows what was sent in


def blind() -> ScriptedImageAssessor:
    return ScriptedImageAssessor(covers=frozenset({"privacy"}))


def test_a_picture_from_elsewhere_that_nobody_assessed_is_held_whatever_the_core(
    home: Home,
) -> None:
    pipeline = pipeline_of(home, images=blind())
    assert pipeline.run(ImageRequest(prompt="a calm sea")).released
    with pytest.raises(ReviewRequired, match="could not be assessed"):
        edited(pipeline)
    (entry,) = home.ledger.entries(kind="refusal")
    assert entry.body["input_image"]["fields"]["core.domain"] == "open"
    assert entry.body["source"]["known"] is False


def test_a_person_can_let_pass_what_nobody_else_could_assess(home: Home) -> None:
    pipeline = replace(pipeline_of(home, images=blind()), shelf=SealedShelf(home))
    with pytest.raises(ReviewRequired) as held:
        edited(pipeline)
    named = held.value.decision_id
    review = Review(home, lambda: pipeline)
    with pytest.raises(ReviewRequired, match="the picture is held"):  # it too, once it is drawn
        review.rule(named, None, Ruling.RELEASE, by="key_17", words="a holiday")
    (file,) = review.rule(named, 0, Ruling.RELEASE, by="key_17", words="harmless")
    report = verify(file.data, sources=home.sources())
    assert (report.verdict, report.origin) == (Verdict.ESTABLISHED, Origin.AI_EDITED)


def test_our_own_picture_is_edited_and_edited_again(home: Home) -> None:
    pipeline = pipeline_of(home, images=blind())
    picture = only(pipeline.run(ImageRequest(prompt="a calm sea", seed=1)))
    for seed in (2, 3):
        picture = only(edited(pipeline, deliver(picture), seed=seed))
    entries = list(home.ledger.entries(kind="delivery"))
    assert [entry.body.get("source", {}).get("known") for entry in entries] == [None, True, True]
    looks = [r for r in picture.trail.receipts if r.step in ("assess_input", "assess_image")]
    assert len(looks) == 2
    assert all("sexual" in str(look.detail["not_assessed"]) for look in looks)


def test_a_picture_that_only_looks_like_ours_is_not_taken_for_ours(home: Home) -> None:
    pipeline = pipeline_of(home, images=blind())
    ours = deliver(only(pipeline.run(ImageRequest(prompt="a calm sea", seed=1))))
    copy = encode(decode(ours).pixels, "png")
    with pytest.raises(ReviewRequired):
        edited(pipeline, copy)


def test_a_policy_that_needs_to_know_what_a_picture_shows_is_not_kept_blindly(
    home: Home, tmp_path: Path
) -> None:
    policy = policy_from(
        tmp_path,
        """
name: needy
version: "1"
applies: tests
description: tests
requires: [sexual]
rules:
  - id: sexual
    stage: both
    when: {field: score.sexual, op: ">=", limit: calibrated}
    action: block
    on_missing: skip
    message: not here
""",
    )
    pipeline = pipeline_of(home, images=blind(), policy=policy)
    with pytest.raises(SafetyUnavailable, match="sexual, this one comes from elsewhere"):
        edited(pipeline)
    assert kinds(home) == ["stopped"]


# What is sent in may be anything


def saved(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animated() -> bytes:
    frames = [Image.fromarray(PHOTO), Image.fromarray(PHOTO[::-1])]
    return saved(frames[0], "gif", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit(image=animated()), "picture has 2 frames"),
        (Edit(image=FILE, mask=animated()), "mask has 2 frames"),
        (
            Edit(image=FILE, mask=mask_of(slice(0, 9), size=128)),
            "mask is 128x128 and the picture 2",
        ),
        (Edit(image=FILE, mask=mask_of(slice(0, 0))), "the mask is empty"),
        (Edit(image=FILE, strength=0.0), "strength of 0.0"),
        (Edit(image=FILE, strength=1.01), "strength of 1.01"),
        (Edit(image=FILE, strength=0.1), "leaves none to draw"),
        (Edit(image=encode(np.tile(PHOTO, (1, 6, 1))[:20], "png")), "would be stretched"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_what_to_do(
    home: Home, edit: Edit, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        pipeline_of(home).run(ImageRequest(prompt="a calm sea", width=None, edit=edit, steps=4))
    assert kinds(home) == []


@pytest.mark.parametrize("data", [b"", b"no picture", FILE[:400], b"GIF89a" + b"\x00" * 60])
def test_what_is_no_picture_is_refused(home: Home, data: bytes) -> None:
    with pytest.raises(PictureInvalid):
        edited(pipeline_of(home), data)
    with pytest.raises(PictureInvalid):
        edited(pipeline_of(home), mask=data)


def test_a_picture_of_too_many_pixels_is_refused_unread(home: Home) -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)))
    with pytest.raises(PictureTooLarge, match="Scale it down"):
        edited(pipeline_of(home), bomb)


def test_sixteen_bits_and_grey_and_rotation_are_taken_as_a_person_sees_them(home: Home) -> None:
    core = WatchedCore()
    grey = PHOTO[..., 0]
    deep = saved(Image.fromarray(grey.astype(np.uint16) << 8))
    edited(pipeline_of(home, core=core), deep)
    assert core.asked[0].original is not None
    assert np.array_equal(core.asked[0].original.pixels, np.dstack([grey] * 3))


def rgba(pixels: Pixels, alpha: np.ndarray) -> bytes:
    return saved(Image.fromarray(np.dstack([pixels, alpha])))


def test_what_lies_under_transparent_pixels_reaches_nobody_and_may_be_drawn_over(
    home: Home,
) -> None:
    core, images = WatchedCore(), ScriptedImageAssessor()
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[:64] = 0
    edited(pipeline_of(home, core=core, images=images), rgba(PHOTO, alpha))
    original = core.asked[0].original
    assert original is not None
    assert original.mask is not None
    assert (original.mask == (alpha == 0)).all()
    for seen in (original.pixels, images.seen[0]):
        assert (seen[:64] == 255).all()
        assert np.array_equal(seen[64:], PHOTO[64:])


def test_a_mask_is_read_by_its_transparency_or_else_by_its_light() -> None:
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[10:20] = 0
    by_alpha = open_sent(Edit(image=FILE, mask=rgba(np.zeros_like(PHOTO), alpha))).mask
    by_light = open_sent(Edit(image=FILE, mask=mask_of(slice(10, 20)))).mask
    opaque = rgba(decode(mask_of(slice(10, 20))).pixels, np.full_like(alpha, 255))
    by_light_too = open_sent(Edit(image=FILE, mask=opaque)).mask
    assert by_alpha is not None
    assert np.array_equal(by_alpha, alpha == 0)
    assert np.array_equal(by_alpha, by_light)
    assert np.array_equal(by_alpha, by_light_too)


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), grid=st.sampled_from([8, 16, 64]))
def test_any_picture_is_brought_to_a_size_that_the_core_draws_or_refused(
    width: int, height: int, grid: int
) -> None:
    core = CoreInfo.model_validate(INFO.model_dump() | {"size_multiple": grid, "min_side": 100})
    sent = open_sent(Edit(image=encode(np.zeros((1, 1, 3), np.uint8), "png"))).showing(
        np.broadcast_to(np.uint8(7), (height, width, 3))
    )
    to = nearest_size(sent, core)
    assert all(core.min_side <= side <= core.max_side and side % grid == 0 for side in to)
    own = all(core.min_side <= side <= core.max_side for side in (width, height))
    if own:
        assert all(abs(a - b) <= grid for a, b in zip(to, (width, height), strict=True))
    stretch = to[0] * height / (to[1] * width)
    if max(stretch, 1 / stretch) > MAX_STRETCH:
        with pytest.raises(InvalidRequest, match="stretched"):
            fitted(sent, *to, 1.0)
    else:
        assert fitted(sent, *to, 1.0).pixels.shape == (to[1], to[0], 3)


def test_another_size_than_the_picture_s_is_drawn_where_it_has_its_shape(home: Home) -> None:
    larger = only(edited(pipeline_of(home), width=512, height=512))
    assert decode(deliver(larger)).width == 512
    with pytest.raises(InvalidRequest, match="256x256, and at 256x128"):
        edited(pipeline_of(home), width=256, height=128)


def test_a_core_that_dies_is_an_outage_and_is_recorded(home: Home) -> None:
    class Dying(InMemoryCore):
        def generate_batch(self, requests, **hooks):  # type: ignore[no-untyped-def]
            raise RuntimeError("a word of the prompt")

    with pytest.raises(CoreFailed, match=r"broke while drawing \(RuntimeError\)") as failed:
        edited(pipeline_of(home, core=Dying()))
    assert "word of the prompt" not in str(failed.value)
    (entry,) = home.ledger.entries(kind="stopped")
    assert (entry.body["stopped_at"], entry.body["code"]) == ("generate", "core_failed")
