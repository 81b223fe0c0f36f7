"""Balance metrics against scipy and values computed by hand."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, entropy

from datasets_audit.balance import (
    imbalance_ratio,
    js_divergence,
    normalised_entropy,
    representation_ratios,
    simpson_evenness,
    wilson,
)

counts = st.lists(st.integers(0, 10_000), min_size=2, max_size=12).filter(any)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_interval_is_scipys_wilson_interval(total: int, share: float) -> None:
    count = round(total * share)
    expected = binomtest(count, total).proportion_ci(0.95, method="wilson")
    low, high = wilson(count, total)
    assert low == pytest.approx(expected.low, abs=1e-9)
    assert high == pytest.approx(expected.high, abs=1e-9)
    assert 0 <= low <= count / total <= high <= 1


def test_an_absent_group_still_has_an_interval() -> None:
    low, high = wilson(0, 100)
    assert low == 0
    assert high == pytest.approx(0.0370, abs=1e-4)  # z^2 / (n + z^2)


@given(counts)
def test_entropy_is_scipys_entropy_over_its_maximum(given_counts: list[int]) -> None:
    expected = entropy(given_counts) / math.log(len(given_counts))
    assert normalised_entropy(given_counts) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 1000), st.integers(2, 20))
def test_equal_counts_are_perfectly_even(count: int, categories: int) -> None:
    even = [count] * categories
    assert normalised_entropy(even) == pytest.approx(1)
    assert simpson_evenness(even) == pytest.approx(1)
    assert imbalance_ratio(even) == 1


def test_everything_in_one_category_is_as_uneven_as_can_be() -> None:
    assert normalised_entropy([50, 0, 0, 0]) == 0
    assert simpson_evenness([50, 0, 0, 0]) == pytest.approx(1 / 4)


def test_simpson_evenness_by_hand() -> None:
    # shares 1/2, 1/4, 1/4: concentration 3/8, its inverse 8/3, over 3 categories 8/9
    assert simpson_evenness([2, 1, 1]) == pytest.approx(8 / 9)


def test_the_imbalance_of_an_empty_category_is_not_a_number() -> None:
    assert imbalance_ratio([30, 10]) == 3
    assert imbalance_ratio([30, 0]) is None


@given(counts, st.data())
def test_divergence_is_scipys_distance_squared(first: list[int], data: st.DataObject) -> None:
    second = data.draw(
        st.lists(st.integers(0, 100), min_size=len(first), max_size=len(first)).filter(any)
    )
    expected = jensenshannon(np.array(first, float), np.array(second, float)) ** 2
    assert js_divergence(first, second) == pytest.approx(expected, abs=1e-9)


@given(counts)
def test_nothing_diverges_from_itself(given_counts: list[int]) -> None:
    assert js_divergence(given_counts, given_counts) == pytest.approx(0, abs=1e-12)


def test_distributions_that_share_nothing_diverge_by_ln_2() -> None:
    assert js_divergence([5, 0], [0, 7]) == pytest.approx(math.log(2))


def test_representation_ratios_by_hand() -> None:
    ratios = representation_ratios({"a": 60, "b": 40}, {"a": 0.3, "c": 0.7})
    assert ratios == {"a": pytest.approx(2.0), "b": None, "c": 0.0}


@given(counts, st.randoms())
def test_the_order_of_categories_does_not_matter(given_counts: list[int], random: Random) -> None:
    assume(len(set(given_counts)) > 1)
    shuffled = given_counts.copy()
    random.shuffle(shuffled)
    assert normalised_entropy(shuffled) == pytest.approx(normalised_entropy(given_counts))
    assert simpson_evenness(shuffled) == pytest.approx(simpson_evenness(given_counts))


# FairFace (Kärkkäinen and Joo 2021, CC BY 4.0), counts of its 97,698 published labels.
FAIRFACE_RACE = [18612, 14990, 13837, 13835, 13789, 12210, 10425]
FAIRFACE_AGE = [28898, 21580, 12097, 11764, 10284, 7024, 3100, 1991, 960]


def test_fairface_looks_even_by_race_and_uneven_by_age() -> None:
    assert normalised_entropy(FAIRFACE_RACE) == pytest.approx(0.993, abs=5e-4)
    assert simpson_evenness(FAIRFACE_RACE) == pytest.approx(0.973, abs=5e-4)
    assert imbalance_ratio(FAIRFACE_RACE) == pytest.approx(1.79, abs=5e-3)
    assert js_divergence(FAIRFACE_RACE, [1] * 7) == pytest.approx(0.0034, abs=5e-5)
    assert normalised_entropy(FAIRFACE_AGE) == pytest.approx(0.850, abs=5e-4)
    assert simpson_evenness(FAIRFACE_AGE) == pytest.approx(0.604, abs=5e-4)
    assert imbalance_ratio(FAIRFACE_AGE) == pytest.approx(30.1, abs=5e-2)
    assert js_divergence(FAIRFACE_AGE, [1] * 9) == pytest.approx(0.087, abs=5e-4)
