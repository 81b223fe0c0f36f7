"""Decoding: what a prompt says once its encodings are undone.

Base64, base32, hexadecimal, binary, URL-encoding, HTML entities and backslash escapes, letters
hidden in Unicode's tag characters, ROT13, and words written backwards. Each gives a further
reading; none replaces the text as typed.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from guard.prompts.reading import Edit, Reading
from guard.prompts.segment import known_share
from guard.prompts.vocabulary import Vocabulary

_MIN_PRINTABLE = 0.9  # share of letters, digits, spaces and common marks for bytes to be a text
_MIN_LETTERS = 0.4
_NO_CHANCE = 12  # printable bytes in a row; at random once in 10^5
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}|[A-Za-z0-9+/_-]{6,11}={1,2}")
_BASE32 = re.compile(r"\b[A-Z2-7]{16,}={0,6}")
_HEX = re.compile(r"\b(?:(?:0x)?[0-9A-Fa-f]{2}[\s:,]?){5,}")
_BINARY = re.compile(r"\b(?:[01]{8}\s?){3,}")
_URL = re.compile(r"(?:%[0-9A-Fa-f]{2}|\+)*%[0-9A-Fa-f]{2}(?:[\w+.-]|%[0-9A-Fa-f]{2})*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\})")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_WORD = re.compile(r"[A-Za-z]{3,20}")
_MIN_RESPELT = 2  # words that must turn into known ones before a cipher is believed
_MOST_KNOWN = 0.5  # share of the letters that are in known words, for a text to be in cipher
_MIN_KNOWN = 0.5  # and the same once it is deciphered
_MIN_GAIN = 0.3
_ROUNDS = 2  # an encoding of an encoding is undone; a third one is not
_MAX_READINGS = 8


def _text_of(raw: bytes) -> str | None:
    """The bytes as a text, or nothing where they are not one."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    printable = sum(c.isalnum() or c in " .,;:!?'\"()+/=%&#-_\n" for c in text)
    letters = sum(c.isalpha() or c == " " for c in text)
    if printable < _MIN_PRINTABLE * len(text) or letters < _MIN_LETTERS * len(text):
        return None
    return text or None


def _base64(token: str) -> str | None:
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _text_of(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    except binascii.Error:
        return None


def _base32(token: str) -> str | None:
    bare = token.rstrip("=")
    try:
        return _text_of(base64.b32decode(bare + "=" * (-len(bare) % 8)))
    except binascii.Error:
        return None


def _hex(token: str) -> str | None:
    digits = re.sub(r"0x|[\s:,]", "", token)
    return _text_of(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _binary(token: str) -> str | None:
    digits = re.sub(r"\s", "", token)
    return _text_of(bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8)))


def _url(token: str) -> str | None:
    return unquote(token.replace("+", " "), errors="replace")


def _escape(token: str) -> str | None:
    code = int(token.strip("\\xu{}"), 16)
    return chr(code) if code <= 0x10FFFF else None


def _tags(token: str) -> str | None:
    return "".join(chr(ord(c) - 0xE0000) for c in token)


_DECODERS: tuple[tuple[str, re.Pattern[str], Callable[[str], str | None]], ...] = (
    ("tags", _TAGS, _tags),
    ("entities", _ENTITY, html.unescape),
    ("escapes", _ESCAPE, _escape),
    ("url", _URL, _url),
    ("binary", _BINARY, _binary),
    ("hex", _HEX, _hex),
    ("base32", _BASE32, _base32),
    ("base64", _BASE64, _base64),
)


_EXACT = frozenset({"tags", "entities", "escapes", "url"})  # nothing else looks like these


def _says_something(text: str, vocabulary: Vocabulary) -> bool:
    """Whether decoded bytes hold a word or a further encoding, or are too long for a chance.

    Telephone numbers are hexadecimal too, and say nothing.
    """
    words = re.findall(r"[a-z]{3,}", text.lower())
    long = len(text) >= _NO_CHANCE and text.isascii() and text.isprintable()
    return long or any(map(vocabulary.knows, words)) or _BASE64.fullmatch(text) is not None


def decoded(reading: Reading, vocabulary: Vocabulary) -> list[Reading]:
    """The readings behind the encodings in a text, unfolded; none for an ordinary text."""
    found: list[Reading] = []
    todo = [reading]
    for _ in range(_ROUNDS):
        todo = [deeper for each in todo for deeper in _once(each, vocabulary)]
        found += todo
    return found[:_MAX_READINGS]


def _once(reading: Reading, vocabulary: Vocabulary) -> Iterator[Reading]:
    for name, pattern, decode in _DECODERS:
        edits = [
            Edit(match.start(), match.end(), text)
            for match in pattern.finditer(reading.text)
            if (text := decode(match[0])) and text != match[0]
            if name in _EXACT or _says_something(text, vocabulary)
        ]
        if edits:
            yield reading.edited(name, edits)
    yield from _deciphered(reading, vocabulary)


def _deciphered(reading: Reading, vocabulary: Vocabulary) -> Iterator[Reading]:
    """The whole text in another cipher where that makes it one of words, else single words."""
    known = known_share(reading.text, vocabulary)
    if known <= _MOST_KNOWN:
        for each in (
            Reading("rot13", _rot13(reading.text), reading.starts, reading.ends),
            Reading("reversed", reading.text[::-1], reading.starts[::-1], reading.ends[::-1]),
            reading.edited("reversed", [*_each_word(reading.text, _backwards)]),
        ):
            if known_share(each.text, vocabulary) >= max(_MIN_KNOWN, known + _MIN_GAIN):
                yield each
                return
    strange = [
        match for match in _WORD.finditer(reading.text) if not vocabulary.knows(match[0].lower())
    ]
    for name, respell in (("rot13", _rot13), ("reversed", _backwards)):
        edits = [
            Edit(match.start(), match.end(), respell(match[0]))
            for match in strange
            if vocabulary.knows(respell(match[0]).lower())
        ]
        if len(edits) >= _MIN_RESPELT or (edits and len(edits) == len(reading.text.split())):
            yield reading.edited(name, edits)


def _rot13(word: str) -> str:
    return codecs.encode(word, "rot13")


def _backwards(word: str) -> str:
    return word[::-1]


def _each_word(text: str, respell: Callable[[str], str]) -> Iterator[Edit]:
    for match in _WORD.finditer(text):
        yield Edit(match.start(), match.end(), respell(match[0]))
