"""What the command line prints: JSON on stdout, everything for people on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

people = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)

Tick = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


def print_json(document: Any, *, lines: bool = False) -> None:
    """One JSON document on stdout; ``lines`` keeps it on a single line."""
    option = 0 if lines else orjson.OPT_INDENT_2
    sys.stdout.write(orjson.dumps(document, option=option).decode() + "\n")
    sys.stdout.flush()


def print_error(message: str) -> None:
    people.print(f"[bold red]error:[/] {escape(message)}")


def say(message: str) -> None:
    """A line for the person, on stderr."""
    people.print(message)


class _Rate(ProgressColumn):
    """How many a second, once that is known."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")


@contextmanager
def progress_bar() -> Iterator[Tick]:
    """A bar on stderr with rate and time left, where stderr is a terminal; silent elsewhere."""
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        tasks = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield tick
