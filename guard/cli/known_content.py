"""``wardmark known-content``: lists of hashes, made out of pictures and handed on to others."""

from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, open_home
from guard.cli.output import progress_bar, say
from guard.cli.paths import check_writable
from guard.errors import InvalidRequest

app = typer.Typer(
    help="Lists of known content, in the CSV form that ThreatExchange's tools exchange.",
    no_args_is_help=True,
)

Output = Annotated[Path, typer.Option("-o", "--output", help="The CSV.", show_default=False)]


@app.command("export")
def export(
    context: typer.Context,
    output: Output,
    lists: Annotated[
        list[Path] | None,
        typer.Argument(help="Lists in any form that is read; else those of the home."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write one or several lists as one: signal_type,signal_str,label."""
    from guard.images import export_list, load_list, merged
    from provenance.picture import write_atomically

    check_writable(output)
    paths = lists or list(open_home(context, home).known_content)
    if not paths:
        raise InvalidRequest(
            "this home names no list; give files, or name them under known_content in wardmark.toml"
        )
    known = merged([load_list(path) for path in paths], name=output.stem)
    write_atomically(output, export_list(known))
    for note in known.notes:
        say(note)
    say(f"{output}  {len(known.sha256):,} SHA-256, {len(known.pdq):,} PDQ")


@app.command("make")
def make(
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures, and folders of them.", show_default=False)
    ],
    output: Output,
    label: Annotated[
        str, typer.Option(help="Of all; a category's name makes that category certain.")
    ] = "",
) -> None:
    """Hash pictures: the SHA-256 of each file, and its PDQ where it is not too flat for one."""
    from guard.images import export_list, list_of
    from provenance.picture import write_atomically

    check_writable(output)
    with progress_bar() as progress:
        known = list_of(pictures, output.stem, label=label, progress=progress)
    write_atomically(output, export_list(known))
    for note in known.notes:
        say(note)
    say(f"{output}  {len(known.sha256):,} SHA-256, {len(known.pdq):,} PDQ")
