"""``wardmark review``: what moderators ruled on, as labelled data."""

from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, open_home
from guard.cli.output import say

app = typer.Typer(help="What moderators ruled on.", no_args_is_help=True)


@app.callback()
def review() -> None:
    """What moderators ruled on."""


@app.command("export")
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder for them.", show_default=False)],
    home: HomeOption = None,
) -> None:
    """Pictures with the rulings on them, for ``wardmark evaluate images``.

    Only where the settings say [review] label = true.
    """
    from guard.review import export_ruled

    count = export_ruled(open_home(context, home), folder)
    say(f"{count} labelled pictures; people asked for them: keep {folder} no longer than needed")
