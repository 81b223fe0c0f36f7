"""How the items of the checklists stand, given audits, a ledger and what people attested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from datasets_audit.checklist.attestation import Attested, attestations
from datasets_audit.checklist.audited import Audited
from datasets_audit.checklist.evidence import Evidence, Weight, wanting
from datasets_audit.checklist.records import EVENTS, Records
from datasets_audit.checklist.rows import ROWS
from datasets_audit.figures import load_report
from datasets_audit.proof import changed_files
from datasets_audit.register import known_audits
from datasets_audit.report import ControlStatus, Status
from policies.frameworks import Control, Framework
from provenance.home import Home

MAX_AGE: Final = timedelta(days=90)  # of evidence; older is stale
EVIDENCE: Final = frozenset({*ROWS, *EVENTS})
"""The evidence that controls may name."""

_NO_AUDIT: Final = wanting("No audit was given.", "Run wardmark audit, or name a folder: --audit.")
_NO_LEDGER: Final = wanting("The ledger was not asked.", "Run wardmark checklist with a home.")


@dataclass(frozen=True)
class Facts:
    """What evidence is drawn from. ``lost``: data sets on record whose audit was not found.

    ``attested``: by ``framework/id``. ``today``: the day (UTC) on which age and expiry are judged.
    """

    audits: Sequence[Audited]
    records: Records | None
    today: date
    attested: Mapping[str, Attested] = field(default_factory=dict)
    lost: Sequence[str] = ()
    max_age: timedelta = MAX_AGE


def of_audit(audited: Audited) -> Facts:
    """One audit by itself, on its day."""
    return Facts(audits=(audited,), records=None, today=audited.as_of)


def standing(
    home: Home | None,
    folders: Sequence[Path] = (),
    *,
    today: date | None = None,
    max_age: timedelta = MAX_AGE,
) -> Facts:
    """The facts of a home: its ledger, what was attested, and the last audit of each data set.

    ``folders``: audits to take instead of those that the home remembers. Without a home, they are
    all there is. Raises SourceInvalid, LedgerUnavailable.
    """
    records = Records(home.ledger, home.settings.data_sets) if home else None
    lost: Sequence[str] = ()
    if home and records and not folders:
        folders, lost = known_audits(home.path, records.versions)
    return Facts(
        audits=[Audited.of(report := load_report(f), changed_files(report, f)) for f in folders],
        records=records,
        today=today or datetime.now(UTC).date(),
        attested=attestations(home.ledger) if home else {},
        lost=lost,
        max_age=max_age,
    )


def assess(frameworks: Sequence[Framework], facts: Facts) -> list[ControlStatus]:
    """The status of every control of ``frameworks``, in their order."""
    found: dict[str, list[Evidence]] = {}
    return [
        _status(framework, control, facts, found)
        for framework in frameworks
        for control in framework.controls
    ]


def answered_by_audits(frameworks: Sequence[Framework]) -> tuple[Framework, ...]:
    """The frameworks with those controls alone for which an audit gives evidence."""
    kept = [
        framework.model_copy(
            update={"controls": tuple(c for c in framework.controls if ROWS.keys() & {*c.evidence})}
        )
        for framework in frameworks
    ]
    return tuple(framework for framework in kept if framework.controls)


def _status(
    framework: Framework, control: Control, facts: Facts, asked: dict[str, list[Evidence]]
) -> ControlStatus:
    for name in control.evidence:
        if name not in asked:
            asked[name] = _ask(name, facts)
    found = [one for name in control.evidence for one in asked[name]]
    attested = facts.attested.get(f"{framework.name}/{control.id}")
    status, reasons, steps = _judge(control, found, attested, facts)
    return ControlStatus(
        framework=framework.name,
        edition=framework.edition,
        id=control.id,
        title=control.title,
        status=status,
        because=" ".join(dict.fromkeys(reasons)),
        next_step=" ".join(dict.fromkeys(steps)) or None,
        evidence=tuple(dict.fromkeys(name for one in found for name in one.rests_on)),
        attestation=attested.entry if attested else None,
    )


def _ask(name: str, facts: Facts) -> list[Evidence]:
    if name in EVENTS:
        return [EVENTS[name](facts.records) if facts.records else _NO_LEDGER]
    several = len(facts.audits) > 1
    found = []
    for audited in facts.audits:
        one = ROWS[name](audited)
        because = f"{audited.name}: {one.because}" if several else one.because
        found.append(one._replace(because=because, at=audited.as_of))
    found += [
        wanting(f"The audit of {lost} was not found where it was written.", "Name it with --audit.")
        for lost in facts.lost
    ]
    return found or [_NO_AUDIT]


def _judge(
    control: Control, found: Sequence[Evidence], attested: Attested | None, facts: Facts
) -> tuple[Status, list[str], list[str]]:
    """Status, reasons, next steps. The weakest part decides: gap, then stale, then attested."""
    if attested and attested.fault is None and not attested.attestation.applies:
        said = attested.attestation
        if facts.today <= said.expires:
            return "not-applicable", [f"Attested until {said.expires}: {said.reason}"], []
    missing = [one for one in found if one.weight is Weight.WANTING]
    there = [one for one in found if one.weight is Weight.SHOWN]
    reasons = [one.because for one in (missing or there or found)]
    steps = [one.next_step for one in missing if one.next_step]
    status: Status = "gap" if missing else "evidenced" if there or not found else "not-applicable"
    if status == "evidenced":
        old = [one for one in there if one.at and facts.today - one.at > facts.max_age]
        if old:
            status = "stale"
            days = max((facts.today - one.at).days for one in old if one.at)
            reasons.append(f"The evidence is {days} days old, more than {facts.max_age.days}.")
            steps.append("Audit again, or do again what left it.")
    if control.attest is None or status == "not-applicable":
        return status, reasons, steps
    standing_of = _attested(control.attest, attested, facts.today)
    reasons.append(standing_of[1])
    steps += standing_of[2]
    if status == "evidenced":
        status = standing_of[0]
    elif status == "stale" and standing_of[0] == "gap":
        status = "gap"
    return status, reasons, steps


def _attested(
    wanted: str, attested: Attested | None, today: date
) -> tuple[Status, str, tuple[str, ...]]:
    if attested is None or not attested.attestation.applies:
        return "gap", f"Nobody has attested: {wanted}.", (f"Have it attested: {wanted}.",)
    said = attested.attestation
    if attested.fault:
        because = f"The attestation does not hold: {attested.fault}"
        return "gap", because, ("Have it attested anew.",)
    if today > said.expires:
        again = (f"Have it attested anew: {wanted}.",)
        return "stale", f"The attestation ended on {said.expires}.", again
    because = f"Attested on {said.made} until {said.expires}: {wanted} ({said.document[:12]})."
    return "attested", because, ()
