"""What may not stand in a body: personal data in clear, and prompts.

An entry can never be taken out of the ledger, so the check comes before, and it is a net with known
meshes: e-mail addresses anywhere, fields whose name says that they hold a person or a prompt, and
subjects who are not under a pseudonym (forgetting.pseudonym).
Nearly all bodies pass, so the first look is quick and only a suspicion is followed up.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from provenance.errors import EventInvalid

_PERSONAL = """
    address birthdate birthday caption dateofbirth dob email emailaddress familyname firstname
    forename fullname givenname iban ip ipaddress lastname maidenname mail middlename mobile name
    negativeprompt nickname passport personname phone phonenumber postaladdress prompt prompttext
    realname socialsecuritynumber ssn surname telephone text useremail userinput username userprompt
"""
_THINGS = """
    assessor check column control core dataset file framework model pack policy population
    reference rule scheme shard system tool
"""
PERSONAL_FIELDS = frozenset(_PERSONAL.split())  # compared in lower case, without separators
SUBJECTS = frozenset({"datasubject", "person", "personid", "subject", "subjectid"})
THINGS = frozenset(_THINGS.split())  # a "name" directly below one of these names a thing

# Looks from the at sign on: a long word without one would otherwise be read again and again.
_EMAIL = re.compile(r"(?<=[\w.%+-])@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}\b")
_NESTED = (dict, list, tuple)
_PSEUDONYM = re.compile("[0-9a-f]{64}")
_SEPARATORS = str.maketrans("", "", "_-. ")


def check_body(kind: str, text: bytes, body: object) -> None:
    """Refuse a body that would publish somebody for ever.

    ``text`` is the canonical form of ``body``. Raises ``EventInvalid`` naming the field.
    """
    if b"@" in text and _EMAIL.search(text.decode()):
        raise EventInvalid(
            f"The body of {kind} holds an e-mail address; the ledger keeps no personal data "
            "in clear. Use a commitment or an identifier."
        )
    if _may_hold_a_person(body):
        for path in _personal_paths(body, ()):
            raise EventInvalid(
                f"The body of {kind} has the field {'.'.join(path)}, which by its name holds "
                "a person or a prompt. Give a commitment (ledger.commitment) or an identifier; "
                "of a subject, the pseudonym."
            )


@lru_cache(maxsize=4_096)  # bodies of one kind have the same few fields
def _is_personal(name: str) -> bool:
    return _plain(name) in PERSONAL_FIELDS or _plain(name) in SUBJECTS


def _plain(name: str) -> str:
    return name.translate(_SEPARATORS).lower()


def _is_pseudonym(name: str, value: object) -> bool:
    return (
        _plain(name) in SUBJECTS
        and isinstance(value, str)
        and _PSEUDONYM.fullmatch(value) is not None
    )


def _may_hold_a_person(value: object) -> bool:
    """Quick: whether any field is named so. Nearly all bodies end here."""
    if isinstance(value, dict):
        if one_is_personal(tuple(value)):
            return True
        for item in value.values():
            if isinstance(item, _NESTED) and _may_hold_a_person(item):
                return True
        return False
    return isinstance(value, list | tuple) and any(map(_may_hold_a_person, value))


@lru_cache(maxsize=512)
def one_is_personal(names: tuple[str, ...]) -> bool:
    """Whether a field of that name may hold a person or a prompt."""
    return any(map(_is_personal, names))


def _personal_paths(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            of_a_thing = name == "name" and bool(path) and path[-1] in THINGS
            if _is_personal(name) and not of_a_thing and not _is_pseudonym(name, item):
                yield (*path, name)
            yield from _personal_paths(item, (*path, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _personal_paths(item, path)
