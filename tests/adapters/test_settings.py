"""``[[prompt_guards]]`` in wardmark.toml: what is declared is what assesses, or nothing passes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.cli import run
from guard.deployment import load_prompt_assessor
from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.prompts.adapters.checkpoint import digest_of
from policies.categories import CATEGORIES
from provenance.errors import HomeInvalid
from provenance.home import Home
from tests.adapters.endpoint import Answer, endpoint

CLASSIFIER = """
[[prompt_guards]]
kind = "classifier"
path = "{path}"
sha256 = "{sha256}"
labels = {{ SAFE = [], DANGEROUS = ["violence"], LEAK = ["privacy"] }}
weight = 0.5
"""
EMBEDDED = """
[[prompt_guards]]
kind = "embedded"
"""
ENDPOINT = """
[[prompt_guards]]
kind = "moderations"
url = "{url}"
retries = 0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Home.create(
        tmp_path_factory.mktemp("d") / "home", provider="Test provider", version="0"
    ).path


@pytest.fixture
def declared(made: Path) -> Callable[[str], Home]:
    before = (made / "wardmark.toml").read_text("utf-8").split("[[prompt_guards]]")[0]

    def declare(guards: str) -> Home:
        (made / "wardmark.toml").write_text(f"{before}\n{guards}", "utf-8")
        return Home.open(made)

    return declare


def test_the_operators_lists_of_names_make_likeness_and_marks_assessed(
    declared: Callable[[str], Home],
) -> None:
    home = declared(
        '\n[[prompt_guards]]\nkind = "embedded"\npeople = "people.txt"\nmarks = "marks.txt"\n'
    )
    (home.path / "people.txt").write_text("Zaphod Beeblebrox\n")
    (home.path / "marks.txt").write_text("Sirius Cybernetics\n")
    assessor = load_prompt_assessor(home)
    (found,) = assessor.assess(["Zaphod Beeblebrox in a Sirius Cybernetics lift"])
    for category in ("likeness_deception", "ip_trademark"):
        assert found.scores[category] >= found.thresholds[category]
        assert category not in found.not_assessed


def test_without_a_declaration_the_embedded_guard_assesses(declared: Callable[[str], Home]) -> None:
    assert load_prompt_assessor(declared("")).ref == load_prompt_assessor(None).ref


def test_a_declared_guard_takes_its_place_and_several_are_balanced(
    declared: Callable[[str], Home], classifier_folder: Path
) -> None:
    guard = CLASSIFIER.format(path=classifier_folder, sha256=digest_of(classifier_folder))
    alone = load_prompt_assessor(declared(guard))
    assert alone.covers == {"violence", "privacy"}
    both = load_prompt_assessor(declared(guard + EMBEDDED))
    assert both.covers > alone.covers
    (found,) = both.assess(["a bomb on the sea"])
    assert found.language == "en"
    assert "unsafe" in found.scores


def test_a_guard_assesses_nothing_in_a_language_that_it_does_not_read(
    declared: Callable[[str], Home], classifier_folder: Path
) -> None:
    guard = CLASSIFIER.format(path=classifier_folder, sha256=digest_of(classifier_folder))
    assessor = load_prompt_assessor(declared(guard + 'languages = ["en"]\n'))
    english, foreign, wordless = assessor.assess(
        ["a bomb on the sea", "eine Frau liegt auf dem Bett mit einem Buch", "12"]
    )
    assert english.scores["violence"] > 0.9
    assert foreign.scores == {}
    assert foreign.language == "de"
    assert foreign.not_assessed == frozenset(CATEGORIES)
    assert "violence" in wordless.scores


def test_check_asks_the_guard_that_is_declared(
    declared: Callable[[str], Home], capfd: pytest.CaptureFixture[str]
) -> None:
    with endpoint() as there:
        home = declared(ENDPOINT.format(url=there.url))
        code = run(["--home", str(home.path), "check", "--text", "a bomb", "--explain", "--json"])
        document = json.loads(capfd.readouterr().out)
    assert code == 1
    assert document["decision"] == "block"
    assert document["categories"]["violence"]["assessor"].startswith("moderations:127.0.0.1")
    assert document["explanation"]["words"][0]["text"] == "bomb"


@pytest.mark.parametrize("command", ["check --text a", "generate a -o x.png"])
def test_an_endpoint_that_is_down_is_told_with_its_own_exit_code(
    declared: Callable[[str], Home],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with endpoint(lambda _: Answer(500)) as there:
        home = declared(ENDPOINT.format(url=there.url))
        assert run(["--home", str(home.path), *command.split(), "--json"]) == 4
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "safety_unavailable"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ('[[prompt_guards]]\nkind = "oracle"', "oracle"),
        ('[[prompt_guards]]\nkind = "embedded"\nweight = 0', "weight"),
        ('[[prompt_guards]]\nkind = "embedded"\nextra = 1', "extra"),
        ('[[prompt_guards]]\nkind = "classifier"\npath = "x"\nlabels = {}', "sha256"),
        (CLASSIFIER.format(path="x", sha256="0" * 64).replace("privacy", "sin"), "sin"),
        (ENDPOINT.format(url="http://example.org/v1/moderations"), "https"),
    ],
)
def test_a_wrong_declaration_is_told(
    declared: Callable[[str], Home], guards: str, said: str
) -> None:
    with pytest.raises(HomeInvalid, match=said):
        load_prompt_assessor(declared(guards))


def test_a_key_that_is_not_there_is_told_at_the_start(
    declared: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    guards = ENDPOINT.format(url="https://example.org/v1") + 'key_variable = "NO_SUCH_KEY"\n'
    with pytest.raises(SafetyUnavailable, match="NO_SUCH_KEY"):
        load_prompt_assessor(declared(guards))


def test_a_checkpoint_with_other_files_is_told_at_the_start(
    declared: Callable[[str], Home], classifier_folder: Path
) -> None:
    with pytest.raises(WeightsInvalid, match="SHA-256"):
        load_prompt_assessor(declared(CLASSIFIER.format(path=classifier_folder, sha256="0" * 64)))
