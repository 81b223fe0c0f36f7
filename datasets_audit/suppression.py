"""Small cells are not published: counts below k, and whatever would give them away.

A count of three people can be a person (k-suppression; 11 is the minimum cell size of the US
Centers for Medicare & Medicaid Services). Hiding only that cell is not enough: a published total
minus the published rest is the hidden count. So further cells are hidden (complementary
suppression) until, in every line that adds up to a published figure, the hidden cells are at
least two and hold at least k together. Tables that share attributes are treated together, as a
cell of age x gender x region is also part of age x gender.

This stops subtraction along lines. It does not bound what combinations of lines allow (that is a
linear programme; Fischetti and Salazar 2001), which the report says where it prints cells.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

Attributes = tuple[str, ...]
Cell = tuple[str, ...]
Tables = Mapping[Attributes, Mapping[Cell, int]]

MIN_PUBLISHED = 11  # pictures; a smaller count is hidden


def hidden_cells(tables: Tables, k: int = MIN_PUBLISHED) -> dict[Attributes, frozenset[Cell]]:
    """The cells not to publish of every table, given that all of them are published together.

    ``tables`` maps attribute names, in one order throughout, to counts by their values. A count of
    0 is published: an absent group names nobody, and it is what a reader must see.
    """
    hidden: dict[Attributes, frozenset[Cell]] = {}
    for attributes in sorted(tables, key=lambda names: (len(names), names)):
        hidden[attributes] = _hide(attributes, tables[attributes], hidden, k)
    return hidden


def _hide(
    attributes: Attributes,
    counts: Mapping[Cell, int],
    decided: Mapping[Attributes, frozenset[Cell]],
    k: int,
) -> frozenset[Cell]:
    parents = [places for places in _parents(attributes) if _names(attributes, places) in decided]
    hidden = {cell for cell, count in counts.items() if 0 < count < k}
    # A part of a hidden cell stays hidden, or its parts would add up to it again.
    hidden |= {
        cell
        for places in parents
        for cell, count in counts.items()
        if count and _project(cell, places) in decided[_names(attributes, places)]
    }
    # () is the grand total, which is always published.
    lines = [line for places in [(), *parents] for line in _lines(counts, places)]
    changed = True
    while changed:
        changed = False
        for line in lines:
            concealed = [cell for cell in line if cell in hidden]
            weight = sum(counts[cell] for cell in concealed)
            visible = [cell for cell in line if cell not in hidden]
            if concealed and visible and (len(concealed) == 1 or weight < k):
                hidden.add(min(visible, key=lambda cell: (counts[cell], cell)))
                changed = True
    return frozenset(hidden)


def _parents(attributes: Attributes) -> Iterator[tuple[int, ...]]:
    """Positions of every proper, non-empty subset of the attributes."""
    for size in range(1, len(attributes)):
        yield from combinations(range(len(attributes)), size)


def _lines(counts: Mapping[Cell, int], places: tuple[int, ...]) -> list[list[Cell]]:
    """Cells that add up to one cell of the parent table at ``places``; empty cells add nothing."""
    lines: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in sorted(counts):
        if counts[cell]:
            lines[_project(cell, places)].append(cell)
    return list(lines.values())


def _project(cell: Cell, places: tuple[int, ...]) -> Cell:
    return tuple(cell[place] for place in places)


def _names(attributes: Attributes, places: tuple[int, ...]) -> Attributes:
    return tuple(attributes[place] for place in places)
