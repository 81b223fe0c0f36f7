"""``wardmark verify``: where does this file come from, and how sure is that?"""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, home_if_any
from guard.cli.output import print_error, print_json, progress_bar, results
from guard.errors import InvalidRequest
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.keys import load_trust
from provenance.verify import Report, Sources, Verdict, verify

NOT_EVERY_FILE = 1

COLOURS = {
    Verdict.ESTABLISHED: "green",
    Verdict.RECOVERED: "green",
    Verdict.UNCONFIRMED: "yellow",
    Verdict.CONTRADICTED: "red",
    Verdict.NONE: "dim",
}


class Law(StrEnum):
    """Whose marking duties to list: EU AI Act, California SB 942, China GB 45438, or all."""

    eu = "eu"
    ca = "ca"
    cn = "cn"
    all = "all"


def verify_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures.")],
    at: Annotated[
        str | None, typer.Option(help="Judge certificates as of this time (ISO 8601).")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Further trust anchors, a PEM file such as C2PA's list.")
    ] = None,
    no_ledger: Annotated[bool, typer.Option("--no-ledger", help="Use the file alone.")] = False,
    legal: Annotated[
        Law | None, typer.Option(help="Marking duties that one file can show, line by line.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say where pictures come from, with the evidence of each layer.

    Exit code 0 where every file is established or recovered, else 1; 4 where one cannot be read.
    """
    existing = home_if_any(context, home)
    sources = existing.sources() if existing else Sources()
    if trust is not None:
        sources = replace(sources, trust=sources.trust | load_trust(trust))
    when = _time(at)
    worst = 0
    with progress_bar() as progress:
        for number, file in enumerate(files, start=1):
            try:
                report = verify(file, sources=sources, at=when, use_ledger=not no_ledger)
            except (PictureInvalid, PictureTooLarge) as error:
                print_error(f"{file}: {error}")
                if as_json:
                    problem = {"code": error.code, "message": str(error)}
                    print_json({"file": str(file), "error": problem}, lines=len(files) > 1)
                worst = error.exit_code
                continue
            if legal is not None:
                report = _only(report, legal)
            if len(files) > 1:
                progress("verifying", number, len(files))
            if as_json:
                print_json(report.model_dump(mode="json"), lines=len(files) > 1)
            else:
                _print_for_people(report, duties=legal is not None)
            if not report.verdict.answers:
                worst = max(worst, NOT_EVERY_FILE)
    return worst


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"--at {text!r} is not ISO 8601, such as 2026-11-20T12:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _only(report: Report, law: Law) -> Report:
    if law is Law.all:
        return report
    lines = tuple(line for line in report.legal if line.line.startswith(f"{law.value.upper()}-"))
    return report.model_copy(update={"legal": lines})


def _print_for_people(report: Report, *, duties: bool) -> None:
    colour = COLOURS[report.verdict]
    results.print(f"[bold {colour}]{report.verdict.value}[/]  {report.file}")
    results.print(f"  {report.summary}", markup=False)
    for line in report.agreement:
        sign = "agree" if line.holds else "DISAGREE"
        results.print(f"  {' and '.join(line.between)} {sign}: {line.detail}", markup=False)
    for duty in report.legal if duties else ():
        results.print(f"  {duty.line} {duty.status}: {duty.because}", markup=False)
