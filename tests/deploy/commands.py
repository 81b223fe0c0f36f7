"""Command lines that stand in deployment files and pages, held against the command line itself."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from guard.cli.app import app

PROGRAM = "wardmark"
_COMPOSE = ["docker", "compose", "run", "--rm", "gateway"]  # the image's entry point is ours
_SEPARATORS = re.compile(r"\n|&&|\|\||[|;]|\$\(")


def command_lines(script: str) -> Iterator[list[str]]:
    """The words of each call of ours in a shell script, from the program on."""
    joined = script.replace("\\\n", " ")
    for piece in _SEPARATORS.split(joined):
        if piece.count('"') % 2 or piece.count("'") % 2:
            continue  # cut out of a quoted text, which is no command
        words = shlex.split(piece, comments=True)
        if words[:1] == ["runuser"] and "--" in words:
            words = words[words.index("--") + 1 :]
        if words[: len(_COMPOSE)] == _COMPOSE:
            words = [PROGRAM, *words[len(_COMPOSE) :]]
        if words and (words[0] == PROGRAM or words[0].endswith(f"/bin/{PROGRAM}")):
            yield words


def fault(words: list[str]) -> str | None:
    """What is wrong with a call: a command or an option that there is not. None: nothing."""
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    names = _options(command)
    while rest:
        word, *rest = rest
        option, _, value = word.partition("=")
        if word.startswith("-"):
            if option not in names:
                return f"{' '.join(words)}: there is no option {option}"
            if not names[option] and not value:
                rest = rest[1:]
        elif (below := getattr(command, "commands", None)) is not None:  # a group of commands
            found = below.get(word)
            if found is None:
                return f"{' '.join(words)}: there is no command {word}"
            command, names = found, _options(found)
    return None


def _options(command: Any) -> dict[str, bool]:
    """Each option, and whether it stands alone."""
    return {
        name: bool(getattr(parameter, "is_flag", False))
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("-")
    } | {"--help": True}
