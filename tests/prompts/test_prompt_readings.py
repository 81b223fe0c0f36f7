"""Readings: what was spelled, glued, garbled or encoded is read, and ordinary prompts are not."""

import base64
import codecs
import random
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.prompts import MAX_CHARACTERS, TrainedPromptAssessor, load_assessor
from guard.prompts.readings import readings_of
from guard.prompts.vocabulary import Vocabulary, word_hash

WORDS = ("a", "potato", "near", "the", "hammock")
VOCABULARY = Vocabulary({word_hash(word): -7.0 for word in WORDS})
PLAIN = "a potato near the hammock"


def texts(prompt: str) -> list[str]:
    return [reading.text for reading in readings_of(prompt, VOCABULARY)]


@pytest.mark.parametrize(
    "disguised",
    [
        "a p0t4t0 near the h@mm0ck",
        "a p o t a t o near the h a m m o c k",
        "a p.o.t.a.t.o near the h-a-m-m-o-c-k",
        "a p_o_t_a_t_o near the h*a*m*m*o*c*k",
        "a pot ato near the ham mock",
        "a p o t a t o  n e a r  t h e  h a m m o c k",
        "a. p.o.t.a.t.o, n.e.a.r t.h.e h.a.m.m.o.c.k",
        "p o t a t o n e a r t h e h a m m o c k",
        "a p0t4t0 ne@r the h4mm0ck",
        "p|o|t|a|t|o near h/a/m/m/o/c/k",
        "apotatonearthehammock",
        "a p*tato near the ham**ck",
        "a potato near the hammock, ptoato near the hamock, a potato near the hammock",
        "a ppoottaattoo nneeaarr tthhee hhaammoocckk",
        " ".join(word[::-1] for word in PLAIN.split()),
        "a po\u0363\u036cta\u0366to near\u0367 the hammo\u0364ck",
        "a ⒫otato near the ℌ℻ⓐmmock".replace("℻", ""),
        "a pǫtatọ nĕar the ham№ck".replace("№", "o"),
        "a po-tato near the ham.mock",
        "a poootato near the haammmmmock",
        "A POTATO\u200b NEAR THE HAMM\u0000OCK",
        codecs.encode(PLAIN, "rot13"),
        PLAIN[::-1],
        quote(PLAIN, safe=""),
        "".join(f"%{ord(c):02x}" for c in PLAIN),
        "".join(f"&#{ord(c)};" for c in PLAIN),
        "".join(f"\\u{ord(c):04x}" for c in PLAIN),
        "".join(f"\\x{ord(c):02X}" for c in PLAIN),
        " ".join(f"{ord(c):08b}" for c in PLAIN),
        PLAIN.encode().hex(),
        PLAIN.encode().hex(" "),
        base64.b64encode(PLAIN.encode()).decode(),
        base64.urlsafe_b64encode(PLAIN.encode()).decode().rstrip("="),
        base64.b32encode(PLAIN.encode()).decode(),
        base64.b64encode(base64.b64encode(PLAIN.encode())).decode(),
        base64.b64encode(b"a p0t4t0 near the h@mm0ck").decode(),
        "".join(chr(0xE0000 + ord(c)) for c in PLAIN),
    ],
)
def test_one_of_the_readings_says_what_was_meant(disguised: str) -> None:
    said = [set(re.findall("[a-z]+", text)) for text in texts(disguised)]
    assert any({"potato", "near", "hammock"} <= words for words in said)


def test_a_word_that_is_not_on_record_is_read_between_others_that_are() -> None:
    (_, repaired) = texts("t h e  p o t a t o  n e a r  t h e  g a z e b o")
    assert repaired == "the potato near the gazebo"
    (_, repaired) = texts("the p.o.t.a.t.o n.e.a.r the g.a.z.e.b.o")
    assert repaired == "the potato near the gazebo"


def test_a_text_in_another_language_is_not_mended_into_english() -> None:
    assert len(texts("el hamock pottao junto al potat nea the casa blanca")) == 1


def test_a_slip_between_english_words_is_mended() -> None:
    assert texts("a ptoato near the potato")[1:] == ["a potato near the potato"]


def test_what_honest_people_do_is_no_disguise() -> None:
    names = {t: readings_of(t, VOCABULARY)[-1].name for t in (
        "a potato near the hamock", "potatohammock near the potato", "a pot ato near the hammock",
        "a p0tat0 near the hammock", "a p o t a t o near the hammock", "a p*tato near the hammock",
    )}  # fmt: skip
    assert list(names.values()) == ["respaced"] * 3 + ["repaired"] * 3


def test_a_reversed_word_points_at_where_it_stood() -> None:
    typed = PLAIN[::-1]
    reading = next(r for r in readings_of(typed, VOCABULARY) if r.name == "reversed")
    at = reading.text.index("hammock")
    start, end = reading.origin(at, at + 7)
    assert typed[start:end] == "kcommah"


def test_glued_words_are_cut() -> None:
    assert "potato hammock" in texts("potatohammock")


@pytest.mark.parametrize(
    "ordinary",
    [
        "potatoes, hammocks and the potatoish nearness",
        "unreal engine 5, f/1.8, 35mm, 4 k, 1girl, 2boys, mp4, sd15, v1.5, (near:1.2)",
        "by greg rutkowski, alphonse mucha, zdzislaw beksinski, artgerm and wlop",
        "c++ or r&b, rock+roll, 24/7, 1920x1080, 200mm, 1980s-style, y2k, w1n",
        "u.s.a., j. r. r. tolkien, d-day, x-ray, t-shirt, e = m c ^ 2",
        "a potato near the hammock",
        "potato, 8k, 35mm f/1.8, 1girl, (hammock:1.2), 3 d, 4 k",
        "the potato's hammock, open-hammock, mp4 1920x1080",
        "garden by wlop, artgerm, rutkowski",
    ],
)
def test_an_ordinary_prompt_has_one_reading(ordinary: str) -> None:
    assert len(texts(ordinary)) == 1


@given(st.text(st.characters(exclude_categories=()), max_size=120))
def test_every_reading_points_into_the_text(text: str) -> None:
    for reading in readings_of(text, VOCABULARY):
        assert len(reading.starts) == len(reading.ends) == len(reading.text)
        for i in range(len(reading.text)):
            start, end = reading.origin(i, i + 1)
            assert 0 <= start < end <= len(text)


def test_a_decoded_word_points_at_its_code() -> None:
    code = base64.b64encode(PLAIN.encode()).decode()
    typed = f"please {code} now"
    reading = next(r for r in readings_of(typed, VOCABULARY) if r.name == "base64")
    at = reading.text.index("potato")
    start, end = reading.origin(at, at + 6)
    assert typed[start:end] == code


def test_a_repaired_word_points_at_its_letters() -> None:
    typed = "the h a m m o c k sways"
    reading = readings_of(typed, VOCABULARY)[-1]
    at = reading.text.index("hammock")
    start, end = reading.origin(at, at + 7)
    assert typed[start:end] == "h a m m o c k"


@pytest.mark.parametrize(
    "unit", ["x ", "a1 ", "%41", "QUJD", "&#65;", "a.b.", "🙂😀", "ﷺ", "\u200bq"]
)
def test_work_is_bounded_on_the_longest_prompt(unit: str) -> None:
    text = (unit * MAX_CHARACTERS)[:MAX_CHARACTERS]
    assert len(readings_of(text, VOCABULARY)) <= 10


@given(st.lists(st.text("abc", max_size=4), max_size=12))
def test_many_words_are_looked_up_as_each_alone_is(words: list[str]) -> None:
    vocabulary = Vocabulary({word_hash(word): -len(word) - 1.5 for word in ("ab", "abc", "cab")})
    found = [(vocabulary.log_probability(word), word) for word in words if vocabulary.knows(word)]
    assert vocabulary.known(words) == found


def test_the_shipped_vocabulary_knows_words_and_no_noise() -> None:
    vocabulary = load_assessor().model.vocabulary
    assert all(vocabulary.knows(word) for word in ("garden", "woman", "castle", "knife"))
    rng = random.Random(7)
    noise = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(2_000)]
    assert sum(map(vocabulary.knows, noise)) <= 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("iwanttokillallthepeoplehere", "i want to kill all the people here"),
        ("hesaysshe'salonewithaknife", "says she's alone with a knife"),
        ("shecan'tcounttoten", "can't count to ten"),
        ("asunsetbythesea,twodogsontherocks,oilpainting", "two dogs on the rocks"),
        ("#killthemall", "kill them all"),
    ],
)
def test_words_that_were_glued_are_parted(
    assessor: TrainedPromptAssessor, text: str, words: str
) -> None:
    deepest = readings_of(text, assessor.model.vocabulary)[-1].text
    assert words in deepest


@pytest.mark.parametrize("text", ["potato", "hammock", "#sunset", "rutkowski", "photorealistic"])
def test_one_word_is_not_parted(assessor: TrainedPromptAssessor, text: str) -> None:
    found = readings_of(text, assessor.model.vocabulary)
    assert all(" " not in each.text for each in found)


@pytest.mark.parametrize(
    "text", ["i'm a potato", "(photo-realistic:1.37), (smile:1.75), (sky:1.3)", "joven in a hat"]
)
def test_what_only_looks_like_a_disguise_has_one_reading(
    assessor: TrainedPromptAssessor, text: str
) -> None:
    assert len(readings_of(text, assessor.model.vocabulary)) == 1
