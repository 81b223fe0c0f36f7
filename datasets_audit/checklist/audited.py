"""What the queries over rows are asked of: the figures and findings of one audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from datasets_audit.licence import DeclaredUse
from datasets_audit.report import AuditReport, BalanceSummary, FindingGroup


@dataclass(frozen=True, slots=True)
class Audited:
    """One audit. ``findings``: how many of each code; ``critical``: findings of that severity.

    ``recorded``: the audit goes into a ledger, or stands there. ``changed``: files of the report
    that are no longer what they were when it was written.
    """

    name: str
    as_of: date
    figures: Mapping[str, float | int | None]
    findings: Mapping[str, int]
    critical: int
    balance: BalanceSummary
    use: DeclaredUse | None
    recorded: bool
    changed: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: AuditReport, changed: tuple[str, ...] = ()) -> "Audited":
        """What a report says."""
        return cls(
            name=report.name,
            as_of=report.as_of,
            figures={figure.id: figure.value for figure in report.figures},
            findings=counted(report.findings),
            critical=critical(report.findings),
            balance=report.balance,
            use=report.use,
            recorded=report.ledger is not None,
            changed=changed,
        )

    def count(self, figure: str) -> int:
        """A figure that counts something; 0 where there was nothing to count."""
        return int(self.figures.get(figure) or 0)


def counted(groups: tuple[FindingGroup, ...]) -> dict[str, int]:
    """How many findings there are of each code."""
    return {group.code: group.count for group in groups}


def critical(groups: tuple[FindingGroup, ...]) -> int:
    """How many findings are critical."""
    return sum(group.count for group in groups if group.severity == "critical")
