"""The figures are those that scikit-learn gives, and intervals hold what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from guard.evaluate.figures import Split, at_threshold, calibration, ranking
from guard.evaluate.metrics import auprc, auroc, average_precision, clopper_pearson, recall_at

SCORES = st.lists(st.integers(0, 8).map(lambda i: i / 8), min_size=1, max_size=40).map(np.array)


def together(safe: np.ndarray, unsafe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate((safe, unsafe))
    return np.arange(len(scores)) >= len(safe), scores


@given(SCORES, SCORES)
def test_rankings_are_those_of_scikit_learn(safe: np.ndarray, unsafe: np.ndarray) -> None:
    assert auroc(safe, unsafe) == pytest.approx(roc_auc_score(*together(safe, unsafe)))
    assert average_precision(safe, unsafe) == pytest.approx(
        average_precision_score(*together(safe, unsafe))
    )


@given(SCORES)
def test_both_precisions_agree_where_the_classes_are_equally_many(safe: np.ndarray) -> None:
    unsafe = np.clip(safe[::-1] + 0.25, 0, 1)
    assert auprc(safe, unsafe) == pytest.approx(average_precision(safe, unsafe))


@given(SCORES, SCORES, st.integers(0, 100).map(lambda i: i / 100))
def test_recall_is_the_best_that_the_rate_allows(
    safe: np.ndarray, unsafe: np.ndarray, rate: float
) -> None:
    fpr, tpr, _ = roc_curve(*together(safe, unsafe), drop_intermediate=False)
    allowed = int(rate * len(safe) + 1e-9) / len(safe)
    assert recall_at(safe, unsafe, rate) <= tpr[fpr <= rate + 1e-9].max()
    assert recall_at(safe, unsafe, rate) >= tpr[fpr <= allowed - 1 / len(safe) + 1e-9].max(
        initial=0
    )


@given(SCORES, SCORES)
def test_flags_give_the_f1_of_scikit_learn(safe: np.ndarray, unsafe: np.ndarray) -> None:
    flags = Split((safe >= 0.5).astype(float), (unsafe >= 0.5).astype(float))
    found = at_threshold(flags, 0.5, 0)
    labels, flagged = together(*flags)
    assert found.f1 is not None
    assert found.f1.value == pytest.approx(f1_score(labels, flagged > 0, zero_division=0))


def test_probabilities_that_hold_have_no_calibration_error() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(40_000)
    unsafe = rng.random(40_000) < scores
    found = calibration(Split(scores[~unsafe], scores[unsafe]), 0)
    assert found.error.value < 0.01
    assert sum(each.prompts for each in found.bins) == 40_000
    too_sure = calibration(Split(scores[~unsafe] ** 0.3, scores[unsafe] ** 0.3), 0)
    assert too_sure.error.value > 0.2


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    truth = 0.7602  # AUROC of two normals one standard deviation apart: Phi(1 / sqrt 2)
    held = 0
    for _ in range(60):
        found = ranking(Split(rng.normal(size=150), rng.normal(1, size=150)), 100)
        assert found is not None
        held += found.auroc.low < truth < found.auroc.high
    assert held >= 50


def test_the_exact_interval_is_the_published_one() -> None:
    bound = clopper_pearson(10, 100)  # Agresti and Coull (1998) and every table since
    assert (bound.low, bound.high) == pytest.approx((0.0490, 0.1762), abs=1e-4)
    assert clopper_pearson(0, 10).low == 0
    assert clopper_pearson(10, 10).high == 1
