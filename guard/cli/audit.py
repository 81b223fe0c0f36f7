"""``wardmark audit``: what a data set holds, as a report that can be proved."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from datasets_audit import AuditReport, audit
from datasets_audit.errors import OptOutsInvalid
from datasets_audit.features import LabelJudge
from datasets_audit.licence import DeclaredUse
from datasets_audit.page.pdf import print_pdf
from datasets_audit.register import memory_of, remember
from datasets_audit.rights import load_rights
from datasets_audit.signals import Manners, record_signals, stated_addresses
from guard.cli.closer_look import CloserLook
from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, progress_bar, results, say


class Engine(StrEnum):
    """Where the pass over the pictures runs."""

    local = "local"
    ray = "ray"


def audit_data_set(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="Folder, Parquet, tar, list, COCO, Croissant, URL."),
    ],
    name: Annotated[str, typer.Option(help="What the data set is called.")],
    annotations: Annotated[
        Path | None, typer.Option(help="CSV, JSON lines or Parquet; docs/audit.md has the columns.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="A reference population to compare with (YAML or JSON).")
    ] = None,
    opt_outs: Annotated[
        list[Path] | None, typer.Option(help="Who opted out: CSV of kind and value; repeatable.")
    ] = None,
    responses: Annotated[
        Path | None, typer.Option(help="Recorded responses of the sources, as JSON lines.")
    ] = None,
    fetch_signals: Annotated[
        bool,
        typer.Option(
            "--fetch-signals",
            help="Ask the sites of source_url what they reserve, and record it in --responses.",
        ),
    ] = False,
    contact: Annotated[
        str, typer.Option(metavar="ADDRESS", help="How owners of those sites reach you.")
    ] = "",
    use: Annotated[DeclaredUse | None, typer.Option(help="What licences are judged by.")] = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Measure every picture anew, changed or not.")
    ] = False,
    features: Annotated[
        Path | None, typer.Option(help="Feature vectors: Parquet of key, feature, caption_feature.")
    ] = None,
    label_judge: Annotated[
        LabelJudge, typer.Option("--labels-by", help="Who finds wrong labels, with --features.")
    ] = LabelJudge.CONFIDENCE,
    read_text: Annotated[
        bool,
        typer.Option("--read-text", help="Look for personal data in what is written in pictures."),
    ] = False,
    count_faces: Annotated[
        bool, typer.Option("--count-faces", help="Count what may be faces; needs scikit-image.")
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print report.pdf as well; needs Chromium.")
    ] = False,
    engine: Engine = Engine.local,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report; NAME-audit else.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Audit consent, licences, copies and balance of a data set, and record it in the ledger."""
    opened = open_home(context, home)
    folder = out or Path(f"{name}-audit")
    with progress_bar() as progress:
        if fetch_signals:
            if responses is None:
                raise OptOutsInvalid("Name the file for what sites answer: --responses FILE.")
            asked = record_signals(
                stated_addresses(source, annotations),
                responses,
                Manners(contact),
                partial(progress, "asking sites"),
            )
            say(asked.said)
        report = audit(
            source,
            name=name,
            annotations=annotations,
            reference=reference,
            ledger=opened.ledger,
            out=folder,
            engine=engine.value,
            progress=progress,
            use=use,
            secret=opened.commitment_key,
            rights=load_rights(opt_outs or (), responses),
            key=opened.ledger_key if opened.holds_ledger_key else None,
            features=features,
            label_judge=label_judge,
            memory=None if afresh else memory_of(opened.path, name),
            look=CloserLook.of(read_text=read_text, count_faces=count_faces),
        )
    remember(opened.path, report, folder)
    if pdf:
        print_pdf(folder / "report.html", folder / "report.pdf")
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print_for_people(report, folder)


def _print_for_people(report: AuditReport, folder: Path) -> None:
    results.print(f"[bold]{report.name}[/]  {report.source.pictures} pictures")
    results.print(report.summary, markup=False)
    for group in report.findings:
        results.print(f"  {group.severity.value:>8}  {group.count:>6}  {group.title}", markup=False)
    results.print(f"{folder / 'report.html'}")
