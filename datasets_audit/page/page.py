"""Puts a report into its page."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from datasets_audit.consent import ConsentState
from datasets_audit.findings import Severity
from datasets_audit.licence import LicenceUse
from datasets_audit.page.charts import Slice, heat_map, percent, ring, share_bars, stacked
from datasets_audit.report import AuditReport, ControlStatus
from policies.frameworks import load_framework

if TYPE_CHECKING:
    from jinja2 import Environment

CONSENT_ORDER = (
    ConsentState.LICENSED,
    ConsentState.DECLARED,
    ConsentState.CLAIMED,
    ConsentState.UNKNOWN,
    ConsentState.EXPIRED,
    ConsentState.WITHDRAWN,
)


def render(
    report: AuditReport, shown: Mapping[str, str] | None = None, drawn: Markup | None = None
) -> str:
    """The page. ``shown``: data URLs of pictures by key; ``drawn``: the map of the data set."""
    environment = _environment()
    environment.filters["percent"] = percent
    environment.filters["share_bars"] = share_bars
    environment.filters["heat_map"] = heat_map
    return environment.get_template("report.html").render(
        report=report,
        figures={figure.id: figure.value for figure in report.figures},
        style=_style(),
        usable_ring=ring(float(report.figure("usable") or 0), "share of usable pictures"),
        consent_bar=_consent_bar(report),
        licence_bar=_licence_bar(report),
        severities=[
            (severity, sum(g.count for g in report.findings if g.severity is severity))
            for severity in Severity
        ],
        checklists=_checklists(report.checklist),
        drawn=drawn,
        thumbnails=shown or {},
    )


def render_checklist(title: str, statuses: Sequence[ControlStatus]) -> str:
    """A page of checklists alone, which stands by itself as the report does."""
    page = _environment().get_template("checklist.html")
    return page.render(title=title, style=_style(), checklists=_checklists(statuses))


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("datasets_audit.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _style() -> Markup:
    style = (files("datasets_audit.page") / "report.css").read_text(encoding="utf-8")
    return Markup(style)  # noqa: S704 - our own file


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


def _checklists(
    statuses: Sequence[ControlStatus],
) -> list[tuple[str, str, list[ControlStatus]]]:
    """Title, edition and items of each framework."""
    names = dict.fromkeys(status.framework for status in statuses)
    return [
        (
            load_framework(name).title,
            load_framework(name).edition,
            [status for status in statuses if status.framework == name],
        )
        for name in names
    ]
