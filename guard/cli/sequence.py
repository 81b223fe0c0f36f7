"""``wardmark ledger sequence``: append what processes without the ledger's key hand over."""

import signal
import threading
from contextlib import closing

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import say
from provenance.ledger.leader import Leader


def sequence(
    context: typer.Context,
    home: HomeOption = None,
    as_json: JsonOption = False,  # noqa: ARG001  # it runs until it is stopped and answers nothing
) -> None:
    """Append what writers without the ledger's key hand over (PostgreSQL), until stopped.

    Run it on two hosts or more: one leads, and when it dies another takes over.
    """
    opened = open_home(context, home)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with closing(Leader(opened.ledger_url, opened.ledger_key, report=say)) as leader:
        say("waiting to lead")
        leader.run(stop, lambda: say("leading"))
