"""``wardmark evaluate prompts``: figures of a labelled file, and clear words about a bad one."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard.cli import run
from guard.evaluate.labelled import read_labelled
from guard.evaluate.page import evaluation_page
from guard.evaluate.prompts import PromptEvaluation, evaluate_prompts
from tests.support.assessors import ScriptedPromptAssessor

SAID = {
    "knife": {"violence": 0.9},
    "poison": {"illegal_dangerous": 0.7},
    "kiss": {"sexual": 0.6},
    "sword": {"violence": 0.4},
}
ROWS: list[dict[str, Any]] = [
    {"text": "a knife <b>", "unsafe": True, "categories": ["violence"], "source": "one"},
    {"text": "a sword", "unsafe": True, "categories": ["violence", "gore"], "source": "one"},
    {"text": "a kiss", "unsafe": False, "source": "one"},
    {"text": "a boat", "unsafe": False, "source": "two"},
    {"text": "the sea", "unsafe": False, "source": "two", "more": 1},
    {"text": "poison", "unsafe": True, "categories": ["illegal_dangerous"], "source": "three"},
]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Any, name: str = "prompts.jsonl") -> Path:
        lines = [row if isinstance(row, str | bytes) else json.dumps(row) for row in rows]
        raw = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
        path = tmp_path / name
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write


def evaluated(path: Path, resamples: int = 0) -> PromptEvaluation:
    prompts = read_labelled(path)
    assessor = ScriptedPromptAssessor(SAID)
    return evaluate_prompts("f", "0" * 64, prompts, assessor, resamples=resamples)


def test_the_figures_are_those_that_one_can_count(written: Callable[..., Path]) -> None:
    found = evaluated(written(*ROWS))
    whole = found.overall
    assert (whole.prompts, whole.unsafe, whole.not_assessed) == (6, 3, 0)
    assert whole.ranking is not None
    assert whole.ranking.auroc.value == pytest.approx(8 / 9)  # only the sword lies below the kiss
    assert whole.unsafe_flagged.recall is not None
    assert whole.unsafe_flagged.false_positive_rate is not None
    assert whole.unsafe_flagged.recall.value == pytest.approx(2 / 3)
    assert whole.unsafe_flagged.false_positive_rate.value == pytest.approx(1 / 3)
    assert found.mistakes.false_alarms == (3,)
    assert found.mistakes.missed == (2,)


def test_a_source_without_harmless_prompts_is_ranked_against_all_of_them(
    written: Callable[..., Path],
) -> None:
    sources = evaluated(written(*ROWS)).sources
    assert sources["one"].against == "own"
    assert sources["three"].against == "all"
    assert sources["three"].ranking is not None
    assert sources["two"].ranking is None


def test_a_category_of_the_files_own_is_said_to_be_unassessed(
    written: Callable[..., Path],
) -> None:
    categories = evaluated(written(*ROWS)).categories
    assert (categories["gore"].prompts, categories["gore"].assessed) == (1, 0)
    assert categories["gore"].ranking is None
    assert (categories["violence"].prompts, categories["violence"].assessed) == (2, 2)


def test_what_is_not_assessed_is_counted_and_is_in_no_figure(
    written: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    foreign = {"text": "eine nackte Frau auf dem Bett mit einem Mann", "unsafe": True}
    path = written(foreign, {"text": "a boat on the sea", "unsafe": False, "source": "en"})
    assert run(["evaluate", "prompts", str(path), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["overall"]["not_assessed"] == found["overall"]["not_assessed_unsafe"] == 1
    assert found["overall"]["ranking"] is None
    assert found["sources"]["unnamed"]["unsafe_flagged"]["recall"] is None


def test_intervals_lie_around_their_figures(written: Callable[..., Path]) -> None:
    found = evaluated(written(*ROWS * 5), resamples=50)
    assert found.overall.ranking is not None
    for interval in (
        found.overall.ranking.auroc,
        found.overall.ranking.auprc,
        *found.overall.ranking.tpr_at_fpr.values(),
        found.overall.unsafe_flagged.f1,
    ):
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= interval.value <= interval.high


def test_the_page_shows_every_figure_and_no_prompt(
    written: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    page, data = tmp_path / "page.html", written(*ROWS, name="prompts.jsonl.gz")
    assert run(["evaluate", "prompts", str(data), "--html", str(page), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    html = page.read_text("utf-8")
    assert f"{document['overall']['ranking']['auroc']['value']:.3f}" in html
    assert "<svg" in html
    assert html.count("<circle") == sum(b["prompts"] > 0 for b in document["calibration"]["bins"])
    assert not [row["text"] for row in ROWS if row["text"] in html]


def test_names_in_the_file_cannot_write_into_the_page(written: Callable[..., Path]) -> None:
    found = evaluated(written({"text": "a", "unsafe": True, "source": "<script>x</script>"}))
    assert "<script>" not in evaluation_page(found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        (b'{"text": "\xff", "unsafe": true}', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"unsafe": true}', '"text"'),
        ('{"text": 3, "unsafe": true}', '"text"'),
        ('{"text": "a", "unsafe": null}', '"unsafe"'),
        ('{"text": "a", "unsafe": 1}', '"unsafe"'),
        ('{"text": " ", "unsafe": true}', "empty"),
        ('{"text": "a", "unsafe": true, "categories": "x"}', '"categories"'),
        ('{"text": "a", "unsafe": true, "source": 3}', '"source"'),
        (json.dumps({"text": "x" * 40_000, "unsafe": True}), "40,000"),
    ],
)
def test_a_bad_line_is_named_with_its_number(
    written: Callable[..., Path], capfd: pytest.CaptureFixture[str], line: Any, said: str
) -> None:
    path = written({"text": "a", "unsafe": True}, "", line)
    assert run(["evaluate", "prompts", str(path)]) == 2
    error = capfd.readouterr().err
    assert "line 3" in error
    assert said in error


def test_many_bad_lines_are_told_in_short(
    written: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "prompts", str(written(*["{"] * 100))]) == 2
    error = capfd.readouterr().err
    assert "95 more" in error
    assert len(re.findall(r"line \d+", error)) == 5


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_with_nothing_in_it_is_told_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert run(["evaluate", "prompts", str(path)]) == 2
    assert "no prompts" in capfd.readouterr().err


def test_a_file_that_is_not_there_or_not_gzip_is_told_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(b"no gzip")
    for path in (tmp_path / "absent.jsonl", broken, tmp_path):
        assert run(["evaluate", "prompts", str(path)]) == 4
        assert "cannot be read" in capfd.readouterr().err
