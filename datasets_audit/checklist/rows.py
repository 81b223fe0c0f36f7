"""Queries over the rows of an audit. Each says what it found in one data set."""

from collections.abc import Callable, Mapping
from typing import Final

from datasets_audit.checklist.audited import Audited
from datasets_audit.checklist.evidence import Evidence, nothing_to_show, shown, wanting

LARGEST_SOURCE: Final = 0.5  # share of pictures; above it a data set stands and falls with one host


def _inventory(a: Audited) -> Evidence:
    said = f"{a.count('pictures'):,} pictures, {a.count('bytes'):,} bytes, listed by SHA-256."
    return shown(said, "pictures", "bytes")


def _schema(a: Audited) -> Evidence:
    attributes = ", ".join(one.attributes[0] for one in a.balance.attributes) or "none"
    said = f"croissant.json lists the columns of the rows; attributes of people: {attributes}."
    return shown(said, "annotated")


def _subject_categories(a: Audited) -> Evidence:
    if not a.balance.attributes:
        return wanting(
            "No attribute says whom the pictures show.",
            "Declare attributes in columns attr.<name>.",
        )
    groups = sum(one.cells_total for one in a.balance.attributes)
    return shown(f"{groups} groups of people are counted.", *_of_balance(a))


def _declared_use(a: Audited) -> Evidence:
    if a.use is None:
        return wanting("No use was declared.", "Audit with --use commercial or --use research.")
    return shown(f"The declared use is {a.use}.")


def _sources(a: Audited) -> Evidence:
    having, pictures = a.count("origin.source"), a.count("pictures")
    said = f"{having:,} of {pictures:,} pictures name a source."
    if having < pictures:
        return wanting(said, "State source_url in the annotations for the others.", "origin.source")
    return shown(said, "origin.source")


def _concentration(a: Audited) -> Evidence:
    share, hosts = a.figures.get("origin.largest"), a.count("origin.hosts")
    if share is None:
        return wanting("No source is named, so reliance on few of them is not known.",
                       "State source_url in the annotations.", "origin.source")  # fmt: skip
    said = f"{hosts:,} hosts; the largest has {share:.0%} of the pictures that name one."
    if share > LARGEST_SOURCE:
        return wanting(said, "Find further sources, or state why one is enough.", "origin.largest")
    return shown(said, "origin.largest", "origin.hosts")


def _licence_coverage(a: Audited) -> Evidence:
    unknown = a.count("licence.unknown")
    if unknown:
        return wanting(f"The licence of {unknown:,} pictures is unknown.",
                       "State their licences or remove them.", "licence.unknown")  # fmt: skip
    return shown("Every picture has a licence that is recognised.", "licence.unknown")


def _licence_fit(a: Audited) -> Evidence:
    figures = ("licence.conflict", "licence.unknown")
    if a.use is None:
        return wanting("No use was declared, so licences were compared with none.",
                       "Audit with the declared use (commercial or research).", *figures)
    conflicts, unknown = (a.count(figure) for figure in figures)
    if conflicts or unknown:
        return wanting(
            f"For {a.use} use {conflicts:,} licences forbid it and {unknown:,} are unknown.",
            "Remove these pictures or obtain licences.", *figures,
        )  # fmt: skip
    return shown(f"Every licence allows {a.use} use.", *figures)


def _consent(a: Audited) -> Evidence:
    figures = ("consent.denied", "consent.contested")
    denied, contested = (a.count(figure) for figure in figures)
    if denied or contested:
        return wanting(
            f"Consent denies {denied:,} pictures and is contested for {contested:,}.",
            "Remove them, or obtain consent and its evidence.", *figures,
        )  # fmt: skip
    return shown("Every picture rests on consent or a licence.", *figures)


def _consent_known(a: Audited) -> Evidence:
    unknown = a.count("consent.unknown")
    if unknown:
        return wanting(f"The consent of {unknown:,} pictures is unknown.",
                       "State consent_state for them.", "consent.unknown")  # fmt: skip
    return shown("The state of consent of every picture is known.", "consent.unknown")


def _consent_evidence(a: Audited) -> Evidence:
    bare = a.findings.get("consent_without_evidence", 0)
    if bare or not a.count("consent.evidence"):
        return wanting(f"Consent is stated without evidence for {bare:,} pictures.",
                       "Give consent_evidence for each.", "consent.evidence")  # fmt: skip
    return shown("Every stated consent points to its evidence.", "consent.evidence")


def _withdrawn_samples(a: Audited) -> Evidence:
    withdrawn = a.count("consent.withdrawn")
    if withdrawn:
        return wanting(f"{withdrawn:,} pictures whose consent was withdrawn are still there.",
                       "Remove them and audit again.", "consent.withdrawn")  # fmt: skip
    return shown("No picture is there whose consent was withdrawn.", "consent.withdrawn")


def _opt_outs(a: Audited) -> Evidence:
    reserved = a.count("rights.reserved")
    if reserved:
        return wanting(f"Rights are reserved for {reserved:,} pictures.",
                       "Remove them, or obtain consent.", "rights.reserved")  # fmt: skip
    if not a.count("rights.asked"):
        return wanting(
            "Nobody's reservation of rights was asked for.",
            "Audit with --opt-outs (lists) or --responses (recorded responses of the sources).",
            "rights.asked",
        )
    said = f"Reservations were looked up for {a.count('rights.asked'):,} pictures; none holds."
    return shown(said, "rights.asked", "rights.reserved")


def _privacy(a: Audited) -> Evidence:
    figures = ("privacy.gps", "privacy.owner", "privacy.serial")
    gps, owner, serial = (a.count(figure) for figure in figures)
    if gps or owner or serial:
        return wanting(
            f"EXIF gives a position in {gps:,} pictures, a name in {owner:,} and a camera in "
            f"{serial:,}.",
            "Strip these entries and audit again.", *figures,
        )  # fmt: skip
    return shown("No picture carries position, owner or camera.", *figures)


def _caption_privacy(a: Audited) -> Evidence:
    found = a.count("privacy.caption")
    if found:
        return wanting(f"{found:,} captions hold what may name or reach a person.",
                       "Take it out of these captions and audit again.", "privacy.caption")
    written = a.count("privacy.text")
    if written:
        return wanting(f"{written:,} pictures show writing that may name or reach a person.",
                       "Cover it or remove them, and audit again.", "privacy.text")
    read = a.count("privacy.read")
    also = f" Nor does what is written in the {read:,} pictures that were read." if read else ""
    return shown(f"No caption holds an address, a number or a card of a person.{also}",
                 "privacy.caption", "privacy.text")  # fmt: skip


def _row_privacy(_: Audited) -> Evidence:
    return shown(
        "Subjects stand in the rows as keyed commitments, and the ledger holds roots, sums and "
        "keyed sketches without any attribute of people.",
        "subjects",
    )


def _small_cells(a: Audited) -> Evidence:
    if not a.balance.attributes:
        return nothing_to_show("No table of groups is published.")
    hidden = sum(one.hidden for one in (*a.balance.attributes, *a.balance.intersections))
    return shown(f"Counts below {a.balance.suppressed_below} are not published, with those that "
                 f"would give them away: {hidden:,} cells.", *_of_balance(a))  # fmt: skip


def _inferred_attributes(a: Audited) -> Evidence:
    withheld = a.findings.get("inferred_attribute_withheld", 0)
    return shown(
        f"Sensitive attributes that a model inferred are not kept; {withheld:,} were withheld.",
        "annotated",
    )


def _quality(a: Audited) -> Evidence:
    figures = ("broken", "duplicates.exact", "duplicates.near", "leaks")
    broken, exact, near, leaks = (a.count(figure) for figure in figures)
    if broken or exact or near or leaks:
        return wanting(
            f"Broken files: {broken:,}; copies: {exact + near:,}; pictures in several splits: "
            f"{leaks:,}.",
            "Repair or remove them.", *figures,
        )  # fmt: skip
    return shown("No broken file, copy or leak between splits.", *figures)


def _duplicates(a: Audited) -> Evidence:
    figures = ("duplicates.exact", "duplicates.near")
    exact, near = (a.count(figure) for figure in figures)
    said = f"Checked by SHA-256 and PDQ: {exact:,} exact and {near:,} near copies."
    if exact or near:
        return wanting(said, "Keep one picture of each group.", *figures)
    return shown(said, *figures)


def _poison(a: Audited) -> Evidence:
    signs = a.count("poison")
    if signs:
        return wanting(f"{signs:,} signs of poisoning were found.",
                       "Look at each of them and audit again.", "poison")  # fmt: skip
    return shown("No sign of poisoning was found by the checks that ran.", "poison")


def _synthetic_share(a: Audited) -> Evidence:
    said = (
        f"{a.count('synthetic'):,} of {a.count('pictures'):,} pictures say of themselves that "
        "AI made them."
    )
    return shown(said, "synthetic")


def _balance(a: Audited) -> Evidence:
    if not a.balance.attributes:
        return wanting("No attribute was declared, so balance was not measured.",
                       "Declare attributes in columns attr.<name>.")  # fmt: skip
    tables = len(a.balance.attributes) + len(a.balance.intersections)
    said = f"Balance was measured in {tables} tables, intersections among them."
    return shown(said, *_of_balance(a))


def _gaps(a: Audited) -> Evidence:
    measured = _balance(a)
    if not a.balance.attributes:
        return measured
    absent = sum(c.count == 0 for b in a.balance.attributes for c in b.cells)
    empty = sum(b.empty for b in a.balance.intersections)
    said = f"Listed: {absent} absent groups and {empty} empty intersections."
    return shown(said, *measured.rests_on)


def _metric_error(a: Audited) -> Evidence:
    if not a.balance.attributes:
        return _balance(a)
    return shown("Shares carry 95 % Wilson intervals.", *_of_balance(a))


def _representativeness(a: Audited) -> Evidence:
    compared = [b for b in a.balance.attributes if b.reference]
    if not compared:
        return wanting(
            a.balance.statement, "Give a reference population that has the declared attributes."
        )
    names = ", ".join(b.attributes[0] for b in compared)
    return shown(f"{names}: shares are compared with {a.balance.reference}, with intervals.")


def _credentials(a: Audited) -> Evidence:
    signed, broken = a.count("c2pa"), a.count("c2pa.broken")
    if not signed:
        return nothing_to_show("No picture carries a C2PA credential.", "c2pa")
    if broken:
        return wanting(f"Of {signed:,} C2PA credentials {broken:,} are not intact.",
                       "Run wardmark verify on these pictures.", "c2pa.broken")  # fmt: skip
    return shown(f"{signed:,} C2PA credentials are all intact; whom to trust is not judged here.",
                 "c2pa", "c2pa.broken")  # fmt: skip


def _recorded(a: Audited) -> Evidence:
    if a.recorded:
        return shown("Every shard and the version stand in the ledger under a signed checkpoint.")
    return wanting("This audit is in no ledger.", "Audit with a ledger (wardmark init).")


def _integrity(a: Audited) -> Evidence:
    if a.changed:
        named = ", ".join(a.changed[:3])
        return wanting(f"{len(a.changed):,} files of the audit were changed since: {named}.",
                       "Find out by whom, and audit again.", "pictures")  # fmt: skip
    return shown("Every file of the audit is what it was when it was written.", "pictures")


def _tooling(_: Audited) -> Evidence:
    return shown("The report names every check, its version and the query behind each figure.",
                 "findings")  # fmt: skip


def _documentation(_: Audited) -> Evidence:
    return shown("A report, a data card and Croissant metadata describe the data set.", "pictures")


def _training_summary(a: Audited) -> Evidence:
    if not a.count("origin.source"):
        return wanting("The summary of training content has no source to list.",
                       "State source_url in the annotations.", "origin.source")  # fmt: skip
    return shown("A summary of training content was written from the rows.", "origin.source")


def _severity(a: Audited) -> Evidence:
    if a.critical:
        return wanting(f"{a.critical:,} critical findings are open.",
                       "Do what the report says of each, the critical ones first.", "findings")
    return shown("Findings are ranked by how bad they are; none is critical.", "findings")


def _of_balance(a: Audited) -> tuple[str, ...]:
    return tuple(figure for figure in a.figures if figure.startswith("balance."))


ROWS: Final[Mapping[str, Callable[[Audited], Evidence]]] = {
    "balance": _balance,
    "caption-privacy": _caption_privacy,
    "concentration": _concentration,
    "consent": _consent,
    "consent-evidence": _consent_evidence,
    "consent-known": _consent_known,
    "credentials": _credentials,
    "declared-use": _declared_use,
    "documentation": _documentation,
    "duplicates": _duplicates,
    "gaps": _gaps,
    "inferred-attributes": _inferred_attributes,
    "integrity": _integrity,
    "inventory": _inventory,
    "licence-coverage": _licence_coverage,
    "licence-fit": _licence_fit,
    "metric-error": _metric_error,
    "opt-outs": _opt_outs,
    "poison": _poison,
    "privacy": _privacy,
    "quality": _quality,
    "recorded": _recorded,
    "representativeness": _representativeness,
    "row-privacy": _row_privacy,
    "schema": _schema,
    "severity": _severity,
    "small-cells": _small_cells,
    "sources": _sources,
    "subject-categories": _subject_categories,
    "synthetic-share": _synthetic_share,
    "tooling": _tooling,
    "training-summary": _training_summary,
    "withdrawn-samples": _withdrawn_samples,
}
"""The evidence that is asked of an audit."""
