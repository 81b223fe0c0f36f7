"""Several guards as one: on balance, and honest about what none of them looked at."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.assessment import Assessment, AssessorRef
from guard.errors import SafetyUnavailable
from guard.prompts.adapters import Ensemble, Member
from policies.categories import CATEGORIES

PROBABILITY = st.floats(0.001, 0.999)


class Fixed:
    """Says the same of every text."""

    def __init__(
        self, scores: Mapping[str, float], threshold: float = 0.5, language: str | None = None
    ) -> None:
        self.scores, self.threshold, self.language = scores, threshold, language
        self.ref = AssessorRef(name="fixed", version=str(threshold), digest="00")
        self.covers = frozenset(scores) - {"unsafe"}

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        return [
            Assessment(
                assessor=self.ref,
                subject="prompt",
                scores=self.scores,
                thresholds=dict.fromkeys(self.scores, self.threshold),
                not_assessed=frozenset(CATEGORIES) - frozenset(self.scores),
                language=self.language,
                fields={"prompt.characters": 1} if self.language else {},
            )
            for _ in texts
        ]


class Down(Fixed):
    """Does not answer."""

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        raise SafetyUnavailable("down")


def together(*members: tuple[Fixed, float]) -> Assessment:
    (found,) = Ensemble([Member(*member) for member in members]).assess(["x"])
    return found


@given(PROBABILITY, PROBABILITY, st.floats(0.1, 10))
def test_one_guard_alone_says_what_it_says(score: float, threshold: float, weight: float) -> None:
    found = together((Fixed({"violence": score}, threshold), weight))
    assert found.scores["violence"] == pytest.approx(score)
    assert found.thresholds["violence"] == pytest.approx(threshold)


@given(PROBABILITY, PROBABILITY, PROBABILITY, st.floats(0.1, 10), st.floats(0.1, 10))
def test_raising_a_score_never_lowers_the_whole(
    low: float, high: float, other: float, one: float, two: float
) -> None:
    low, high = sorted((low, high))
    for category in ("violence", "sexual_minors"):
        below = together((Fixed({category: low}), one), (Fixed({category: other}, 0.3), two))
        above = together((Fixed({category: high}), one), (Fixed({category: other}, 0.3), two))
        margin = [each.scores[category] - each.thresholds[category] for each in (below, above)]
        assert margin[0] <= margin[1] + 1e-9 or (margin[0] < 0) == (margin[1] < 0)


def test_the_heavier_guard_has_the_greater_say() -> None:
    yes, no = Fixed({"violence": 0.9}), Fixed({"violence": 0.1})
    assert together((yes, 2), (no, 1)).scores["violence"] > 0.5
    assert together((yes, 1), (no, 2)).scores["violence"] < 0.5
    assert together((yes, 1), (no, 1)).scores["violence"] == pytest.approx(0.5)


def test_guards_with_thresholds_of_their_own_are_balanced_by_them() -> None:
    found = together((Fixed({"violence": 0.9}, 0.95), 1), (Fixed({"violence": 0.2}, 0.1), 1))
    above = found.scores["violence"] - found.thresholds["violence"]
    assert above > 0  # .2 is further above .1, in log odds, than .9 is below .95


def test_who_did_not_look_has_no_say_and_what_nobody_looked_at_is_told() -> None:
    found = together((Fixed({"violence": 0.8}), 1), (Fixed({"sexual": 0.3}), 9))
    assert found.scores == pytest.approx({"violence": 0.8, "sexual": 0.3})
    assert found.not_assessed == frozenset(CATEGORIES) - {"violence", "sexual"}


def test_one_guard_is_enough_where_minors_are_concerned() -> None:
    found = together(
        (Fixed({"sexual_minors": 0.9, "unsafe": 0.9}), 1),
        (Fixed({"sexual_minors": 0.01, "unsafe": 0.01}), 50),
    )
    assert found.scores["sexual_minors"] == pytest.approx(0.9)
    assert found.scores["unsafe"] >= found.thresholds["unsafe"]


def test_a_guard_that_is_down_stops_everything() -> None:
    with pytest.raises(SafetyUnavailable):
        together((Fixed({"violence": 0.1}), 1), (Down({"violence": 0.1}), 0.01))


def test_what_one_guard_knows_of_the_text_is_kept() -> None:
    found = together((Fixed({"violence": 0.1}), 1), (Fixed({"sexual": 0.1}, language="en"), 1))
    assert found.language == "en"
    assert found.fields == {"prompt.characters": 1}


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan")])
def test_a_weight_is_a_number_above_nought(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Ensemble([Member(Fixed({}), weight)])


def test_an_ensemble_of_none_is_none() -> None:
    with pytest.raises(ValueError, match="members"):
        Ensemble([])


def test_its_digest_changes_with_a_weight() -> None:
    one, other = (Ensemble([Member(Fixed({}), weight)]).ref.digest for weight in (1.0, 2.0))
    assert one != other
