"""Folding: every way to write a letter becomes that letter.

Compatibility forms (NFKD), accents, case, look-alikes from anywhere in Unicode, zero-width and
bidirectional controls, runs of white space and of one letter. Look-alikes come from three places,
tried in this order:

1. a row of ideographs that fancy-text sites offer as an alphabet, and a few letters that readers
   take for another one though Unicode does not say so;
2. ``confusables.json``: Unicode's security data (UTS #39, confusables.txt), reduced by
   ``guard.prompts.training.confusables`` to the characters that look like an ASCII letter or digit
   and that 3 does not already know;
3. Unicode's own names: "NEGATIVE SQUARED LATIN CAPITAL LETTER A" is an a.

Folding is idempotent and changes plain lower-case English not at all.
"""

import json
import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files

from guard.prompts.reading import Reading

_MAX_EMOJI_WORDS = 3
_MAX_PARTS = 4  # characters that one is decomposed into; only Arabic phrase ligatures have more
_CACHED_CHARACTERS = 16_384  # entries; a text in one script needs a few hundred

_LETTER_NAME = re.compile(
    r"(?:LATIN|REGIONAL INDICATOR SYMBOL|MODIFIER) .*?\bLETTER (?:[A-Z]{2,} )*([A-Z])(?: WITH .*)?$"
)
_FANCY = dict(
    zip(
        "卂乃匚刀乇下厶卄工丁长乚爪冂口尸㔿尺丂丅凵リ山乂丫乙",
        "abcdefghijklmnopqrstuvwxyz",
        strict=True,
    )
)
_FANCY |= dict(zip("ŋðþժəỽĸκкмᎾэя", "ndpdevkkkmoer", strict=True))
_PLAIN = re.compile(r"[\x21-\x40\x5b-\x7e]+(?: [\x21-\x40\x5b-\x7e]+)*")
_RUN = re.compile(r"([a-z])\1\1")


@cache
def _confusables() -> dict[str, str]:
    table: dict[str, str] = json.loads(
        files("guard.prompts").joinpath("confusables.json").read_text("utf-8")
    )["looks_like"]
    return {alike: letter for letter, row in table.items() for alike in row}


def is_hidden(character: str) -> bool:
    """Takes no room on the page: a control, a joiner, a filler, a tag or half a surrogate pair."""
    if character.isspace():
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") or character in (
        "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"
    )


def named_letter(character: str) -> str | None:
    """The ASCII letter, in lower case, that Unicode's name of a character says it is a form of."""
    named = _LETTER_NAME.search(unicodedata.name(character, ""))
    return named[1].lower() if named else None


def _is_emoji(character: str) -> bool:
    return (ord(character) >= 0x1F000 or 0x2600 <= ord(character) <= 0x27BF) and (
        unicodedata.category(character) == "So"
    )


def _look_alike(character: str) -> str | None:
    table = _confusables()
    lower = character.lower()
    letter = _FANCY.get(character) or _FANCY.get(lower) or table.get(character)
    if letter == "l" and lower != character and table.get(lower) == "i":
        return "i"  # Unicode calls a capital I of any script an l
    if letter is not None:
        return letter
    return named_letter(character)


@lru_cache(_CACHED_CHARACTERS)
def fold_character(character: str) -> str:
    """What one character folds to: nothing, a letter, or the words of an emoji between spaces."""
    if character.isspace():
        return " "
    if is_hidden(character):
        return ""
    if character.isascii():
        return character.lower()
    folded = unicodedata.normalize("NFKD", character).casefold()
    alike = None if folded.isascii() else _look_alike(character)
    if alike is not None:
        return alike
    if _is_emoji(character):
        words = unicodedata.name(character, "").lower().split()[:_MAX_EMOJI_WORDS]
        return f" {' '.join(words)} "
    if unicodedata.category(character) in ("Mn", "Me", "Sk"):
        return ""
    if folded == character:
        return character
    if len(folded) > 1 and (letter := named_letter(character)) is not None:
        return letter  # in parentheses or between bars
    return "".join(fold_character(part) for part in folded[:_MAX_PARTS])


def fold(reading: Reading) -> Reading:
    """The reading with every character folded, spaces squeezed, and letters at most doubled.

    Work and memory are linear in the length of the text.
    """
    lower = reading.text.lower() if reading.text.isascii() else reading.text
    if _PLAIN.fullmatch(lower) and not _RUN.search(lower):
        return reading._replace(text=lower)
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    previous = ""
    for character, start, end in zip(reading.text, reading.starts, reading.ends, strict=True):
        folded = fold_character(character)
        if character == previous and len(folded) > 2 and folded[0] == " ":
            starts[-1], ends[-1] = min(start, starts[-1]), max(end, ends[-1])
            continue  # one emoji after another of its kind says nothing new
        previous = character
        for part in folded:
            repeated_space = part == " " and (not out or out[-1] == " ")
            third_of_a_run = part.isalpha() and out[-2:] == [part, part]
            if repeated_space or third_of_a_run:
                if ends:
                    starts[-1], ends[-1] = min(start, starts[-1]), max(end, ends[-1])
                continue
            out.append(part)
            starts.append(start)
            ends.append(end)
    if out and out[-1] == " ":
        out.pop(), starts.pop(), ends.pop()
    return Reading(reading.name, "".join(out), starts, ends)
