"""Labels by group: hand-computed values, and nothing of groups that are too small to be shown."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from paint import jpeg
from scipy.special import rel_entr

from datasets_audit import AuditReport, audit
from datasets_audit.balance import kl_divergence
from datasets_audit.class_balance import Outcome, cddl, demographic_disparity, dpl


def test_the_difference_in_proportions_of_labels() -> None:
    """30 of 100 of the group have the label, 60 of 120 of the others: .5 - .3."""
    assert dpl(Outcome(60, 120), Outcome(30, 100)) == pytest.approx(0.2)
    assert dpl(Outcome(5, 10), Outcome(7, 14)) == 0


def test_demographic_disparity_and_its_conditional_average() -> None:
    """Of 130 without the label 70 are of the group, of 90 with it 30."""
    whole = demographic_disparity(Outcome(60, 120), Outcome(30, 100))
    assert whole == pytest.approx(70 / 130 - 30 / 90)
    assert demographic_disparity(Outcome(0, 10), Outcome(0, 10)) == 0
    strata = [(Outcome(40, 60), Outcome(20, 40)), (Outcome(20, 60), Outcome(10, 60))]
    by_hand = (
        100 * (20 / 40 - 20 / 60) + 120 * (50 / 90 - 10 / 30)
    ) / 220  # fmt: skip
    assert cddl(strata) == pytest.approx(by_hand)
    assert cddl([]) == 0


def test_a_paradox_shows_in_the_conditional_figure() -> None:
    """Berkeley 1973 in small: within each department the group is at parity."""
    strata = [(Outcome(60, 80), Outcome(15, 20)), (Outcome(4, 20), Outcome(16, 80))]
    others, group = (Outcome(64, 100), Outcome(31, 100))
    assert demographic_disparity(others, group) > 0.2
    assert cddl(strata) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "q"), [([0.2, 0.8], [0.5, 0.5]), ([3, 1, 0], [0.3, 0.3, 0.4]), ([1, 1], [1, 1])]
)
def test_kullback_leibler_is_scipys(p: Sequence[float], q: Sequence[float]) -> None:
    p_, q_ = ([value / sum(given) for value in given] for given in (p, q))
    assert kl_divergence(p, q) == pytest.approx(float(rel_entr(p_, q_).sum()))


def test_kullback_leibler_from_what_is_not_there_is_not_a_number() -> None:
    assert kl_divergence([1, 1], [1, 0]) is None


def audit_of(folder: Path, rows: Sequence[tuple[str, str]]) -> AuditReport:
    images = folder / "images"
    images.mkdir()
    lines = ["file,label,attr.group"]
    for number, (label, group) in enumerate(rows):
        (images / f"{number}.jpg").write_bytes(jpeg(number % 4))
        lines.append(f"{number}.jpg,{label},{group}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return audit(images, name="x", annotations=folder / "a.csv", out=folder / "out")


def test_an_audit_shows_labels_by_group(tmp_path: Path) -> None:
    rows = [("yes", "a")] * 40 + [("no", "a")] * 20 + [("yes", "b")] * 15 + [("no", "b")] * 45
    report = audit_of(tmp_path, rows)
    first = report.balance.classes[0]
    assert abs(first.dpl) == pytest.approx(40 / 60 - 15 / 60)
    assert {one.value for one in report.balance.classes} == {"a", "b"}
    assert "Labels by group" in (tmp_path / "out" / "report.html").read_text()


def test_a_group_that_is_too_small_is_not_shown(tmp_path: Path) -> None:
    rows = [("yes", "a")] * 40 + [("no", "a")] * 20 + [("yes", "b")] * 10 + [("no", "b")] * 45
    assert audit_of(tmp_path, rows).balance.classes == ()
