"""As many parameters as the data allow; thresholds that hold what they state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.assessment import Assessment
from guard.errors import WeightsInvalid
from guard.evaluate.calibrating import fit, fitted, method_for, operating_point
from guard.evaluate.figures import Split
from guard.images.calibration import Calibrated, Calibration, CategoryCalibration, ScoreMap
from tests.support.assessors import REF, ScriptedImageAssessor
from tests.support.lettering import plain

METHODS = ("temperature", "platt", "isotonic")


def overconfident(count: int) -> Split:
    """Log odds three times too large, by a fair coin each."""
    rng = np.random.default_rng(1)
    odds = rng.normal(0, 1.5, 4 * count)
    unsafe = rng.random(4 * count) < 1 / (1 + np.exp(-odds))
    scores = 1 / (1 + np.exp(-3 * odds))
    return Split(scores[~unsafe][:count], scores[unsafe][:count])


@pytest.mark.parametrize(
    ("rarer", "method"), [(5, "none"), (20, "temperature"), (50, "platt"), (500, "isotonic")]
)
def test_the_method_follows_the_amount_of_data(rarer: int, method: str) -> None:
    assert method_for(Split(np.zeros(9000), np.zeros(rarer))) == method


@pytest.mark.parametrize("count", [30, 200, 600])
def test_overconfidence_is_taken_back(count: int) -> None:
    found = fitted(overconfident(count), 0.05, 0)
    assert found.after is not None
    assert found.after.value < found.before.value


def test_the_temperature_is_found() -> None:
    assert fit(overconfident(2000), "temperature").slope == pytest.approx(1 / 3, rel=0.1)


@given(
    st.sampled_from(METHODS),
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
    st.lists(st.floats(0, 1), min_size=2, max_size=30),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_map_ever_turns_two_scores_around(
    method: str, safe: list[float], unsafe: list[float], a: float, b: float
) -> None:
    one = fit(Split(np.array(safe), np.array(unsafe)), method)
    assert 0 <= one(a) <= 1
    assert one(min(a, b)) <= one(max(a, b))


def test_a_threshold_is_proposed_only_where_it_can_be_shown() -> None:
    rng = np.random.default_rng(2)
    assert operating_point(rng.random(298), 0.01) is None  # 0 of 298 bounds no better than .01
    point = operating_point(rng.random(2000), 0.01)
    assert point is not None
    assert point.bound <= 0.01 < point.false_positives / 2000 + 0.01
    assert operating_point(np.ones(2000), 0.01) is None


def test_calibration_changes_scores_thresholds_and_the_digest() -> None:
    halved = ScoreMap(method="isotonic", knots=((0.0, 0.0), (1.0, 0.5)))
    given_ = Calibration(
        assessor=REF.digest, categories={"violence": CategoryCalibration(map=halved)}
    )
    assessor = Calibrated(ScriptedImageAssessor(({"violence": 0.8, "sexual": 0.8}, ())), given_)
    (seen,) = assessor.assess([plain()])
    assert isinstance(seen, Assessment)
    assert seen.scores["violence"] == pytest.approx(0.4)
    assert seen.thresholds["violence"] == pytest.approx(0.25)
    assert seen.scores["sexual"] == 0.8
    assert seen.assessor == assessor.ref != REF


def test_a_calibration_of_another_assessor_is_refused() -> None:
    with pytest.raises(WeightsInvalid, match="calibrate again"):
        Calibrated(ScriptedImageAssessor(), Calibration(assessor="1" * 64, categories={}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "isotonic"},
        {"method": "isotonic", "knots": ((0.5, 0.9), (0.6, 0.1))},
        {"method": "platt", "slope": -1.0},
        {"method": "isotonic", "knots": ((0.0, -0.1), (1.0, 1.0))},
    ],
)
def test_a_map_that_falls_or_leaves_the_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fall|knot|greater"):
        ScoreMap.model_validate(wrong)
