"""Options that several commands share."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from provenance.home import Home, default_path

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Where state lives (else $WARDMARK_HOME).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
PolicyOption = Annotated[str | None, typer.Option("--policy", help="A pack's name, or a file.")]


def home_path(context: typer.Context, home: Path | None) -> Path:
    """The home named at the command, before the command, by the environment, or the default."""
    return home or context.obj or default_path()


def open_home(context: typer.Context, home: Path | None) -> Home:
    """Raises HomeInvalid where there is none."""
    return Home.open(home_path(context, home))


def home_if_any(context: typer.Context, home: Path | None) -> Home | None:
    """The home, or None where the person named none and the default one does not exist."""
    if home is None and context.obj is None and not Home.exists(default_path()):
        return None
    return open_home(context, home)


def package_version() -> str:
    return version("wardmark")
