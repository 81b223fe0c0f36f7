"""What in a caption may name or reach a person. A net with known meshes: it knows forms, no names.

Plain regular expressions with check digits where there are any, each linear in the text.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

MAX_CAPTION: Final = 20_000  # characters that are looked at

_EMAIL: Final = re.compile(r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE: Final = re.compile(r"(?<!\d )(?<![\w+.])(?:\+|00)[1-9](?:[ ().\-/]{0,2}\d){7,14}(?!\d)")
_DIGITS: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}(?!\w)")
_IP: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_SSN: Final = re.compile(r"(?<!\d)(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\d)")


def personal_kinds(text: str) -> tuple[str, ...]:
    """Kinds of personal data in ``text``, sorted: bank, card, email, ip, phone, ssn."""
    return tuple(sorted(set(_kinds(text[:MAX_CAPTION]))))


def _kinds(text: str) -> Iterator[str]:
    if "@" in text and _EMAIL.search(text):
        yield "email"
    if not any(character.isdigit() for character in text):
        return
    if _PHONE.search(text):
        yield "phone"
    if _SSN.search(text):
        yield "ssn"
    if any(_luhn(re.sub("[ -]", "", found[0])) for found in _DIGITS.finditer(text)):
        yield "card"
    if any(_mod97(found[0].replace(" ", "")) for found in _IBAN.finditer(text)):
        yield "bank"
    if any(_is_public(found[0]) for found in _IP.finditer(text)):
        yield "ip"


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 check digit, of 13 to 19 digits."""
    doubled = [int(d) * (1 + place % 2) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0 and len(set(digits)) > 1


def _mod97(iban: str) -> bool:
    """ISO 13616 check digits, of 15 to 34 characters."""
    moved = iban[4:] + iban[:4]
    return 15 <= len(iban) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _is_public(address: str) -> bool:
    try:
        return IPv4Address(address).is_global
    except ValueError:
        return False
