"""A user's sequence classifier: read by its own labels, and only from the files declared."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from guard.errors import WeightsInvalid
from guard.prompts.adapters.checkpoint import digest_of
from guard.prompts.adapters.classifier import ClassifierAssessor
from policies.categories import CATEGORIES
from tests.adapters import checkpoints
from tests.adapters.conftest import LABELS

STRANGE = ["", " ", "\x00", "\ud800 boat", "🙂🍆", "мир boat 和平", "<|endoftext|>[CLS][SEP]"]


def test_each_category_has_the_probability_of_its_labels(classifier: ClassifierAssessor) -> None:
    good, bad = classifier.assess(["a red boat", "a bomb on the sea"])
    assert good.scores["violence"] < 0.1 < 0.9 < bad.scores["violence"]
    assert bad.scores["unsafe"] == bad.scores["illegal_dangerous"] == bad.scores["violence"]
    assert bad.scores["privacy"] < 0.1
    assert bad.not_assessed == frozenset(CATEGORIES) - {"violence", "illegal_dangerous", "privacy"}
    assert set(bad.thresholds) == set(bad.scores)


def test_of_a_long_prompt_the_worst_window_counts(classifier: ClassifierAssessor) -> None:
    text = "sea " * 4_000
    for hidden in (f"bomb {text}", f"{text} bomb", f"{text} bomb {text}"[-31_000:]):
        (found,) = classifier.assess([hidden])
        assert found.scores["violence"] > 0.9


def test_a_batch_says_what_its_prompts_say_alone(classifier: ClassifierAssessor) -> None:
    texts = ["a red boat", "bomb", "sea " * 100 + "bomb", *STRANGE] * 3
    together = classifier.assess(texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = classifier.assess([text])
        assert found.scores == pytest.approx(alone.scores, abs=1e-5)


def test_several_threads_may_ask_at_once(classifier: ClassifierAssessor) -> None:
    texts = ["bomb " * n + "sea " * (20 - n) for n in range(1, 17)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda text: classifier.assess([text, "a red boat"]), texts))
    assert all(bad.scores["violence"] > 0.5 > good.scores["violence"] for bad, good in found)


def test_nothing_asked_is_nothing_said(classifier: ClassifierAssessor) -> None:
    assert classifier.assess([]) == []


def test_labels_that_hold_together_are_taken_by_their_maximum(tmp_path: Path) -> None:
    folder = checkpoints.classifier(tmp_path / "multi", labels=["ok", "x", "y"], multiple=True)
    labels = {"ok": [], "x": ["violence"], "y": ["violence"]}
    guard = ClassifierAssessor(folder, sha256=digest_of(folder), labels=labels)
    good, bad = guard.assess(["a red boat", "a bomb on the sea"])
    assert good.scores["violence"] < 0.2 < 0.8 < bad.scores["violence"] <= 1


@pytest.fixture
def copied(classifier_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(classifier_folder, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_changed_file_is_refused_whichever_it_is(copied: Path, name: str) -> None:
    declared = digest_of(copied)
    file = copied / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(WeightsInvalid, match="SHA-256"):
        ClassifierAssessor(copied, sha256=declared, labels=LABELS)


def test_a_label_map_that_was_turned_around_is_refused(copied: Path) -> None:
    declared = digest_of(copied)
    config = json.loads((copied / "config.json").read_text())
    names = list(config["id2label"].values())
    config["id2label"] = dict(enumerate([names[1], names[0], names[2]]))
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsInvalid, match="SHA-256"):
        ClassifierAssessor(copied, sha256=declared, labels=LABELS)


def test_labels_that_are_not_the_models_are_refused_with_the_right_ones(copied: Path) -> None:
    with pytest.raises(WeightsInvalid, match="SAFE, DANGEROUS, LEAK"):
        ClassifierAssessor(copied, sha256=digest_of(copied), labels={"SAFE": [], "BAD": ["sexual"]})


def test_pickled_weights_are_not_opened(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(WeightsInvalid, match="safetensors"):
        digest_of(copied)


def test_a_folder_that_is_not_there_or_no_classifier_is_refused(copied: Path) -> None:
    with pytest.raises(WeightsInvalid, match="safetensors"):
        digest_of(copied / "nowhere")
    (copied / "config.json").write_text("{}")
    with pytest.raises(WeightsInvalid, match="does not load as"):
        ClassifierAssessor(copied, sha256=digest_of(copied), labels=LABELS)


@pytest.mark.parametrize("text", STRANGE)
def test_strange_texts_get_a_number(classifier: ClassifierAssessor, text: str) -> None:
    (found,) = classifier.assess([text])
    assert all(0 <= score <= 1 for score in found.scores.values())
