"""What is decided by rule: minors in a sexual context, personal identifiers, and steering.

Minors: no example of that category was ever trained on. An age term together with a sexual term,
or with a text that the model finds sexual, is enough. Identifiers: e-mail addresses, telephone
numbers, IBANs (ISO 13616, check by mod 97), payment cards (ISO/IEC 7812, check by Luhn), American
social security numbers, and street addresses with a postcode. Steering: words aimed at the machine
that reads the prompt, to get it past that machine.
The word lists are as small as the rule allows and in our own words.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_AGE = re.compile(
    r"\b(?:child(?:ren|s|like|hood)?|kid(?:s|do|die|dies)?|toddlers?|infants?|bab(?:y|ies)|minors?"
    r"|under ?-?age[d]?|pre-?teens?|tweens?|teen(?:s|age|aged|ager|agers)?|adolescents?|juveniles?"
    r"|(?:little|young|small|school) ?-?(?:girl|boy|one)s?|schoolkids?|school ?children"
    r"|pre-?pubescents?|pubescents?|prepubert\w*|kindergart\w+|preschool\w*|elementary school\w*"
    r"|(?:primary|middle|high) ?-?school(?:er|ers)?|[1-9](?:st|nd|rd|th) grade(?:r|rs)?"
    r"|loli(?:s|con|ta)?|shota(?:s|con)?|jailbait|cub porn|barely legal|not yet (?:18|eighteen)"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|1[0-7]|[1-9])[ -]*(?:years?|yrs?|months?)[ -]*(?:of age|olds?|young)"
    r"|(?:1[0-7]|[1-9]) ?(?:y/?o|yo)|age[ds]? (?:of )?(?:1[0-7]|[1-9]))\b(?!\.\d)"
)
_SEXUAL = re.compile(
    r"\b(?:nud(?:e|es|ity|ist|ists)|naked|nsfw|porn\w*|sex(?:y|ual|ually|ualis\w*|ualiz\w*|iest|ier)?"
    r"|intercourse|erotic\w*|hentai|ecchi|xxx?|orgasm\w*|orgy|orgies|masturbat\w*|ejaculat\w*"
    r"|penis(?:es)?|vagina\w*|vulva|pussy|genital\w*|cock|dick|cum|cumming|tits?|titties|boobs?"
    r"|nipples?|topless|bottomless|undress\w*|unclothed|without clothes|no clothes|stripp(?:er|ing)"
    r"|lingerie|panties|thong|g-?string|seductiv\w*|seduc(?:e|es|ed|ing)|arous(?:ed|ing|al)|horny"
    r"|lewd|fetish\w*|bdsm|bondage|fellatio|blowjobs?|handjobs?|anal|deepthroat|creampie|gangbang"
    r"|fuck(?:s|ed|ing)?|rap(?:e|es|ed|ing|ist)|molest\w*|grop(?:e|es|ed|ing)|incest\w*)\b"
)

_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}\b")
_IBAN = re.compile(r"\b[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])")
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}"
    r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w.])"
)
_ADDRESS = re.compile(  # with a postcode: "2 men on a street" is no address
    r"\b\d{1,5}[a-z]?,? (?:[a-z'.-]{2,20} ){1,4}?(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr"
    r"|boulevard|blvd|court|square|terrace|crescent|close|way|place)\b[\w ,.'-]{0,40}?"
    r"\b(?:[a-z]{2} \d{5}(?:-\d{4})?|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2})\b"
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_PHONE_DIGITS = range(8, 16)  # ITU-T E.164: at most 15

# Words aimed at the machine instead of the picture; the markers are those of chat templates.
_INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|disable|turn off|switch off|skip|get around)"
    r"(?: (?:all|any|every|of|the|your|my|our|these|those|previous|prior|above|earlier|existing"
    r"|content|safety|moderation|nsfw|usage|system|built-in)){1,5}"
    r" (?:instructions?|rules?|prompts?|guidelines|filters?|polic(?:y|ies)|checks?|checkers?"
    r"|restrictions?|guardrails?|moderation|safety)\b"
    r"|\b(?:classify|rate|mark|label|treat|score) (?:this|the following|it|my prompt|this prompt)"
    r"(?: prompt| text| request)? as (?:safe|harmless|benign|allowed)\b"
    r"|\b(?:you are now|act as|pretend to be) (?:dan\b|an? (?:unfiltered|uncensored|unrestricted|"
    r"jailbroken))"
    r"|\bdeveloper mode (?:on|enabled)\b|\bjailbreak(?:ed)? (?:mode|prompt)\b"
    r"|<\|[a-z_]{2,30}\|>|\[/?inst\]|<</?sys>>|</?start_of_turn>|<end_of_turn>"
    r"|\b(?:system|assistant|user) ?: ?(?:the )?(?:verdict|answer|label|rating)? ?(?:is )?"
    r"(?:safe|unsafe)\b"
)

MINORS_CERTAIN = 0.99
INJECTION_CERTAIN = 0.99
LISTED_CERTAIN = 0.99
IDENTIFIER_CERTAIN = 0.99


class Hit(NamedTuple):
    """A rule's evidence: the characters [start, end) of a folded reading."""

    start: int
    end: int
    what: str


class Minors(NamedTuple):
    """Age terms, and sexual terms, in a text."""

    age: list[Hit]
    sexual: list[Hit]


def minors(text: str) -> Minors:
    """The terms of the rule on minors in a folded text. Sexual terms only where an age term is."""
    age = [Hit(m.start(), m.end(), "age term") for m in _AGE.finditer(text)]
    if not age:
        return Minors([], [])
    return Minors(age, [Hit(m.start(), m.end(), "sexual term") for m in _SEXUAL.finditer(text)])


def explicit_terms(text: str) -> int:
    """How many different sexual terms a folded text has beyond the first.

    One such word may be innocent ("a naked mole rat"); two of them hardly ever are.
    """
    return max(len({match[0] for match in _SEXUAL.finditer(text)}) - 1, 0)


def identifiers(text: str) -> list[Hit]:
    """Personal identifiers in a folded text whose form, and check digits if any, are right."""
    kinds = (_emails, _ibans, _cards, _phones, _fixed)
    return sorted({hit for find in kinds for hit in find(text)})


def injections(text: str) -> list[Hit]:
    """Attempts in a folded text to steer the machine that reads it."""
    return [Hit(m.start(), m.end(), "instruction") for m in _INJECTION.finditer(text)]


def _emails(text: str) -> Iterator[Hit]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Hit(match.start(), match.end(), "e-mail address")


def _ibans(text: str) -> Iterator[Hit]:
    for match in _IBAN.finditer(text):
        if iban_is_valid(match[0]):
            yield Hit(match.start(), match.end(), "IBAN")


def _cards(text: str) -> Iterator[Hit]:
    for match in _CARD.finditer(text):
        if luhn_is_valid(match[0]):
            yield Hit(match.start(), match.end(), "payment card")


def _phones(text: str) -> Iterator[Hit]:
    for match in _PHONE.finditer(text):
        if sum(c.isdigit() for c in match[0]) in _PHONE_DIGITS:
            yield Hit(match.start(), match.end(), "telephone number")


def _fixed(text: str) -> Iterator[Hit]:
    for pattern, what in ((_ADDRESS, "address"), (_SSN, "social security number")):
        for match in pattern.finditer(text):
            yield Hit(match.start(), match.end(), what)


def luhn_is_valid(number: str) -> bool:
    """ISO/IEC 7812-1 annex B over the digits of ``number``; a row of one digit is no card."""
    digits = [int(c) for c in number if c.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def iban_is_valid(iban: str) -> bool:
    """ISO 13616: 15 to 34 characters, and 1 modulo 97 once the first four are moved to the end."""
    bare = iban.replace(" ", "").upper()
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1
