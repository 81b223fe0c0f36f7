"""``wardmark mark-keys``: the keys under which this home marks and looks for marks."""

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results
from provenance.watermark.keys import MarkKey, create_mark_keys, key_id, rotate_mark_keys

app = typer.Typer(help="The keys of watermarks.", no_args_is_help=True)


@app.command("list")
def list_keys(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Show the keys by their ids, never the keys themselves."""
    _show(open_home(context, home).mark_keys, as_json)


@app.command("rotate")
def rotate(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Mark with a fresh key from now on; marks under the earlier ones are still found."""
    _show(rotate_mark_keys(open_home(context, home).mark_keys_path), as_json)


@app.command("create")
def create(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Give a home without keys its first."""
    _show(create_mark_keys(open_home(context, home).mark_keys_path), as_json)


def _show(keys: tuple[MarkKey, ...], as_json: bool) -> None:
    if as_json:
        rows = [{"id": key_id(key.key), "since": key.since.isoformat()} for key in keys]
        print_json({"current": rows[0]["id"], "keys": rows})
        return
    for number, key in enumerate(keys):
        use = "marks and is looked for" if number == 0 else "is looked for"
        results.print(f"{key_id(key.key)}  since {key.since:%Y-%m-%d %H:%M} UTC  {use}")
