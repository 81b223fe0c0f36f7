"""Drift is told where there is one, and not where there is none."""

import numpy as np
import pytest

from guard.assessment import Assessment, AssessorRef
from guard.evaluate.drift import FEWEST, Recent, State, drift_of, psi, windows_of
from guard.images.calibration import Calibration, CategoryCalibration

RNG = np.random.default_rng(3)


def beta(a: float, b: float, count: int = 800) -> list[float]:
    return RNG.beta(a, b, count).tolist()


def test_the_same_distribution_is_steady_nearly_always() -> None:
    states = [drift_of({"x": beta(1, 8)}, {"x": beta(1, 8, 300)})["x"].state for _ in range(100)]
    assert states.count(State.STEADY) >= 98


@pytest.mark.parametrize(("a", "state"), [(1.35, State.SOME), (4, State.MUCH)])
def test_a_shift_is_told_by_its_size(a: float, state: State) -> None:
    found = drift_of({"x": beta(1, 8, 4000)}, {"x": beta(a, 8, 4000)})["x"]
    assert found.state is state
    assert found.ks is not None
    assert found.ks > 0.05


def test_few_scores_say_nothing() -> None:
    found = drift_of({"x": beta(1, 8)}, {"x": [0.99] * (FEWEST - 1)})["x"]
    assert (found.state, found.psi, found.p) == (State.TOO_FEW, None, None)


def test_psi_is_that_of_its_definition() -> None:
    window = np.repeat(np.arange(10) / 10, 10)
    recent = np.repeat(np.arange(10) / 10, [19, 1, *[10] * 8])
    expected = (0.19 - 0.1) * np.log(1.9) + (0.01 - 0.1) * np.log(0.1)
    assert psi(window, recent) == pytest.approx(expected)


def test_scores_that_are_all_alike_do_not_break_it() -> None:
    found = drift_of({"x": [0.0] * 200}, {"x": [0.0] * 200})["x"]
    assert found.state is State.STEADY
    jumped = drift_of({"x": [0.0] * 200}, {"x": [0.7] * 200})["x"]
    assert jumped.ks == 1.0


def test_what_a_guard_said_lately_is_held_against_its_window() -> None:
    ref = AssessorRef(name="r", version="1", digest="0" * 64)
    recent = Recent({"violence": beta(1, 8)}, most=200)
    for score in [0.0] * 200 + beta(5, 5, 200):  # the oldest are forgotten
        recent.add(Assessment(assessor=ref, subject="image", scores={"violence": score, "x": 1.0}))
    found = recent.drift()
    assert found.keys() == {"violence"}
    assert (found["violence"].state, found["violence"].recent) == (State.MUCH, 200)


def test_the_window_is_that_of_the_calibration() -> None:
    fitted = Calibration(
        assessor="0" * 64,
        categories={
            "violence": CategoryCalibration(window=(0.1, 0.2)),
            "sexual": CategoryCalibration(),
        },
    )
    assert windows_of(fitted) == {"violence": (0.1, 0.2)}
