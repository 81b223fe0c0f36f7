"""What a rule may ask about: every field that policies know, its type and its meaning.

A wing that gives the guard a new fact adds its line to ``FIELDS``; until then no policy can ask for
it, because an unknown field is refused when the document is loaded.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from policies.categories import CATEGORIES

SCORE_PREFIX = "score."
NOT_ASSESSED = "not_assessed"
FLAGGED = "flagged"


class Kind(StrEnum):
    """The type of a field, which decides the operators that it takes."""

    SCORE = "score"  # a calibrated probability in [0, 1]
    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Field:
    """One fact. ``choices``: the only values that it takes; empty where any value can occur."""

    name: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()


_SCORES = tuple(
    Field(f"{SCORE_PREFIX}{category}", Kind.SCORE, f"calibrated probability of {category}")
    for category in CATEGORIES
)

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        *_SCORES,
        Field("score.unsafe", Kind.SCORE, "probability that any core category applies"),
        Field(FLAGGED, Kind.SET, "the categories at or over the assessor's threshold", CATEGORIES),
        Field(NOT_ASSESSED, Kind.SET, "the categories that nobody assessed", CATEGORIES),
        Field("stage", Kind.TEXT, "what is being judged", ("prompt", "image")),
        Field("caller.role", Kind.TEXT, "role of the caller, such as user or moderator"),
        Field("caller.tenant", Kind.TEXT, "organisation that the caller belongs to"),
        Field("caller.region", Kind.TEXT, "region of the caller, ISO 3166-1 code"),
        Field("caller.age_verified", Kind.FLAG, "the caller's age of majority was verified"),
        Field(
            "caller.probing",
            Kind.NUMBER,
            "near-duplicates of refused prompts that the caller tried of late",
        ),
        Field("core.name", Kind.TEXT, "name of the generator"),
        Field(
            "core.domain",
            Kind.TEXT,
            "open: anything may come out, as of an edit of a picture from elsewhere; closed: what "
            "it can draw is known",
            ("open", "closed"),
        ),
        Field(
            "training.audit_age_days",
            Kind.NUMBER,
            "days since the oldest audit of what the core learnt from",
        ),
        Field(
            "training.withdrawn_samples",
            Kind.NUMBER,
            "samples that the core learnt from and whose consent was withdrawn since",
        ),
        Field("size.width", Kind.NUMBER, "width asked for, in pixels"),
        Field("size.height", Kind.NUMBER, "height asked for, in pixels"),
        Field("size.pixels", Kind.NUMBER, "width times height"),
        Field("count", Kind.NUMBER, "number of pictures asked for"),
        Field("asked.visible_label", Kind.FLAG, "the caller asked for a visible label"),
        Field("asked.edit", Kind.FLAG, "a picture that the caller sent in is to be changed"),
        Field(
            "image.sent_in",
            Kind.FLAG,
            "the picture is the one that was sent in to be changed, not what was drawn",
        ),
        Field("quota.left", Kind.NUMBER, "pictures that the caller may still have in this period"),
        Field("quota.share", Kind.NUMBER, "share of the period's quota that is used, 0 to 1"),
        Field("language", Kind.TEXT, "language of the prompt, ISO 639-1 code"),
        Field("prompt.characters", Kind.NUMBER, "length of the prompt in characters"),
        Field("prompt.obfuscated", Kind.FLAG, "the prompt hides words from a plain reader"),
        Field("match.known_content", Kind.FLAG, "the picture stands in a list of known content"),
        Field("match.list", Kind.TEXT, "name of the list that it stands in"),
        Field("match.distance", Kind.NUMBER, "bits in which the two fingerprints differ, 0 to 256"),
        Field("memorised.match", Kind.FLAG, "the picture repeats one that the core learnt from"),
        Field("memorised.dataset", Kind.TEXT, "name of the data set that holds the repeated one"),
        Field("memorised.distance", Kind.NUMBER, "bits in which the two fingerprints differ"),
        Field(
            "memorised.consent",
            Kind.TEXT,
            "state of the repeated one's consent when its data set was audited",
            ("unknown", "declared", "licensed", "claimed", "withdrawn", "expired"),
        ),
        Field(
            "memorised.licence_use",
            Kind.TEXT,
            "the widest use that the repeated one's licence grants",
            ("any", "non-commercial", "academic", "unspecified"),
        ),
        Field("text.present", Kind.FLAG, "the picture holds legible text"),
        Field("text.lines", Kind.NUMBER, "lines of text read in the picture"),
        Field("face.present", Kind.FLAG, "a guard found a face in the picture"),
        Field("face.count", Kind.NUMBER, "how many faces it found"),
        Field("symbol.present", Kind.FLAG, "the demonstration detector found one of its symbols"),
        Field("symbol.score", Kind.NUMBER, "its highest score, 0 to 1"),
        Field("view.disagrees", Kind.FLAG, "a guard reads an upload otherwise after cleaning it"),
        Field("qr.present", Kind.FLAG, "the picture holds a QR or bar code"),
        Field("qr.host", Kind.TEXT, "the hosts that its codes lead to, separated by spaces"),
    )
}

RESERVED: frozenset[str] = frozenset(name for name in FIELDS if name.startswith(SCORE_PREFIX)) | {
    FLAGGED,
    NOT_ASSESSED,
}
"""Fields that come from their own part of the facts and cannot be given under a dotted name."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known word closest to ``word``, else nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
