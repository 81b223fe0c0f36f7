"""``wardmark doctor``: is this deployment fit to serve, and what is to be mended?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, PolicyOption, open_home
from guard.cli.output import print_json, progress_bar, results
from guard.generation.core import EMBEDDED

if TYPE_CHECKING:
    from guard.doctor import Examination

COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red", "not-checked": "dim"}
WIDEST_STATE = max(map(len, COLOURS))


def doctor(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address that it serves on.")] = "127.0.0.1",
    core: Annotated[
        str, typer.Option(help="'scenes', one of the settings, or a checkpoint directory.")
    ] = EMBEDDED,
    policy: PolicyOption = None,
    backup: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder in which backups lie.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Verify the ledger from its first entry.")
    ] = False,
    draw: Annotated[
        bool, typer.Option("--draw", help="Load the core and have it draw a picture.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="This check alone, and what it needs; repeatable."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 where there is a warning.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Examine a deployment: exit code 0 fit, 1 something is to be mended, 4 it cannot serve."""
    from guard.doctor import Subject, examine

    subject = Subject(
        open_home(context, home).path,
        host=host,
        core=core,
        policy=policy,
        backup=backup,
        whole=whole,
        draw=draw,
    )
    with progress_bar() as progress:
        examination = examine(subject, only=only or (), progress=progress)
    if as_json:
        print_json(examination.model_dump(mode="json"))
    else:
        _print_for_people(examination)
    return examination.exit_code(strict=strict)


def _print_for_people(examination: "Examination") -> None:
    width = max(len(finding.check) for finding in examination.findings)
    for finding in examination.findings:
        state = f"[{COLOURS[finding.state.value]}]{finding.state.value:<{WIDEST_STATE}}[/]"
        results.print(state, end=" ")
        results.print(f"{finding.check:<{width}}  {finding.says}", markup=False)
        if finding.mend:
            results.print(f"{'':{WIDEST_STATE + width + 3}}{finding.mend}", markup=False)
    counts = {state: sum(f.state.value == state for f in examination.findings) for state in COLOURS}
    results.print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
