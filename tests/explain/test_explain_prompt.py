"""An explanation of a prompt: words as they were typed, and the least that would have to go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.assessment import PromptAssessor
from guard.explain import explain_prompt
from guard.explain.change import MAX_CHARACTERS
from guard.explain.prompts import MAX_FOCUS, MAX_TEXTS, MAX_WORDS
from tests.explain.conftest import THRESHOLD, WeighedWords

WEIGHTS = {"stab": 2.5, "blood": 2.0, "knife": 1.5, "gore": 4.0, "kitten": -1.0}


def explained(text: str, bias: float = -3.0):  # type: ignore[no-untyped-def]
    return explain_prompt(text, WeighedWords(WEIGHTS, bias))


def test_the_words_are_those_that_were_typed_strongest_first() -> None:
    text = "a  kitten, stab and\tgore near blood"
    found = explained(text)
    assert found.focus == (0, len(text))
    assert [word.text for word in found.words] == ["gore", "stab", "blood"]
    for word in found.words:
        assert text[word.start : word.end] == word.text
        assert word.weight["violence"] == pytest.approx(WEIGHTS[word.text])
        assert word.without["violence"] < found.scores["violence"]


def test_one_word_is_named_where_one_is_enough() -> None:
    change = explained("a stab of gore and a kitten").change
    assert change is not None
    assert [word.text for word in change.remove] == ["gore"]
    assert change.text == "a stab of and a kitten"
    assert change.minimal


@given(st.lists(st.sampled_from([*WEIGHTS, "a", "sea", "of"]), min_size=1, max_size=14))
def test_what_remains_passes_and_nothing_was_taken_out_in_vain(words: list[str]) -> None:
    text = " ".join(words)
    assessor = WeighedWords(WEIGHTS)
    found = explain_prompt(text, assessor)
    if found.passes or all(WEIGHTS.get(word, 0) > -assessor.bias for word in words):
        assert found.change is None
        return
    change = found.change
    assert change is not None
    assert change.scores["violence"] < THRESHOLD
    for back in change.remove:
        gone = [(w.start, w.end) for w in change.remove if w is not back]
        kept = "".join(" " if any(s <= i < e for s, e in gone) else c for i, c in enumerate(text))
        (again,) = assessor.assess([kept])
        assert again.scores["violence"] >= THRESHOLD


def test_what_words_cannot_help_has_no_change() -> None:
    assert explained("a stab of gore", bias=9.0).change is None


def test_a_prompt_that_passes_needs_no_change() -> None:
    found = explained("a kitten near the sea")
    assert found.passes
    assert found.change is None


def test_how_a_language_is_made_unreadable_is_not_explained(assessor: PromptAssessor) -> None:
    found = explain_prompt("una mujer en la calle con un perro", assessor)
    assert not found.passes
    assert found.change is None


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂🍆", "x", "…"])
def test_nothing_much_can_be_explained_too(assessor: PromptAssessor, text: str) -> None:
    assert explain_prompt(text, assessor).change is None


def test_letters_spelled_out_are_one_word(assessor: PromptAssessor) -> None:
    text = "a picture of n a k e d people having s-e-x, explicit porn"
    found = explain_prompt(text, assessor)
    assert {"n a k e d", "s-e-x,"} <= {word.text for word in found.words}


def test_of_a_long_prompt_the_worst_part_is_explained_at_a_bounded_cost() -> None:
    filler = "a red house by the calm sea " * 1_100
    text = filler[:20_000] + "stab gore blood " + filler[:10_000]
    assessor = WeighedWords(WEIGHTS)
    found = explain_prompt(text, assessor)
    start, end = found.focus
    assert end - start <= MAX_FOCUS
    assert "stab gore blood" in text[start:end]
    assert {"gore"} <= {w for word in found.words for w in word.text.split()}
    assert found.change is not None
    assert "gore" not in found.change.text
    assert found.texts_assessed == assessor.texts
    short = 2 * MAX_TEXTS * MAX_FOCUS
    assert assessor.characters <= short + MAX_CHARACTERS + (2 * MAX_WORDS // 32 + 4) * len(text)
