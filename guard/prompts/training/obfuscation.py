"""Ways to hide a word from a filter, for training on them and for measuring against them.

Each takes a text and a random generator and returns the text as somebody might disguise it. The
look-alikes are drawn from all of Unicode's names, not from the table that folding uses.
"""

import base64
import codecs
import random
import unicodedata
from collections.abc import Callable
from functools import cache
from urllib.parse import quote

_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "l": "1"}
_HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u2066"
_SHARE = 0.5  # of the letters that leet and look-alikes change


@cache
def _alphabets() -> dict[str, str]:
    """Letter -> characters that Unicode names as a form of it, and a few Cyrillic ones."""
    found: dict[str, list[str]] = {}
    for code in (
        *range(0xC0, 0x3000),
        *range(0xA640, 0xB000),
        *range(0xFF21, 0xFF5B),
        *range(0x1D400, 0x1D6A6),
    ):
        name = unicodedata.name(chr(code), "")
        base = unicodedata.normalize("NFKD", chr(code))[:1].lower()
        last = name.rsplit(" ", 1)[-1]
        if (
            base.isascii()
            and base.isalpha()
            and unicodedata.category(chr(code)) in ("Ll", "Lu", "So")
        ):
            found.setdefault(base, []).append(chr(code))
        elif "LATIN" in name and len(last) == 1 and last.isalpha():
            found.setdefault(last.lower(), []).append(chr(code))
    for letter, alike in zip("aceiopsxyjhbkmt", "асеіорѕхујһьктм", strict=False):
        found.setdefault(letter, []).append(alike)
    return {letter: "".join(row) for letter, row in found.items()}


def leet(text: str, rng: random.Random) -> str:
    return "".join(
        rng.choice(_LEET[c]) if c in _LEET and rng.random() < _SHARE else c for c in text.lower()
    )


def homoglyphs(text: str, rng: random.Random) -> str:
    rows = _alphabets()
    return "".join(
        rng.choice(rows[c]) if c in rows and rng.random() < _SHARE else c for c in text.lower()
    )


def zero_width(text: str, rng: random.Random) -> str:
    return "".join(c + rng.choice(_HIDDEN) if rng.random() < _SHARE else c for c in text)


def dots(text: str, rng: random.Random) -> str:
    mark = rng.choice(".-_*")
    return " ".join(mark.join(w) if len(w) > 3 else w for w in text.split(" "))


def spaced(text: str, rng: random.Random) -> str:  # noqa: ARG001 - all disguises are called alike
    return "  ".join(" ".join(word) for word in text.split())


def stretched(text: str, rng: random.Random) -> str:
    return "".join(c * rng.choice((1, 1, 3, 4)) if c.isalpha() else c for c in text)


def typos(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 3 and rng.random() < 0.3:
            at = rng.randrange(1, len(word) - 1)
            swap = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            words[i] = rng.choice(
                (swap, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:])
            )
    return " ".join(words)


def cut_words(text: str, rng: random.Random) -> str:
    return " ".join(
        f"{w[:2]} {w[2:]}" if len(w) > 3 and rng.random() < _SHARE else w for w in text.split(" ")
    )


def glued(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return text.replace(" ", "")


def in_base64(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def in_hex(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return text.encode("utf-8", "replace").hex()


def in_rot13(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return codecs.encode(text, "rot13")


def in_url(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return quote(text, safe="", errors="replace")


def backwards(text: str, rng: random.Random) -> str:  # noqa: ARG001
    return text[::-1]


OBFUSCATIONS: dict[str, Callable[[str, random.Random], str]] = {
    "leet": leet,
    "homoglyphs": homoglyphs,
    "zero-width": zero_width,
    "dots": dots,
    "spaced": spaced,
    "stretched": stretched,
    "typos": typos,
    "cut words": cut_words,
    "glued": glued,
    "base64": in_base64,
    "hex": in_hex,
    "rot13": in_rot13,
    "url": in_url,
    "backwards": backwards,
}
