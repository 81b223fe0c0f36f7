"""Features show what was planted, and are silent where nothing was."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cleanlab.filter import find_label_issues
from paint import jpeg

from datasets_audit import audit
from datasets_audit.errors import FeaturesInvalid
from datasets_audit.features import (
    LabelJudge,
    label_errors,
    load_features,
    misfits,
    spectral_outliers,
)

RNG = np.random.default_rng(5)
CLASSES = RNG.normal(0, 1, (3, 64)).astype(np.float32) * 3


def clean(count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    vectors = CLASSES[labels] + rng.normal(0, 1, (count, 64))
    return vectors.astype(np.float32), [f"class {label}" for label in labels]


def test_a_backdoor_stands_out_of_its_label() -> None:
    vectors, labels = clean(1500, 1)
    poisoned = np.flatnonzero(np.array(labels) == "class 0")[:12]
    vectors[poisoned] += 9 * np.eye(64, dtype=np.float32)[7]
    found = np.flatnonzero(spectral_outliers(vectors, labels))
    assert set(found) >= set(poisoned)
    assert len(found) <= len(poisoned) + 2


def test_clean_features_show_hardly_anything() -> None:
    vectors, labels = clean(3000, 2)
    assert spectral_outliers(vectors, labels).sum() <= 2
    assert not spectral_outliers(vectors[:30], labels[:30]).any()
    assert not any(label_errors(vectors, labels))


def test_labels_that_were_swapped_are_found_with_the_right_one() -> None:
    vectors, labels = clean(900, 3)
    swapped = [3, 77, 500]
    truth = [labels[at] for at in swapped]
    for at in swapped:
        labels[at] = "class 0" if labels[at] != "class 0" else "class 1"
    suggested = label_errors(vectors, labels)
    assert [suggested[at] for at in swapped] == truth
    assert sum(one is not None for one in suggested) == len(swapped)
    assert label_errors(vectors[:100], ["one"] * 100) == [None] * 100


def swapped_among(spread: float) -> tuple[np.ndarray, list[str], set[int]]:
    """1,500 pictures, 90 of them under another label; the smaller ``spread``, the harder."""
    rng = np.random.default_rng(8)
    classes = rng.integers(0, 3, 1500)
    vectors = (CLASSES[classes] * spread + rng.normal(0, 1, (1500, 64))).astype(np.float32)
    swapped = rng.choice(1500, 90, replace=False)
    classes[swapped] = (classes[swapped] + 1) % 3
    return vectors, [f"class {label}" for label in classes], {*swapped.tolist()}


def found_by(judge: LabelJudge, vectors: np.ndarray, labels: list[str]) -> set[int]:
    suggested = label_errors(vectors, labels, judge)
    return {at for at, label in enumerate(suggested) if label is not None}


@pytest.mark.parametrize("spread", [1.0, 0.16, 0.1])
def test_our_rule_is_the_confident_learning_of_cleanlab(
    spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, labels, _ = swapped_among(spread)
    ours = found_by(LabelJudge.CONFIDENCE, vectors, labels)
    confident = partial(find_label_issues, filter_by="confident_learning")
    monkeypatch.setattr("cleanlab.filter.find_label_issues", confident)
    assert found_by(LabelJudge.CLEANLAB, vectors, labels) == ours


@pytest.mark.parametrize("spread", [1.0, 0.16])
def test_cleanlab_finds_more_and_is_wrong_more_often(spread: float) -> None:
    vectors, labels, swapped = swapped_among(spread)
    ours = found_by(LabelJudge.CONFIDENCE, vectors, labels)
    theirs = found_by(LabelJudge.CLEANLAB, vectors, labels)
    assert ours <= theirs
    assert len(theirs & swapped) > len(ours & swapped)
    assert len(theirs - swapped) >= len(ours - swapped)


def test_captions_far_below_the_others_do_not_fit() -> None:
    cosines = np.random.default_rng(4).normal(0.3, 0.03, 500).astype(np.float32)
    cosines[[5, 9]] = (0.02, -0.1)
    assert np.flatnonzero(misfits(cosines)).tolist() == [5, 9]
    assert not misfits(cosines[:20]).any()


def test_features_of_an_audit_become_findings(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    vectors, labels = clean(60, 6)
    captions = vectors + np.random.default_rng(7).normal(0, 0.3, vectors.shape)
    captions[4] = -captions[4]
    rows = ["file,label"]
    for number, label in enumerate(labels):
        (images / f"{number}.jpg").write_bytes(jpeg(number))
        rows.append(f"{number}.jpg,{label}")
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    table = pa.table(
        {
            "key": [*(f"{number}.jpg" for number in range(60)), "elsewhere.jpg"],
            "feature": [*vectors.tolist(), vectors[0].tolist()],
            "caption_feature": [*captions.tolist(), vectors[0].tolist()],
        }
    )
    pq.write_table(table, tmp_path / "features.parquet")
    report = audit(
        images, name="x", annotations=tmp_path / "a.csv", features=tmp_path / "features.parquet"
    )
    found = {group.code: group for group in report.findings}
    assert [one.key for one in found["caption_mismatch"].examples] == ["4.jpg"]
    assert "label_doubtful" not in found


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"key": ["a"]}, "columns key and feature"),
        ({"key": ["a", "b"], "feature": [[1.0], [1.0, 2.0]]}, "row 2 is not as long"),
        ({"key": ["a", "b"], "feature": [[1.0], None]}, "row 2 is not as long"),
        ({"key": ["a", "b"], "feature": [[1.0], [float("nan")]]}, "row 2 is not finite"),
        ({"key": ["a"], "feature": [["x"]]}, "no number"),
        ({"key": ["a"], "feature": [[1.0]], "caption_feature": [[1.0, 2.0]]}, "differ in length"),
    ],
)
def test_features_that_are_none_are_refused(
    tmp_path: Path, columns: dict[str, list[object]], named: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(FeaturesInvalid, match=named):
        load_features(tmp_path / "x.parquet")
