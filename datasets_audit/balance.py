"""How evenly a data set covers the groups that its annotations speak of.

Plain functions on counts. A *category* is one value of one attribute; a *cell* is one combination
of values of several. Marginals can look even while cells are nearly empty (FairFace: normalised
entropy of race .993, while its thinnest age x race x gender cell holds 27 of 97,698 faces), so
intersections come first and every share carries an interval.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Z_95 = 1.959963984540054  # two-sided 95 % quantile of the standard normal distribution


class Interval(NamedTuple):
    """Bounds of a share, both in [0, 1]."""

    low: float
    high: float


def wilson(count: int, total: int, z: float = Z_95) -> Interval:
    """Wilson score interval of ``count / total`` (Wilson 1927, without continuity correction).

    0 <= count <= total, total > 0. Unlike the normal approximation it stays in [0, 1] and is not
    empty for a count of 0.
    """
    share = count / total
    z2 = z * z / total
    centre = (share + z2 / 2) / (1 + z2)
    half = z / (1 + z2) * math.sqrt(share * (1 - share) / total + z2 / (4 * total))
    # At a share of 0 or 1 the exact bound is 0 or 1; rounding must not leave it just outside.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return Interval(low, high)


def normalised_entropy(counts: Sequence[int]) -> float:
    """Shannon entropy over its maximum, in [0, 1]; 1 is even. Empty categories count as such.

    Pielou's evenness. A single category has nothing to be even about and gives 1.
    """
    total = sum(counts)
    if len(counts) < 2 or total == 0:
        return 1.0
    shares = [count / total for count in counts if count]
    # + 0.0 turns the -0.0 of a set with one populated category into 0.0
    return -math.fsum(p * math.log(p) for p in shares) / math.log(len(counts)) + 0.0


def simpson_evenness(counts: Sequence[int]) -> float:
    """Inverse Simpson concentration over the number of categories, in [1/n, 1]; 1 is even."""
    total = sum(counts)
    if len(counts) < 2 or total == 0:
        return 1.0
    return 1 / math.fsum((count / total) ** 2 for count in counts) / len(counts)


def imbalance_ratio(counts: Sequence[int]) -> float | None:
    """Largest over smallest count, >= 1; None where a category is empty (it has no ratio)."""
    return max(counts) / min(counts) if counts and min(counts) > 0 else None


def js_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """Jensen-Shannon divergence of two distributions in nats, in [0, ln 2] (Lin 1991).

    ``p`` and ``q`` are over the same categories in the same order and are normalised here, as
    published shares are rounded.
    """
    p_total, q_total = math.fsum(p), math.fsum(q)
    divergence = 0.0
    for a, b in zip(p, q, strict=True):
        a, b = a / p_total, b / q_total  # noqa: PLW2901 - the same two shares, normalised
        middle = (a + b) / 2
        if a:
            divergence += a * math.log(a / middle) / 2
        if b:
            divergence += b * math.log(b / middle) / 2
    return max(0.0, divergence)  # rounding can leave -1e-17 for equal distributions


def kl_divergence(p: Sequence[float], q: Sequence[float]) -> float | None:
    """Kullback-Leibler divergence of ``p`` from ``q`` in nats, >= 0; None where it is infinite.

    Normalised here, as ``js_divergence``.
    """
    p_total, q_total = math.fsum(p), math.fsum(q)
    if any(a and not b for a, b in zip(p, q, strict=True)):
        return None
    terms = (
        a / p_total * math.log(a / p_total / (b / q_total))
        for a, b in zip(p, q, strict=True)
        if a
    )
    return max(0.0, math.fsum(terms))


def representation_ratios(
    counts: Mapping[str, int], reference: Mapping[str, float]
) -> dict[str, float | None]:
    """Share in the data set over share in the reference, for each category of either.

    1 is as in the reference, 0 is absent from the data set, None is absent from the reference.
    """
    total = sum(counts.values())
    return {
        value: counts.get(value, 0) / total / reference[value] if reference.get(value) else None
        for value in sorted({*counts, *reference})
    }
