"""Guards of pictures with the operator's weights: what they say is what the model says."""

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from guard.assessment import Assessment, AssessorRef
from guard.cli import run
from guard.deployment import build_checker, load_image_assessor, load_image_guards
from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.images import Panel, load_assessor
from guard.images.adapters import image_guards_of
from guard.images.adapters.sight import GuardAssessor, Sight
from guard.images.adapters.transformer import Classifier, ClipHead, SafetyChecker, ZeroShot
from guard.images.adapters.weights import session
from guard.prompts.adapters.checkpoint import digest_of
from policies.categories import CATEGORIES
from provenance.errors import HomeInvalid
from provenance.home import Home
from provenance.picture import Pixels, encode
from tests.adapters import pictures
from tests.adapters.endpoint import Answer, Asked, endpoint
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.lettering import plain, with_lines

LABELS: dict[str, list[str]] = {"normal": [], "nsfw": ["sexual"], "gore": ["violence", "shocking"]}
WORDS = {"violence": ["a photo of blood", "a weapon"], "sexual": ["a photo"]}
COLOURS = pictures.colours()


def test_a_classifier_says_what_its_model_says(tmp_path: Path) -> None:
    folder = pictures.classifier(tmp_path, list(LABELS))
    eye = Classifier(folder, digest_of(folder), LABELS, None)
    for pixels in COLOURS:
        seen = eye.look(pixels).scores
        prepared = eye._prepare(images=pixels, return_tensors="pt")
        with torch.inference_mode():
            expected = eye._model(**prepared).logits[0].softmax(-1)
        assert seen["sexual"] == pytest.approx(float(expected[1]), abs=1e-6)
        assert seen["violence"] == seen["shocking"] == pytest.approx(float(expected[2]), abs=1e-6)
    assert len({eye.look(pixels).scores["sexual"] for pixels in COLOURS}) == len(COLOURS)


def test_labels_that_are_not_all_mapped_are_refused(tmp_path: Path) -> None:
    folder = pictures.classifier(tmp_path, list(LABELS))
    with pytest.raises(WeightsInvalid, match="normal, nsfw, gore"):
        Classifier(folder, digest_of(folder), {"nsfw": ["sexual"]}, None)


def test_the_safety_checkers_score_turns_where_its_boolean_does(tmp_path: Path) -> None:
    folder = pictures.safety_checker(tmp_path)
    eye = SafetyChecker(folder, digest_of(folder))
    answers = []
    for pixels in pictures.colours(24):
        prepared = eye._prepare(images=pixels, return_tensors="pt").pixel_values
        _, (flagged,) = eye._model(clip_input=prepared, images=[pixels.astype(np.float32)])
        score = eye.look(pixels).scores["sexual"]
        if abs(score - 0.5) > 0.05:  # the checker rounds its cosines to thousandths
            assert (score >= 0.5) == flagged
            answers.append(flagged)
    assert {True, False} == set(answers)


@pytest.mark.parametrize("make", [pictures.clip, pictures.siglip])
def test_zero_shot_is_the_models_own_match_of_pictures_and_words(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = make(tmp_path)
    eye = ZeroShot(folder, digest_of(folder), WORDS, ["a lake"])
    from transformers import AutoTokenizer

    texts = [text for each in WORDS.values() for text in each] + ["a lake"]
    words = AutoTokenizer.from_pretrained(folder)(
        texts, padding="max_length", max_length=16, return_tensors="pt"
    )
    words.pop("token_type_ids", None)
    if eye._apart:
        words.pop("attention_mask")
    for pixels in COLOURS:
        inputs = {**words, **eye._prepare(images=pixels, return_tensors="pt")}
        with torch.inference_mode():
            logits = eye._model(**inputs).logits_per_image[0]
        found = eye.look(pixels).scores
        if eye._apart:
            expected = float(logits.sigmoid()[:2].max())
        else:
            expected = float(logits.softmax(-1)[:2].sum())
        assert found["violence"] == pytest.approx(expected, abs=1e-5)
    assert eye.covers == frozenset(WORDS)


def test_a_clip_without_harmless_words_is_refused(tmp_path: Path) -> None:
    folder = pictures.clip(tmp_path)
    with pytest.raises(WeightsInvalid, match="harmless"):
        ZeroShot(folder, digest_of(folder), WORDS, [])


def head_file(folder: Path, *sizes: int) -> tuple[Path, str]:
    rng = np.random.default_rng(2)
    arrays = {}
    for i, (inside, out) in enumerate(pairwise(sizes)):
        arrays[f"layers.{i}.weight"] = rng.normal(size=(out, inside)).astype(np.float32)
        arrays[f"layers.{i}.bias"] = rng.normal(size=out).astype(np.float32)
    path = folder / "head.safetensors"
    save_file(arrays, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_head_reads_clips_unit_embedding(tmp_path: Path) -> None:
    folder = pictures.clip_eye(tmp_path / "clip")
    head, digest = head_file(tmp_path, 8, 5, 1)
    eye = ClipHead(folder, digest_of(folder), head, digest, ["sexual"])
    for pixels in COLOURS:
        with torch.inference_mode():
            given = eye._model(**eye._prepare(images=pixels, return_tensors="pt")).image_embeds[0]
        unit = (given / given.norm()).numpy()
        (w0, b0), (w1, b1) = eye._layers
        expected = 1 / (1 + np.exp(-(w1 @ np.maximum(w0 @ unit + b0, 0) + b1)))
        assert eye.look(pixels).scores["sexual"] == pytest.approx(float(expected[0]), abs=1e-5)


def test_a_head_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = pictures.clip_eye(tmp_path / "clip")
    head, digest = head_file(tmp_path, 9, 1)
    with pytest.raises(WeightsInvalid, match="an embedding of 8"):
        ClipHead(folder, digest_of(folder), head, digest, ["sexual"])


class Broken:
    covers = frozenset({"violence"})

    def __init__(self, score: float | None) -> None:
        self._score = score

    def look(self, pixels: Pixels) -> Sight:
        if self._score is None:
            raise RuntimeError("out of memory")
        return Sight({"violence": self._score})


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_a_guard_that_breaks_is_an_outage(score: float | None) -> None:
    ref = AssessorRef(name="broken", version="1", digest="0" * 64)
    with pytest.raises(SafetyUnavailable, match="broken"):
        GuardAssessor(Broken(score), ref, 0.5).assess([plain()])


# wardmark.toml


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("d") / "home"
    Home.create(home, provider="Test provider", version="0").ledger.close()
    pictures.classifier(home / "vit", list(LABELS))
    return home


@pytest.fixture
def declared(made: Path) -> Callable[..., Home]:
    before = (made / "wardmark.toml").read_text("utf-8").split("[[image_guards]]")[0]

    def declare(**keys: Any) -> Home:
        lines = [f"{name} = {_toml(value)}" for name, value in keys.items()]
        text = "\n".join([before, "[[image_guards]]", *lines, ""])
        (made / "wardmark.toml").write_text(text, "utf-8")
        return Home.open(made)

    return declare


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def vit(made: Path, **more: Any) -> dict[str, Any]:
    given = {"kind": "classifier", "name": "vit", "path": "vit", "labels": LABELS}
    return given | {"sha256": digest_of(made / "vit")} | more


def test_what_a_declared_guard_covers_is_assessed_and_the_rest_is_said_not_to_be(
    declared: Callable[..., Home], made: Path
) -> None:
    assessor = load_image_assessor(declared(**vit(made)))
    (seen,) = assessor.assess([with_lines(plain(), ["happy birthday"])])
    assert assessor.covers == {"sexual", "violence", "shocking"}
    assert seen.not_assessed == frozenset(CATEGORIES) - assessor.covers
    assert seen.fields["text.present"] is True
    assert "vit" in seen.assessor.name


class Foreign(ScriptedPromptAssessor):
    """Cannot judge sexual content in what mentions the harbour."""

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        return [
            found.model_copy(
                update={
                    "scores": {c: s for c, s in found.scores.items() if c != "sexual"},
                    "not_assessed": frozenset({"sexual"}),
                }
            )
            if "harbour" in text
            else found
            for text, found in zip(texts, super().assess(texts), strict=True)
        ]


def test_writing_that_nobody_can_judge_is_not_made_up_for_by_who_sees_the_scene(
    made: Path,
) -> None:
    (guard,) = image_guards_of([vit(made)], made)
    panel = Panel(load_assessor(Foreign()), [guard])
    unread, none = panel.assess([with_lines(plain(), ["the old harbour"]), plain()])
    assert "sexual" in unread.not_assessed
    assert "violence" not in unread.not_assessed
    assert "sexual" not in none.not_assessed


def test_a_changed_declaration_is_another_assessor(
    declared: Callable[..., Home], made: Path
) -> None:
    first = load_image_assessor(declared(**vit(made))).ref
    second = load_image_assessor(declared(**vit(made, threshold=0.9))).ref
    assert first.digest != second.digest


@pytest.mark.parametrize("wrong", ["0" * 64, "f" * 64])
def test_a_wrong_digest_stops_the_start(
    declared: Callable[..., Home], made: Path, wrong: str
) -> None:
    with pytest.raises(WeightsInvalid, match="declare"):
        build_checker(declared(**vit(made, sha256=wrong)))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "oracle"}, "kind"),
        ({"labels": {"nsfw": ["lewd"]}}, "lewd"),
        ({"name": "a b"}, "name"),
        ({"colour": "red"}, "colour"),
        ({"threshold": 1.0}, "threshold"),
    ],
)
def test_a_wrong_declaration_is_named(
    declared: Callable[..., Home], made: Path, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(HomeInvalid, match=said):
        build_checker(declared(**vit(made, **more)))


def test_pickles_are_never_opened(declared: Callable[..., Home], made: Path) -> None:
    folder = made / "pickled"
    folder.mkdir(exist_ok=True)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    (folder / "config.json").write_text((made / "vit" / "config.json").read_text())
    with pytest.raises(WeightsInvalid, match="safetensors"):
        build_checker(declared(**vit(made, path="pickled")))


def test_a_corrupt_checkpoint_stops_the_start_even_under_its_own_digest(
    declared: Callable[..., Home], made: Path, tmp_path: Path
) -> None:
    folder = pictures.classifier(tmp_path / "cut", list(LABELS))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    given = vit(made, path=str(folder), sha256=digest_of(folder))
    with pytest.raises(WeightsInvalid, match="does not load"):
        build_checker(declared(**given))


def test_a_missing_checkpoint_stops_the_start(declared: Callable[..., Home], made: Path) -> None:
    with pytest.raises(WeightsInvalid, match="gone"):
        build_checker(declared(**vit(made, path="gone")))


def test_a_calibration_of_other_weights_stops_the_start(
    declared: Callable[..., Home], made: Path
) -> None:
    (made / "fit.json").write_text(json.dumps({"assessor": "0" * 64, "categories": {}}))
    with pytest.raises(WeightsInvalid, match="calibrate again"):
        build_checker(declared(**vit(made, calibration="fit.json")))


def test_a_guard_is_evaluated_alone_and_takes_the_calibration_that_this_writes(
    declared: Callable[..., Home], made: Path, tmp_path: Path
) -> None:
    rows = []
    for i, pixels in enumerate(pictures.colours(24)):
        (tmp_path / f"{i}.png").write_bytes(encode(pixels))
        rows.append(json.dumps({"image": f"{i}.png", "unsafe": False}))
    (tmp_path / "labels.jsonl").write_text("\n".join(rows))
    fit = made / "own.json"
    declared(**vit(made))
    asked = ["evaluate", "images", str(tmp_path), "--guard", "vit", "--no-shifts", "--json"]
    assert run(["--home", str(made), *asked, "--calibration", str(fit), "--resamples", "0"]) == 0
    home = declared(**vit(made, calibration="own.json"))
    fitted = load_image_guards(home)[0]
    assert fitted.ref.digest != load_image_guards(declared(**vit(made)))[0].ref.digest
    assert len(json.loads(fit.read_text())["categories"]["sexual"]["window"]) == 24
    assert run(["--home", str(made), *asked[:-3], "--guard", "cat"]) == 2


def test_files_of_models_are_onnx_and_what_was_declared(tmp_path: Path) -> None:
    pickled = tmp_path / "model.pth"
    pickled.write_bytes(pickle.dumps([1]))
    with pytest.raises(WeightsInvalid, match="convert"):
        session(pickled, hashlib.sha256(pickled.read_bytes()).hexdigest())
    junk = tmp_path / "model.onnx"
    junk.write_bytes(b"not a model")
    digest = hashlib.sha256(junk.read_bytes()).hexdigest()
    with pytest.raises(WeightsInvalid, match="no model"):
        session(junk, digest)
    with pytest.raises(WeightsInvalid, match="declared is"):
        session(junk, "0" * 64)
    with pytest.raises(WeightsInvalid, match="put it there"):
        session(tmp_path / "gone.onnx", digest)
    with pytest.raises(WeightsInvalid, match=r"no OpenVINOExecutionProvider, only .*CPU"):
        session(junk, digest, provider="openvino")


# the moderations endpoint


def answered(asked: Asked) -> dict[str, Any]:
    (given,) = asked.body["input"]
    assert given["type"] == "image_url"
    assert given["image_url"]["url"].startswith("data:image/jpeg;base64,")
    return {
        "results": [
            {
                "flagged": True,
                "categories": {"violence": True, "hate": False, "sexual": False},
                "category_scores": {"violence": 0.31, "hate": 0.9, "sexual": 0.02},
                "category_applied_input_types": {
                    "violence": ["image"], "sexual": ["text", "image"], "hate": ["text"],
                },
            }
        ]
    }  # fmt: skip


def test_an_endpoint_sees_the_picture_and_what_it_did_not_read_is_not_assessed(
    declared: Callable[..., Home],
) -> None:
    with endpoint(answered) as there:
        home = declared(kind="moderations", name="omni", url=there.url, retries=0)
        (seen,) = load_image_assessor(home).assess([plain()])
    assert seen.scores["violence"] == 0.5  # flagged: the threshold at least
    assert {"hate_harassment", "self_harm"} <= seen.not_assessed
    assert not {"violence", "sexual"} & seen.not_assessed


def test_an_endpoint_that_is_down_is_an_outage(declared: Callable[..., Home]) -> None:
    with endpoint(lambda _: Answer(500)) as there:
        home = declared(kind="moderations", name="omni", url=there.url, retries=0)
        with pytest.raises(SafetyUnavailable, match="did not answer"):
            build_checker(home).image(encode(plain()))


def test_a_remote_endpoint_needs_https(declared: Callable[..., Home]) -> None:
    with pytest.raises(HomeInvalid, match="https"):
        build_checker(declared(kind="moderations", name="omni", url="http://example.org/v1"))


def test_what_one_finds_the_silence_of_another_does_not_take_back() -> None:
    from guard.images.panel import combined

    ref = AssessorRef(name="r", version="1", digest="0" * 64)

    def said(score: float, threshold: float) -> Assessment:
        return Assessment(
            assessor=ref, subject="image", scores={"violence": score},
            thresholds={"violence": threshold},
        )  # fmt: skip

    both = combined([said(0.6, 0.9), said(0.3, 0.2)], ref)
    assert (both.scores["violence"], both.thresholds["violence"]) == (0.3, 0.2)
