"""Small cells stay hidden, also from somebody who subtracts."""

from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_audit.suppression import Attributes, Cell, hidden_cells

K = 11
VALUES = (("a", "b", "c"), ("x", "y", "z"), ("p", "q"))
NAMES = ("one", "two", "three")

populations = st.lists(
    st.tuples(
        st.tuples(*(st.sampled_from(values) for values in VALUES)),
        st.sampled_from([0, 1, 3, 8, 12, 30, 200]),
    ),
    max_size=18,
)


def tables_of(population: list[tuple[Cell, int]]) -> dict[Attributes, dict[Cell, int]]:
    """Every marginal of a population over the three attributes."""
    tables: dict[Attributes, dict[Cell, int]] = {}
    for size in (1, 2, 3):
        for places in combinations(range(3), size):
            table = dict.fromkeys(product(*(VALUES[at] for at in places)), 0)
            for cell, count in population:
                table[tuple(cell[at] for at in places)] += count
            tables[tuple(NAMES[at] for at in places)] = table
    return tables


@given(populations)
def test_no_small_count_is_published(population: list[tuple[Cell, int]]) -> None:
    tables = tables_of(population)
    hidden = hidden_cells(tables, K)
    for names, table in tables.items():
        for cell, count in table.items():
            assert count == 0 or count >= K or cell in hidden[names]


@given(populations)
@settings(max_examples=200)
def test_subtraction_along_any_line_gives_no_small_cell_away(
    population: list[tuple[Cell, int]],
) -> None:
    """A published sum minus its published parts is at least two cells and at least K together."""
    tables = tables_of(population)
    hidden = hidden_cells(tables, K)
    for names, table in tables.items():
        for size in range(len(names)):
            for places in combinations(range(len(names)), size):
                parent = tuple(names[at] for at in places)
                lines: dict[Cell, list[Cell]] = {}
                for cell in table:
                    lines.setdefault(tuple(cell[at] for at in places), []).append(cell)
                for above, line in lines.items():
                    if parent and above in hidden[parent]:
                        continue
                    concealed = [cell for cell in line if cell in hidden[names]]
                    visible = [c for c in line if table[c] and c not in hidden[names]]
                    if concealed and visible:
                        assert len(concealed) > 1
                        assert sum(table[cell] for cell in concealed) >= K


def test_one_small_cell_takes_the_next_smallest_with_it() -> None:
    hidden = hidden_cells({("age",): {("young",): 500, ("middle",): 80, ("old",): 4}}, K)
    assert hidden[("age",)] == {("old",), ("middle",)}


def test_an_absent_group_is_published() -> None:
    hidden = hidden_cells({("age",): {("young",): 500, ("middle",): 80, ("old",): 0}}, K)
    assert hidden[("age",)] == frozenset()


def test_the_parts_of_a_hidden_cell_stay_hidden() -> None:
    tables = {
        ("age",): {("young",): 60, ("old",): 5},
        ("age", "town"): {
            ("young", "n"): 30, ("young", "s"): 30, ("old", "n"): 5, ("old", "s"): 0,
        },
    }  # fmt: skip
    hidden = hidden_cells(tables, K)
    assert hidden[("age",)] == {("young",), ("old",)}  # with two groups one gives the other away
    assert {("young", "n"), ("young", "s")} <= hidden[("age", "town")]
