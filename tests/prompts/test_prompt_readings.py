"""Readings: what was spelled, glued, garbled or encoded is read, and ordinary prompts are not."""

import base64
import codecs
import random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.prompts import MAX_CHARACTERS, LinearPromptAssessor
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
    assert any({"potato", "near", "hammock"} <= set(text.split()) for text in texts(disguised))


def test_glued_words_are_cut() -> None:
    assert "potato hammock" in texts("potatohammock")


@pytest.mark.parametrize(
    "ordinary",
    [
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


def test_the_shipped_vocabulary_knows_words_and_no_noise(assessor: LinearPromptAssessor) -> None:
    vocabulary = assessor.model.vocabulary
    assert all(vocabulary.knows(word) for word in ("garden", "woman", "castle", "knife"))
    rng = random.Random(7)
    noise = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(2_000)]
    assert sum(map(vocabulary.knows, noise)) <= 2
