"""``wardmark retention``: what of people's sealed data is due to end, and ending it."""

from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say


def retention(
    context: typer.Context,
    erase: Annotated[bool, typer.Option("--erase", help="Destroy the keys that are due.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report how long sealed data is kept and what is due; entries themselves stay."""
    subjects = open_home(context, home).subjects
    report = subjects.erase_due() if erase else subjects.retention()
    if as_json:
        print_json(report.model_dump(mode="json") | {"erased": erase})
        return
    for found in report.classes:
        kept = "for ever" if found.keep_days is None else f"{found.keep_days} days"
        results.print(
            f"{found.name:<12} {kept:>10}  {found.keys:>8} keys  {found.due:>8} due", markup=False
        )
    for name in report.undeclared:
        say(f"[bold red]undeclared[/] keys of the class {name}, which the plan does not have")
    if report.due:
        said = "destroyed now" if erase else "destroy them with: wardmark retention --erase"
        say(f"{report.due} keys due; {said}")
