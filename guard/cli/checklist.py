"""``wardmark checklist``: the items of a standard or law, their evidence, and how they stand."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from datasets_audit import load_report, oscal, page
from datasets_audit.checklist import not_audited
from datasets_audit.report import ControlStatus
from guard.cli.output import print_json, results
from policies.frameworks import Framework, load_framework, load_frameworks


class Format(StrEnum):
    """How checklists are shown."""

    table = "table"
    json = "json"
    html = "html"
    oscal = "oscal"


def checklist(
    framework: Annotated[
        str | None, typer.Argument(metavar="[FRAMEWORK]", help="One of them; all without it.")
    ] = None,
    audited: Annotated[
        Path | None, typer.Option("--audit", metavar="DIR", help="The folder of an audit.")
    ] = None,
    form: Annotated[
        Format,
        typer.Option("--format", help="oscal: a catalog; with --audit, assessment results."),
    ] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show controls, evidence and status; without an audit every control is a gap."""
    frameworks = (load_framework(framework),) if framework else load_frameworks()
    report = load_report(audited) if audited else None
    names = {one.name for one in frameworks}
    known = report.checklist if report else not_audited(frameworks)
    statuses = tuple(one for one in known if one.framework in names)
    match Format.json if as_json else form:
        case Format.json:
            print_json([one.model_dump(mode="json") for one in statuses])
        case Format.oscal if report:
            kept = report.model_copy(update={"checklist": statuses})
            typer.echo(oscal.dumps(oscal.assessment_results(kept)), nl=False)
        case Format.oscal:
            typer.echo(oscal.dumps(oscal.catalog(frameworks)), nl=False)
        case Format.html:
            title = f"Audit of {report.name}" if report else "Before an audit"
            typer.echo(page.render_checklist(title, statuses), nl=False)
        case Format.table:
            for one in frameworks:
                results.print(_table(one, [s for s in statuses if s.framework == one.name]))


def _table(framework: Framework, statuses: list[ControlStatus]) -> Table:
    table = Table(title=f"{framework.title}, {framework.edition}", title_justify="left")
    for heading in ("Item", "Status", "Title", "Because, and next"):
        table.add_column(heading, overflow="fold")
    for one in statuses:
        said = f"{one.because} {one.next_step}" if one.next_step else one.because
        table.add_row(one.id, one.status, one.title, said)
    return table
