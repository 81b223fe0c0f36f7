"""Reduces Unicode's look-alikes to the ones that stand for an ASCII letter or digit.

    python -m guard.prompts.training.confusables confusables.json > guard/prompts/confusables.json

The input is the table of the PyPI package ``confusable-homoglyphs`` (MIT), which carries
https://www.unicode.org/Public/security/latest/confusables.txt (Unicode License v3) as JSON.
"""

import json
import string
import sys
import unicodedata
from pathlib import Path

from guard.prompts.fold import named_letter


def _letter(character: str) -> str | None:
    """What a character is known to be without any table of look-alikes."""
    plain = unicodedata.normalize("NFKD", character)
    stripped = "".join(part for part in plain if not unicodedata.combining(part)).lower()
    if stripped.isascii():
        return stripped if len(stripped) == 1 and stripped.isalnum() else None
    return named_letter(character)


def looks_like(pairs: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Letter or digit -> the characters that look like it.

    A character that looks like several takes the first of: ASCII letters (l before i, o before
    the digit 0, as Unicode's own prototypes have it), digits, other forms of a letter.
    """
    ascii_first = [*"lo", *string.ascii_letters, *string.digits]
    others = sorted(key for key in pairs if len(key) == 1 and not key.isascii())
    found: dict[str, str] = {}
    for known in (*ascii_first, *others):
        letter = _letter(known)
        if letter is None:
            continue
        for pair in pairs.get(known, []):
            alike = pair["c"]
            if len(alike) == 1 and not alike.isascii() and _letter(alike) is None:
                found.setdefault(alike, letter)
    table: dict[str, list[str]] = {}
    for alike, letter in sorted(found.items()):
        table.setdefault(letter, []).append(alike)
    return {letter: "".join(row) for letter, row in sorted(table.items())}


def main() -> None:
    pairs = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    table = {
        "source": "Unicode confusables.txt (UTS #39), Unicode License v3, reduced by "
        "guard.prompts.training.confusables",
        "looks_like": looks_like(pairs),
    }
    json.dump(table, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
