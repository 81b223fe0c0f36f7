"""``wardmark withdraw``: somebody takes their consent back, and their data ends.

The id is never printed, logged or stored: what stands for it is the pseudonym.
"""

from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say

STILL_READABLE = 1


def withdraw(
    context: typer.Context,
    subject: Annotated[str, typer.Option(help="The subject's id, as the data sets name it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Record a withdrawal of consent, destroy the person's keys, and show that nothing opens."""
    done = open_home(context, home).subjects.withdraw(subject)
    if as_json:
        print_json(done.model_dump(mode="json") | {"complete": done.complete})
    else:
        results.print(f"withdrawn  entry {done.index}  {done.entry}", markup=False)
        results.print(
            f"  {done.keys_destroyed} keys destroyed now; of {done.sealed} sealed entries "
            f"{done.readable} can be read"
        )
        if done.copies_until is not None:
            say(
                f"a copy of the keys could be restored until {done.copies_until:%Y-%m-%d %H:%M} UTC"
            )
        if done.in_log:
            say("PostgreSQL's write-ahead log may hold them until it is recycled; its archive too")
    return 0 if done.complete else STILL_READABLE
