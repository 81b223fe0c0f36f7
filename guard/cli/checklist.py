"""``wardmark checklist``: the items of a standard or law, their evidence, and how they stand.

``attest`` and ``record`` are commands below it that add evidence; any other word is a framework.
"""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from typer.core import TyperGroup

from datasets_audit import oscal, page
from datasets_audit.checklist import assess, standing
from datasets_audit.checklist.attestation import attest, record_document
from datasets_audit.checklist.standing import MAX_AGE
from datasets_audit.figures import load_report
from datasets_audit.report import ControlStatus
from guard.cli.options import HomeOption, JsonOption, home_if_any, open_home
from guard.cli.output import print_json, results
from policies.frameworks import Framework, load_framework, load_frameworks

SHOW = "show"


class Format(StrEnum):
    """How checklists are shown."""

    table = "table"
    json = "json"
    html = "html"
    oscal = "oscal"


class _ShowsByDefault(TyperGroup):
    """``wardmark checklist eu-ai-act`` is ``wardmark checklist show eu-ai-act``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not {"--help", *self.commands} & {*args[:1]}:
            args = [SHOW, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowsByDefault,
    help="Show controls, evidence and status. Any word but attest and record is a framework.",
)


@app.command(SHOW)
def show(
    context: typer.Context,
    framework: Annotated[
        str | None, typer.Argument(metavar="[FRAMEWORK]", help="One of them; all without it.")
    ] = None,
    audited: Annotated[
        list[Path] | None,
        typer.Option("--audit", metavar="DIR", help="An audit, instead of those the home knows."),
    ] = None,
    max_age: Annotated[
        int, typer.Option(metavar="DAYS", min=1, help="Older evidence is stale.")
    ] = MAX_AGE.days,
    form: Annotated[
        Format,
        typer.Option("--format", help="oscal: a catalog; with --audit, assessment results."),
    ] = Format.table,
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show controls, evidence and status, from the ledger and the audits of a home."""
    frameworks = (load_framework(framework),) if framework else load_frameworks()
    facts = standing(home_if_any(context, home), audited or (), max_age=timedelta(days=max_age))
    statuses = assess(frameworks, facts)
    match Format.json if as_json else form:
        case Format.json:
            print_json([one.model_dump(mode="json") for one in statuses])
        case Format.oscal if audited:
            document = oscal.assessment_results(load_report(audited[0]), statuses)
            typer.echo(oscal.dumps(document), nl=False)
        case Format.oscal:
            typer.echo(oscal.dumps(oscal.catalog(frameworks)), nl=False)
        case Format.html:
            names = ", ".join(one.name for one in facts.audits)
            title = f"Audit of {names}" if names else "Before an audit"
            typer.echo(page.render_checklist(title, statuses), nl=False)
        case Format.table:
            for one in frameworks:
                results.print(_table(one, [s for s in statuses if s.framework == one.name]))


@app.command("attest")
def attest_item(
    context: typer.Context,
    item: Annotated[
        str, typer.Argument(metavar="ITEM", help='Framework and id: "iso-42001/A.2.2".')
    ],
    person: Annotated[str, typer.Option(help="Who attests; sealed in the ledger.")],
    document: Annotated[Path, typer.Option(help="What it rests on; its SHA-256 is kept.")],
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Its last day.")],
    not_applicable: Annotated[
        str, typer.Option(metavar="REASON", help="The item does not apply; stays in clear.")
    ] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record, signed with the ledger's key, that a person attests an item until a day."""
    done = attest(
        open_home(context, home),
        item,
        person,
        document,
        made=_today(),
        expires=expires.date(),
        not_applicable=not_applicable,
    )
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        said = done.attestation
        line = f"attested  {said.item}  until {said.expires}  entry {done.entry}"
        results.print(line, markup=False)


@app.command("record")
def record(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="evaluation, incident or drift.")],
    document: Annotated[Path, typer.Option(help="What was written of it; its SHA-256 is kept.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that there is a document on an evaluation, an incident or a measurement of drift."""
    entry = record_document(open_home(context, home), kind, document)
    if as_json:
        print_json({"entry": entry.id, "kind": kind, **entry.body})
    else:
        results.print(f"recorded  {kind}  entry {entry.id}", markup=False)


def _today() -> date:
    return datetime.now(UTC).date()


def _table(framework: Framework, statuses: list[ControlStatus]) -> Table:
    table = Table(title=f"{framework.title}, {framework.edition}", title_justify="left")
    for heading in ("Item", "Status", "Title", "Because, and next"):
        table.add_column(heading, overflow="fold")
    for one in statuses:
        said = f"{one.because} {one.next_step}" if one.next_step else one.because
        table.add_row(one.id, one.status, one.title, said)
    return table
