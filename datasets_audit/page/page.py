"""Puts a report into its page."""

from importlib.resources import files

from markupsafe import Markup

from datasets_audit.consent import ConsentState
from datasets_audit.findings import Severity
from datasets_audit.licence import LicenceUse
from datasets_audit.page.charts import Slice, heat_map, percent, ring, share_bars, stacked
from datasets_audit.page.thumbnails import thumbnails
from datasets_audit.report import AuditReport, ControlStatus
from datasets_audit.sources import Source
from policies.frameworks import load_framework

CONSENT_ORDER = (
    ConsentState.LICENSED,
    ConsentState.DECLARED,
    ConsentState.CLAIMED,
    ConsentState.UNKNOWN,
    ConsentState.EXPIRED,
    ConsentState.WITHDRAWN,
)


def render(report: AuditReport, source: Source) -> str:
    """The page. ``source`` is asked again for the few pictures that are shown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("datasets_audit.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["share_bars"] = share_bars
    environment.filters["heat_map"] = heat_map
    style = (files("datasets_audit.page") / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        report=report,
        figures={figure.id: figure.value for figure in report.figures},
        style=Markup(style),  # noqa: S704 - our own file
        usable_ring=ring(float(report.figure("usable") or 0), "share of usable pictures"),
        consent_bar=_consent_bar(report),
        licence_bar=_licence_bar(report),
        severities=[
            (severity, sum(g.count for g in report.findings if g.severity is severity))
            for severity in Severity
        ],
        checklists=_checklists(report),
        thumbnails=thumbnails(report.findings, source),
    )


def _consent_bar(report: AuditReport) -> Markup:
    counts = {count.state: count for count in report.consent}
    return stacked(
        [Slice(state, counts[state].count, f"consent-{state}") for state in CONSENT_ORDER]
    )


def _licence_bar(report: AuditReport) -> Markup:
    return stacked(
        [
            Slice(use, sum(c.count for c in report.licences if c.use is use), f"licence-{use}")
            for use in LicenceUse
        ]
    )


def _checklists(report: AuditReport) -> list[tuple[str, str, list[ControlStatus]]]:
    """Title, edition and items of each framework."""
    names = dict.fromkeys(status.framework for status in report.checklist)
    return [
        (
            load_framework(name).title,
            load_framework(name).edition,
            [status for status in report.checklist if status.framework == name],
        )
        for name in names
    ]
