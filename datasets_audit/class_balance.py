"""Whether groups of people are as often of a class as others: labels by attributes.

For a group d of an attribute, the others a, and a label: the difference in proportions of labels
(DPL), and the demographic disparity, plain and conditional on another attribute (DD, CDDL), as
Amazon SageMaker Clarify defines them (Hardt et al. 2021; Wachter, Mittelstadt and Russell 2021).
Groups or classes of fewer than MIN_PUBLISHED pictures on any side are left out: the figure would
give them away.
"""

# ruff: noqa: S608 - built of our own names and of checked attribute names

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from datasets_audit.figures import SAMPLES
from datasets_audit.report import ClassBalance
from datasets_audit.sample import ATTRIBUTE_PREFIX
from datasets_audit.suppression import MIN_PUBLISHED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_LABELS: Final = 50  # the most frequent ones
MAX_ROWS: Final = 200  # of the table, the largest differences


class Outcome(NamedTuple):
    """Pictures of one group, or of the others: with the label, and in all."""

    having: int
    total: int


def dpl(others: Outcome, group: Outcome) -> float:
    """Difference in proportions of labels, q_a - q_d in [-1, 1]; 0 is parity, above it the group
    has the label less often. Totals above 0."""
    return others.having / others.total - group.having / group.total


def demographic_disparity(others: Outcome, group: Outcome) -> float:
    """The group's share of those without the label, less its share of those with it, in [-1, 1].

    0 where nobody, or everybody, has the label.
    """
    having = others.having + group.having
    without = others.total + group.total - having
    if not having or not without:
        return 0.0
    return (group.total - group.having) / without - group.having / having


def cddl(strata: Sequence[tuple[Outcome, Outcome]]) -> float:
    """Demographic disparity averaged over strata (others, group), weighted by their pictures."""
    weights = [others.total + group.total for others, group in strata]
    weighted = (
        weight * demographic_disparity(others, group)
        for weight, (others, group) in zip(weights, strata, strict=True)
    )
    return sum(weighted) / sum(weights) if sum(weights) else 0.0


Counts = Mapping[tuple[str, str, str], int]
"""Pictures by label, value of the attribute, and stratum."""


def measure_classes(
    connection: "DuckDBPyConnection", attributes: Sequence[str]
) -> tuple[ClassBalance, ...]:
    """Every label by every attribute, conditional on each other one; the largest first."""
    found: list[ClassBalance] = []
    for attribute in attributes:
        for stratum in [None, *(other for other in attributes if other != attribute)]:
            found += _of(_counts(connection, attribute, stratum), attribute, stratum)
    found.sort(key=lambda one: (-abs(one.dpl), one.attribute, one.value, one.label,
                                one.given or ""))  # fmt: skip
    return tuple(found[:MAX_ROWS])


def _counts(
    connection: "DuckDBPyConnection", attribute: str, stratum: str | None
) -> Counter[tuple[str, str, str]]:
    value = f'"{ATTRIBUTE_PREFIX}{attribute}"'
    given = f'"{ATTRIBUTE_PREFIX}{stratum}"' if stratum else "''"
    rows = connection.execute(
        f"SELECT label, {value}, {given}, count(*) FROM {SAMPLES} "
        f"WHERE label IS NOT NULL AND {value} IS NOT NULL AND {given} IS NOT NULL GROUP BY ALL"
    ).fetchall()
    return Counter({(label, value, given): count for label, value, given, count in rows})


def _of(counts: Counts, attribute: str, stratum: str | None) -> Iterator[ClassBalance]:
    labels = Counter[str]()
    for (label, _, _), count in counts.items():
        labels[label] += count
    if len(labels) < 2:
        return
    for label, _ in labels.most_common(MAX_LABELS):
        for value in sorted({value for _, value, _ in counts}):
            group, others = _split(counts, label, value)
            if not all(_publishable(one) for one in (group, others)):
                continue
            strata = sorted({given for _, _, given in counts})
            parts = [_split(counts, label, value, given) for given in strata]
            yield ClassBalance(
                attribute=attribute,
                value=value,
                label=label,
                dpl=dpl(others, group),
                disparity=(
                    cddl([(rest, part) for part, rest in parts])
                    if stratum
                    else demographic_disparity(others, group)
                ),
                given=stratum,
            )


def _split(
    counts: Counts, label: str, value: str, stratum: str | None = None
) -> tuple[Outcome, Outcome]:
    """The group and the others, in one stratum or all."""
    sums = {True: [0, 0], False: [0, 0]}
    for (one, held, given), count in counts.items():
        if stratum is None or given == stratum:
            sums[held == value][0] += count * (one == label)
            sums[held == value][1] += count
    return Outcome(*sums[True]), Outcome(*sums[False])


def _publishable(one: Outcome) -> bool:
    return min(one.having, one.total - one.having) >= MIN_PUBLISHED
