"""``wardmark subject-keys``: short-lived copies of the keys under which people's data is sealed."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say
from guard.cli.paths import check_writable
from provenance.ledger.forgetting import restore, write_copy
from provenance.ledger.forgetting.copies import MAX_KEEP

app = typer.Typer(help="Copies of subjects' keys, which soon expire.", no_args_is_help=True)


@app.command("copy")
def copy_keys(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new SQLite file; keep it apart from the ledger.")],
    keep: Annotated[
        int, typer.Option(metavar="DAYS", min=1, max=MAX_KEEP.days, help="How long it is good.")
    ] = 7,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the keys of all subjects to a file that expires; delete it then."""
    check_writable(file)
    expires = write_copy(open_home(context, home).subjects.keys, file, timedelta(days=keep))
    if as_json:
        print_json({"file": str(file), "expires_at": expires.isoformat()})
    else:
        say(f"{file}  good until {expires:%Y-%m-%d %H:%M} UTC; delete it then")


@app.command("restore")
def restore_keys(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A copy that has not expired.")],
    forgetting: Annotated[
        bool,
        typer.Option(
            "--forgetting", help="Take an older copy; who withdrew since is forgotten again."
        ),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the keys of a copy back into a store that holds none; nobody who left comes back."""
    opened = open_home(context, home)
    restore(file, opened.subjects.keys, opened.ledger, forgetting=forgetting)
    held = sum(found.number for found in opened.subjects.keys.held_by_class().values())
    if as_json:
        print_json({"keys": held})
    else:
        results.print(f"restored: {held} keys")
