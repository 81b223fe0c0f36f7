"""Folding: however a letter is written, it is that letter, and we know where it stood."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.prompts.fold import fold, fold_character
from guard.prompts.reading import Reading

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)


def folded(text: str) -> str:
    return fold(Reading.of(text)).text


@given(ANY_TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    once = folded(text)
    assert folded(once) == once


def test_every_character_folds_to_something_that_stays() -> None:
    restless = [
        hex(code)
        for code in range(0x20000)  # beyond lie ideographs, private use and nothing
        if (once := fold_character(chr(code))) != "".join(map(fold_character, once))
    ]
    assert restless == []


@given(ANY_TEXT)
def test_every_folded_character_knows_where_it_came_from(text: str) -> None:
    reading = fold(Reading.of(text))
    assert len(reading.starts) == len(reading.ends) == len(reading.text)
    for i, character in enumerate(reading.text):
        start, end = reading.origin(i, i + 1)
        assert 0 <= start < end <= len(text)
        assert any(character in fold_character(typed) for typed in text[start:end])
    assert list(reading.starts) == sorted(reading.starts)


@given(st.text("abcdefghijklmnopqrstuvwxyz ,.", max_size=60))
def test_plain_english_is_left_alone(text: str) -> None:
    calm = " ".join("".join(c for i, c in enumerate(text) if text[i - 1 : i] != c).split())
    assert folded(calm) == calm


@pytest.mark.parametrize(
    "disguised",
    [
        "ＨＡＭＭＯＣＫ",
        "𝖍𝖆𝖒𝖒𝖔𝖈𝖐",
        "ⓗⓐⓜⓜⓞⓒⓚ",
        "🅷🅰🅼🅼🅾🅲🅺",
        "🇭🇦🇲🇲🇴🇨🇰",
        "ʜᴀᴍᴍᴏᴄᴋ",
        "hаммосk",
        "Ηαⅿⅿοϲκ",
        "հammօck",
        "ᎻᎪᎷᎷᎾᏟᏦ",
        "ꓧꓮꓟꓟꓳꓚꓗ",
        "h̴a̸m̶m̷o̵c̴k̶",
        "ħámmöçķ",
        "h\u200ba\u200dm\u2060m\ufeffo\u00adc\u202ek",
        "h\x00ammock",
        "卄卂爪爪口匚长",
    ],
)
def test_letters_from_anywhere_in_unicode_are_read(disguised: str) -> None:
    assert folded(disguised) == "hammock"


def test_most_characters_named_as_a_latin_letter_are_that_letter() -> None:
    missed = [
        chr(code)
        for code in range(0x80, sys.maxunicode + 1)
        if (name := unicodedata.name(chr(code), "")).startswith(
            ("LATIN SMALL LETTER ", "LATIN CAPITAL")
        )
        and len(name.split(" WITH ")[0].rsplit(" ", 1)[-1]) == 1
        and not fold_character(chr(code)).isascii()
    ]
    assert missed == []


def test_a_stretched_word_keeps_two_of_a_letter_and_points_at_all() -> None:
    reading = fold(Reading.of("a soooooft hammock"))
    assert reading.text == "a sooft hammock"
    assert reading.origin(2, 7) == (2, 10)


def test_an_emoji_says_its_name() -> None:
    assert folded("a 🌋🌋🌋 here") == "a volcano here"


def test_halves_of_surrogate_pairs_and_controls_take_no_room() -> None:
    assert folded("\ud83dpo\x00ta\udc00to\x1b") == "potato"
