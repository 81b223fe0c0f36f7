"""Which items of the checklists an audit gives evidence for, and what is still a gap.

A control names its evidence; each evidence is a function of what was measured. It can be shown,
or wanting (there is none, or it speaks against the data set), or have nothing to apply to. Nothing
here ever says "compliant": evidence is evidence, and conformity is for people to judge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from datasets_audit.licence import DeclaredUse
from datasets_audit.report import BalanceSummary, ControlStatus, Figure
from policies.frameworks import Control, Framework


class Weight(StrEnum):
    """What one piece of evidence says."""

    SHOWN = "shown"
    WANTING = "wanting"
    NOT_APPLICABLE = "not-applicable"


class Evidence(NamedTuple):
    """What was found, the figures it rests on, and what to do if it is wanting."""

    weight: Weight
    because: str
    next_step: str | None = None
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that evidence is drawn from."""

    figures: Mapping[str, float | int | None]
    balance: BalanceSummary
    use: DeclaredUse | None
    recorded: bool

    @classmethod
    def of(
        cls,
        figures: Sequence[Figure],
        balance: BalanceSummary,
        use: DeclaredUse | None,
        recorded: bool,
    ) -> "Measured":
        """From the parts of a report; ``recorded``: the audit goes into a ledger."""
        return cls({figure.id: figure.value for figure in figures}, balance, use, recorded)

    def count(self, figure: str) -> int:
        """A figure that counts something; 0 where there was nothing to count."""
        return int(self.figures[figure] or 0)


def assess(frameworks: Sequence[Framework], measured: Measured) -> list[ControlStatus]:
    """The status of every control of ``frameworks``, in their order."""
    return [
        _status(framework, control, measured)
        for framework in frameworks
        for control in framework.controls
    ]


def not_audited(frameworks: Sequence[Framework]) -> list[ControlStatus]:
    """How the controls of ``frameworks`` stand where no audit speaks of them: each is a gap."""
    return [
        ControlStatus(
            framework=framework.name,
            edition=framework.edition,
            id=control.id,
            title=control.title,
            status="gap",
            because="No audit was given.",
            next_step="Run wardmark audit and name its folder with --audit.",
            evidence=(),
        )
        for framework in frameworks
        for control in framework.controls
    ]


def _status(framework: Framework, control: Control, measured: Measured) -> ControlStatus:
    found = [EVIDENCE[name](measured) for name in control.evidence]
    wanting = [one for one in found if one.weight is Weight.WANTING]
    shown = [one for one in found if one.weight is Weight.SHOWN]
    reasons = [one.because for one in (wanting or shown or found)]
    steps = [one.next_step for one in wanting if one.next_step]
    if control.attest is not None:
        # No attestation can be given in an audit, so one that is asked for is always open.
        reasons.append(f"Nobody has attested: {control.attest}.")
        steps.append(f"Have it attested: {control.attest}.")
    if found and not wanting and not shown:
        status = "not-applicable"
    elif wanting or control.attest is not None:
        status = "gap"
    else:
        status = "evidenced"
    return ControlStatus.model_validate(
        {
            "framework": framework.name,
            "edition": framework.edition,
            "id": control.id,
            "title": control.title,
            "status": status,
            "because": " ".join(dict.fromkeys(reasons)),
            "next_step": " ".join(dict.fromkeys(steps)) if status == "gap" else None,
            "evidence": tuple(dict.fromkeys(id_ for one in found for id_ in one.figures)),
        }
    )


def _inventory(m: Measured) -> Evidence:
    because = f"{m.count('pictures'):,} pictures, {m.count('bytes'):,} bytes, listed by SHA-256."
    return Evidence(Weight.SHOWN, because, None, ("pictures", "bytes"))


def _sources(m: Measured) -> Evidence:
    return _coverage(
        m, "origin.source", "a source", "State source_url in the annotations for the others."
    )


def _licence_coverage(m: Measured) -> Evidence:
    unknown = m.count("licence.unknown")
    figures = ("licence.known", "licence.unknown")
    if unknown:
        return Evidence(
            Weight.WANTING, f"The licence of {unknown:,} pictures is unknown.",
            "State their licences or remove them.", figures,
        )  # fmt: skip
    return Evidence(Weight.SHOWN, "Every picture has a licence that is recognised.", None, figures)


def _licence_fit(m: Measured) -> Evidence:
    figures = ("licence.conflict", "licence.unknown")
    if m.use is None:
        return Evidence(
            Weight.WANTING, "No use was declared, so licences were compared with none.",
            "Audit with the declared use (commercial or research).", figures,
        )  # fmt: skip
    conflicts, unknown = m.count("licence.conflict"), m.count("licence.unknown")
    if conflicts or unknown:
        return Evidence(
            Weight.WANTING,
            f"For {m.use} use {conflicts:,} licences forbid it and {unknown:,} are unknown.",
            "Remove these pictures or obtain licences.", figures,
        )  # fmt: skip
    return Evidence(Weight.SHOWN, f"Every licence allows {m.use} use.", None, figures)


def _consent(m: Measured) -> Evidence:
    figures = ("consent.permitted", "consent.contested", "consent.denied")
    denied, contested = m.count("consent.denied"), m.count("consent.contested")
    if denied or contested:
        return Evidence(
            Weight.WANTING,
            f"Consent denies {denied:,} pictures and is contested for {contested:,}.",
            "Remove them, or obtain consent and its evidence.", figures,
        )  # fmt: skip
    return Evidence(Weight.SHOWN, "Every picture rests on consent or a licence.", None, figures)


def _consent_known(m: Measured) -> Evidence:
    unknown = m.count("consent.unknown")
    if unknown:
        return Evidence(
            Weight.WANTING, f"The consent of {unknown:,} pictures is unknown.",
            "State consent_state for them.", ("consent.unknown",),
        )  # fmt: skip
    because = "The state of consent of every picture is known."
    return Evidence(Weight.SHOWN, because, None, ("consent.unknown",))


def _privacy(m: Measured) -> Evidence:
    figures = ("privacy.gps", "privacy.owner", "privacy.serial")
    counts = [m.count(figure) for figure in figures]
    if any(counts):
        gps, owner, serial = counts
        return Evidence(
            Weight.WANTING,
            f"EXIF gives a position in {gps:,} pictures, a name in {owner:,} and a camera in "
            f"{serial:,}.",
            "Strip these entries and audit again.", figures,
        )  # fmt: skip
    return Evidence(Weight.SHOWN, "No picture carries position, owner or camera.", None, figures)


def _row_privacy(_: Measured) -> Evidence:
    because = (
        "Subjects stand in the rows as keyed commitments, and the ledger holds roots, sums and "
        "keyed sketches without any attribute of people."
    )
    return Evidence(Weight.SHOWN, because, None, ("subjects",))


def _quality(m: Measured) -> Evidence:
    figures = ("broken", "duplicates.exact", "duplicates.near", "leaks")
    broken, exact, near, leaks = (m.count(figure) for figure in figures)
    if broken or exact or near or leaks:
        return Evidence(
            Weight.WANTING,
            f"Broken files: {broken:,}; copies: {exact + near:,}; pictures in several splits: "
            f"{leaks:,}.",
            "Repair or remove them.", figures,
        )  # fmt: skip
    return Evidence(Weight.SHOWN, "No broken file, copy or leak between splits.", None, figures)


def _duplicates(m: Measured) -> Evidence:
    figures = ("duplicates.exact", "duplicates.near")
    exact, near = (m.count(figure) for figure in figures)
    because = f"Checked by SHA-256 and PDQ: {exact:,} exact and {near:,} near copies."
    if exact or near:
        return Evidence(Weight.WANTING, because, "Keep one picture of each group.", figures)
    return Evidence(Weight.SHOWN, because, None, figures)


def _balance(m: Measured) -> Evidence:
    if not m.balance.attributes:
        return Evidence(
            Weight.WANTING, "No attribute was declared, so balance was not measured.",
            "Declare attributes in columns attr.<name>.",
        )  # fmt: skip
    tables = len(m.balance.attributes) + len(m.balance.intersections)
    because = f"Balance was measured in {tables} tables, intersections among them."
    figures = tuple(figure for figure in m.figures if figure.startswith("balance."))
    return Evidence(Weight.SHOWN, because, None, figures)


def _gaps(m: Measured) -> Evidence:
    measured = _balance(m)
    if measured.weight is Weight.WANTING:
        return measured
    absent = sum(c.count == 0 for b in m.balance.attributes for c in b.cells)
    empty = sum(b.empty for b in m.balance.intersections)
    because = f"Listed: {absent} absent groups and {empty} empty intersections."
    return Evidence(Weight.SHOWN, because, None, measured.figures)


def _representativeness(m: Measured) -> Evidence:
    compared = [b for b in m.balance.attributes if b.reference]
    if not compared:
        return Evidence(
            Weight.WANTING, m.balance.statement,
            "Give a reference population that has the declared attributes.",
        )  # fmt: skip
    names = ", ".join(b.attributes[0] for b in compared)
    because = f"{names}: shares are compared with {m.balance.reference}, with intervals."
    return Evidence(Weight.SHOWN, because)


def _credentials(m: Measured) -> Evidence:
    signed = m.count("c2pa")
    if not signed:
        return Evidence(
            Weight.NOT_APPLICABLE, "No picture carries a C2PA credential.", None, ("c2pa",)
        )
    return Evidence(
        Weight.WANTING, f"{signed:,} pictures carry a credential, none was judged in this audit.",
        "Run wardmark verify on them.", ("c2pa",),
    )  # fmt: skip


def _ledger(m: Measured) -> Evidence:
    if m.recorded:
        because = "Every shard and the version stand in the ledger under a signed checkpoint."
        return Evidence(Weight.SHOWN, because)
    return Evidence(
        Weight.WANTING, "This audit is in no ledger.", "Audit with a ledger (wardmark init)."
    )


def _tooling(_: Measured) -> Evidence:
    because = "The report names every check, its version and the query behind each figure."
    return Evidence(Weight.SHOWN, because)


def _earlier_version(_: Measured) -> Evidence:
    return Evidence(
        Weight.WANTING, "This audit stands alone; no earlier version was compared.",
        "Keep this report, and compare the next version with it.",
    )  # fmt: skip


def _coverage(m: Measured, figure: str, what: str, next_step: str) -> Evidence:
    having, pictures = m.count(figure), m.count("pictures")
    because = f"{having:,} of {pictures:,} pictures name {what}."
    if having < pictures:
        return Evidence(Weight.WANTING, because, next_step, (figure,))
    return Evidence(Weight.SHOWN, because, None, (figure,))


EVIDENCE: Final[Mapping[str, Callable[[Measured], Evidence]]] = {
    "balance": _balance,
    "consent": _consent,
    "consent-known": _consent_known,
    "credentials": _credentials,
    "duplicates": _duplicates,
    "earlier-version": _earlier_version,
    "gaps": _gaps,
    "inventory": _inventory,
    "ledger": _ledger,
    "licence-coverage": _licence_coverage,
    "licence-fit": _licence_fit,
    "privacy": _privacy,
    "quality": _quality,
    "representativeness": _representativeness,
    "row-privacy": _row_privacy,
    "sources": _sources,
    "tooling": _tooling,
}
"""The evidence that controls may name."""
