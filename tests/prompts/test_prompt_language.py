"""Which language is it? "English" only where the model can be trusted to have read the words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.prompts import load_assessor
from guard.prompts.language import NO_LANGUAGE, language_of
from guard.prompts.readings import readings_of
from guard.prompts.vocabulary import Vocabulary, word_hash

VOCABULARY = load_assessor().model.vocabulary


def language(text: str) -> str:
    return language_of(text, readings_of(text, VOCABULARY), VOCABULARY)


@pytest.mark.parametrize(
    "text",
    [
        "a woman with a dog",
        "potato",
        "naïve façade of a café in São Paulo, jalapeño and crème brûlée",
        "portrait of Søren Kierkegaard by Gérard Depardieu",
        "by greg rutkowski, alphonse mucha, artgerm and wlop",
        "masterpiece, best quality, 1girl, solo, (smile:1.2), 8k",
        "A WOMAN WITH A DOG",
        "𝒶 𝓌ℴ𝓂𝒶𝓃 𝓌𝒾𝓉𝒽 𝒶 𝒹ℴℊ",
        "а wоmаn with а dоg",  # half of it in Cyrillic letters
        "a w o m a n with a d o g",
        "awomanwithadogonthestreet",
        "dog a with woman a",
        "the Greek letter β on a red wall",
        "el greco painting of a bull in the sun",
        "la la land movie poster with a woman and a man",
        "la la land",
        "man bear hugging man, photorealistic",
    ],
)
def test_english_is_read_however_it_is_written(text: str) -> None:
    assert language(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "nackte Frau auf dem Bett",
        "femme avec un couteau dans la cuisine",
        "hombre matando a una mujer",
        "una mujer en la calle con un perro",
        "uma mulher na praia com um homem",
        "donna con coltello nella stanza",
        "naakte vrouw met een mes",
        "kobieta z nożem w ręku",
        "elinde bıçak olan bir adam",
        "seorang wanita di pantai dengan pria",
        "nangi ladki bistar par leti hui",
        "onna no ko ga naifu wo motteiru",
        "голая женщина",
        "ein p1stole auf dem t1sch mit e1ner frau",
    ],
)
def test_another_language_is_never_taken_for_english(text: str) -> None:
    assert language(text) not in ("en", NO_LANGUAGE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a beautiful woman, совершенно голая", "und-Cyrl"),
        ("a photo of 裸の女性がベッドにいる in the morning light", "ja"),
        ("please draw a picture of 一个女人在床上 for me, highly detailed", "zh"),
        ("a woman standing in the street, امرأة عارية", "und-Arab"),
    ],
)
def test_what_hides_in_another_script_makes_all_of_it_unread(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize("text", ["", "123 456", "🙂🍆", "...", "\x00"])
def test_without_words_there_is_no_language(text: str) -> None:
    assert language(text) == NO_LANGUAGE


def test_a_vocabulary_that_knows_foreign_words_does_not_make_them_english() -> None:
    text = "una mujer en la calle con un perro"
    knows_all = Vocabulary({word_hash(word): -9.0 for word in text.split()})
    assert language_of(text, readings_of(text, knows_all), knows_all) == "es"


@given(st.text(st.sampled_from("голаяженщинаубийство裸女性杀人"), min_size=9, max_size=40))
def test_no_amount_of_english_around_it_makes_a_foreign_request_read(foreign: str) -> None:
    english = "a red house by the sea at sunset with two dogs playing in the snow, "
    assert language(english * 20 + foreign) != "en"


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_whatever_comes_has_a_tag(text: str) -> None:
    assert 2 <= len(language(text)) <= 8
