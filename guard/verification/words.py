"""A report in words that a reader of a newspaper understands. Pure; nothing is added to it.

Every sentence stands for a field of the report. None says that a picture was not made by AI: that
nothing was found is no evidence of it.
"""

import math
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from provenance.credential.credential import Integrity, State
from provenance.fingerprint import MIN_QUALITY
from provenance.verify import Inclusion, Origin, Report, Verdict

Sign = Literal["holds", "unsure", "against", "missing"]
"""What a layer says for the picture's story. Shown as a word too, never as a colour only."""


class Answer(NamedTuple):
    """The verdict: a heading, and what it means for somebody who saw the picture."""

    sign: Sign
    heading: str
    meaning: str


class Layer(NamedTuple):
    """One layer: ``what`` it is, what was ``found`` in this file, and how ``sure`` that is."""

    name: str
    title: str
    what: str
    sign: Sign
    found: str
    sure: str


ANSWERS = {
    Verdict.ESTABLISHED: Answer(
        "holds",
        "We know where this picture comes from",
        "The file carries a signed statement by somebody on the list of trusted signers, and it "
        "has not been changed since it was signed. What the picture shows can still be misleading: "
        "this answers where it comes from, not whether it tells the truth.",
    ),
    Verdict.RECOVERED: Answer(
        "holds",
        "This is a copy of a picture that is on record",
        "The signed statement is gone from this file, as happens when pictures are shared, but it "
        "leads back to a picture on record. The copy may have been changed since: compare it with "
        "the original if details matter.",
    ),
    Verdict.UNCONFIRMED: Answer(
        "unsure",
        "There is a sign of its origin, but nothing confirms it",
        "Something in the file says where it comes from, and nobody who is trusted here vouches "
        "for it. Anybody could have put it there. Treat its origin as unknown.",
    ),
    Verdict.CONTRADICTED: Answer(
        "against",
        "Something about this file does not fit",
        "Parts of the file contradict each other. It may have been altered, or somebody may have "
        "given it the papers of another picture. Do not rely on what it says about itself.",
    ),
    Verdict.NONE: Answer(
        "missing",
        "We found nothing that says where this picture comes from",
        "This does not tell you whether it was made by AI. Most pictures, real ones too, carry no "
        "sign of their origin, and signs are often lost when a picture is shared.",
    ),
}

ORIGINS = {
    Origin.AI_GENERATED: "it was made by AI",
    Origin.AI_EDITED: "it was edited with AI",
    Origin.CAPTURED: "it was taken with a camera",
    Origin.COMPOSITE: "it was put together from other pictures",
}

SIGN_WORDS: dict[Sign, str] = {
    "holds": "holds",
    "unsure": "not certain",
    "against": "does not fit",
    "missing": "not there",
}

BLAMED = {
    "transplanted-mark": ("watermark", "fingerprint"),
    "mark-mismatch": ("watermark", "credential"),
    "record-mismatch": ("fingerprint",),
    "re-signed": ("credential",),
}
"""Whom a contradiction speaks against, where that is not simply the two layers that were compared:
the record of another picture is a good record."""

RELATIONSHIPS = {
    "parentOf": "edited from this picture",
    "componentOf": "this picture was put into it",
    "inputTo": "this picture was used to make it",
}

ACTIONS = {
    "c2pa.created": "made",
    "c2pa.opened": "opened",
    "c2pa.edited": "edited",
    "c2pa.placed": "another picture put in",
    "c2pa.cropped": "cropped",
    "c2pa.resized": "resized",
    "c2pa.converted": "converted",
    "c2pa.published": "published",
    "c2pa.redacted": "details removed",
    "c2pa.color_adjustments": "colours changed",
    "c2pa.watermarked": "watermark added",
}


def answer(report: Report) -> Answer:
    """The verdict in words, with how the picture was made where that is known."""
    said = ANSWERS[report.verdict]
    made = ORIGINS.get(report.origin)
    return said._replace(heading=f"{said.heading}: {made}") if made else said


def layers(report: Report, *, ledger_asked: bool = True) -> tuple[Layer, ...]:
    """The four layers, in the order in which a person meets them."""
    alone = (_credential(report), _watermark(report))
    compared = (_fingerprint(report), _record(report))
    told = (*alone, *(compared if ledger_asked else map(_not_asked, compared)))
    return tuple(_contradicted(layer, report) for layer in told)


def _contradicted(layer: Layer, report: Report) -> Layer:
    """The layer, with what speaks against it."""
    for said in report.agreement:
        blamed = BLAMED.get(said.name or "", said.between)
        if said.contradicts and layer.name in blamed and layer.sign != "against":
            return layer._replace(sign="against", found=f"{layer.found} But {said.detail}.")
    return layer


def _not_asked(layer: Layer) -> Layer:
    return layer._replace(
        sign="missing",
        found="Not looked up: the file was examined by itself.",
        sure="This says nothing for or against it.",
    )


def action(name: str) -> str:
    """A C2PA action in words; an unknown one as it stands."""
    return ACTIONS.get(name, name.rpartition(".")[2].replace("_", " "))


def relationship(name: str | None) -> str:
    """How an ingredient went into the picture above it."""
    return RELATIONSHIPS.get(name or "", "used in it")


def moment(stated: str) -> str:
    """A time as people write it; whatever is no time of ISO 8601 as it stands."""
    try:
        time = datetime.fromisoformat(stated) if "T" in stated else None
    except ValueError:
        return stated
    if time is None or time.tzinfo is None:
        return stated
    utc = time.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def odds(probability: float) -> str:
    """A probability 0..1 as people say it: about one in so many, to one digit."""
    if probability >= 0.5:
        return "as often as not"
    if probability < 1e-9:
        return "in less than one case in a thousand million"
    cases = 1 / probability
    size = 10 ** math.floor(math.log10(cases))
    return f"in about one case in {round(cases / size) * size:,}"


def _credential(report: Report) -> Layer:
    sign, found, sure = _credential_words(report)
    return Layer(
        name="credential",
        title="Signed statement in the file",
        what="A sealed note by whoever made or edited the picture (a Content Credential). A change "
        "to the file breaks the seal.",
        sign=sign,
        found=found,
        sure=sure,
    )


def _credential_words(report: Report) -> tuple[Sign, str, str]:
    credential = report.credential
    signer = credential.signer
    name = (signer and (signer.name or signer.organisation)) or "a signer without a name"
    if credential.state is State.ABSENT:
        return (
            "missing",
            "There is none in this file.",
            "That says little: many websites and apps remove it when a picture is uploaded.",
        )
    if credential.state is State.UNREADABLE:
        why = credential.reason or "it cannot be read"
        return (
            "unsure",
            f"There is something like one, but {why}.",
            "It cannot be checked, so it counts for nothing.",
        )
    if credential.proves:
        limits = (
            "That signer is a test authority which only this installation trusts; it vouches for "
            "nobody elsewhere."
            if signer and signer.development
            else "As sure as the signer is honest and has kept its key to itself."
        )
        return "holds", f"Signed by {name}, and the file is unchanged since.", limits
    if credential.integrity is Integrity.BROKEN:
        return (
            "against",
            f"It names {name} as its signer, but the seal is broken: the file or the statement was "
            "changed after signing.",
            "Certain: the signature and the file do not fit together.",
        )
    if credential.integrity is Integrity.PARTIAL:
        return (
            "unsure",
            f"Signed by {name}, who left parts of the file out of the seal.",
            "What was left out can be changed without anybody noticing.",
        )
    if credential.state is State.VALID:
        return (
            "unsure",
            f"It names {name} as its signer, whom nobody on the list of trusted signers vouches "
            "for.",
            "Anybody can sign under any name; only the list of trusted signers makes a name count.",
        )
    return (
        "unsure",
        f"It names {name} as its signer, but the signature does not count: its certificate was "
        "out of date, withdrawn, or not meant for this.",
        "What it states may be true, but nobody vouches for it.",
    )


def _watermark(report: Report) -> Layer:
    mark = report.watermark
    sign: Sign
    if report.fingerprint.pdq is None:
        sign, found = "missing", "Films are not searched for marks here."
        sure = "It may carry one that we did not look for."
    elif not mark.found:
        sign, found = "missing", "None of the marks that we can read is in this picture."
        sure = "Other makers use marks that only they can read, and strong editing removes marks."
    else:
        linked = any(a.holds and "watermark" in a.between for a in report.agreement)
        sign = "holds" if linked else "unsure"
        found = f"A hidden mark was read: the number {mark.payload}."
        if mark.known_as:
            found = (
                f"The mark that {mark.known_as} writes into every picture; anybody can write it."
            )
        chance = mark.false_positive_probability or 0.0
        sure = (
            f"A picture without a mark looks like this {odds(chance)}. A mark alone proves "
            "nothing: it can be copied from one picture to another."
        )
    return Layer(
        name="watermark",
        title="Hidden mark in the picture",
        what="A pattern too faint to see, woven into the picture itself. It usually survives "
        "sharing, saving and screenshots.",
        sign=sign,
        found=found,
        sure=sure,
    )


def _fingerprint(report: Report) -> Layer:
    fingerprint = report.fingerprint
    sign: Sign = "missing"
    if fingerprint.match is not None:
        sign = "holds" if report.verdict.answers else "unsure"
        found = (
            f"It looks like the picture on record as {fingerprint.match.record} "
            f"({256 - fingerprint.match.distance} of 256 features are the same)."
        )
        sure = (
            "An unrelated picture would look as much alike "
            f"{odds(fingerprint.match.false_positive_probability)}."
        )
    elif fingerprint.pdq is None:
        found = "Films are not compared with what is on record here."
        sure = "It says nothing here."
    elif fingerprint.quality < MIN_QUALITY:
        found = "The picture has too little detail to be compared."
        sure = "Plain pictures all look alike to this method, so it says nothing here."
    else:
        found = "No picture on record looks like it."
        sure = "Only the pictures on record here were compared, not those of the internet."
    return Layer(
        name="fingerprint",
        title="What the picture looks like",
        what="A short summary of light and dark, as a fingerprint is of a person. Copies have "
        "nearly the same one.",
        sign=sign,
        found=found,
        sure=sure,
    )


def _record(report: Report) -> Layer:
    record = report.record
    sign: Sign = "missing"
    if not record.found:
        found = "It is not on record here."
        sure = "Pictures that were made elsewhere never are."
    elif record.inclusion is Inclusion.PROVED:
        sign = "holds" if report.verdict.answers else "unsure"
        found = f"A picture is on record as {record.id}, in a log that cannot be changed unnoticed."
        sure = "Certain: the entry was found in the signed log, by calculation."
    elif record.inclusion is Inclusion.FAILED:
        sign = "against"
        found = f"A record {record.id} was found, but it does not fit the signed log."
        sure = "Certain: the record or the log was changed."
    else:
        sign = "unsure"
        found = f"A record {record.id} was found, but the signed log could not be consulted."
        sure = "The record is not proved."
    return Layer(
        name="record",
        title="Record of when it was made",
        what="A log of every picture made here, in which nothing can be changed or removed without "
        "it being noticed.",
        sign=sign,
        found=found,
        sure=sure,
    )
