"""``wardmark appeals``: who disagrees with a decision, and what a moderator answers."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say
from guard.cli.paths import check_writable

OPERATOR = "operator"  # who answers here: whoever may read the home's keys

app = typer.Typer(help="Appeals against decisions, and answers to them.", no_args_is_help=True)

AppealId = Annotated[str, typer.Argument(metavar="APPEAL", help="apl_...", show_default=False)]


@app.command("list")
def list_appeals(
    context: typer.Context,
    answered: Annotated[
        bool, typer.Option("--answered", help="Those that were answered, newest first.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The appeals that wait for an answer, oldest first."""
    from guard.appeals import Appeals

    appeals = Appeals(open_home(context, home))
    found = appeals.answered() if answered else appeals.waiting()
    if as_json:
        print_json([appeal.model_dump(mode="json") | {"state": appeal.state} for appeal in found])
        return
    for appeal in found:
        told = f"{appeal.id}  {appeal.opened_at:%Y-%m-%d %H:%M}  {appeal.state}"
        results.print(told, markup=False)
    if not found:
        say("no appeal was answered yet" if answered else "no appeal waits for an answer")


@app.command("show")
def show_appeal(
    context: typer.Context,
    appeal_id: AppealId,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One appeal with its words, and the decision with its reasons."""
    from guard.appeals import Appeals
    from guard.decisions import find_decision

    opened = open_home(context, home)
    appeal = Appeals(opened).read(appeal_id)
    decision = find_decision(opened.ledger, appeal.decision_id).record
    if as_json:
        document = appeal.model_dump(mode="json") | {"state": appeal.state}
        print_json(document | {"decision": decision.document(margins=True)})
        return
    lines = [f"{appeal.id}  {appeal.state}  against {appeal.decision_id}"]
    for ending in decision.endings:
        lines.append(f"  {ending.result}  {ending.at:%Y-%m-%d %H:%M}")
        for stage in ending.stages:
            lines += [f"    {stage.stage}: {r.action}  {r.message}" for r in stage.reasons]
    lines.append(f"they say: {appeal.statement or 'erased'}")
    if appeal.prompt is not None:
        which = "" if appeal.prompt_is_it else "ANOTHER one than was refused: "
        lines.append(f"the prompt they give: {which}{appeal.prompt}")
    if appeal.answer is not None:
        lines.append(f"answered by {appeal.answer.by}: {appeal.answer.words or 'erased'}")
    results.print("\n".join(map(_plain, lines)), markup=False)


def _plain(line: str) -> str:
    """Without what would move a terminal's cursor: strangers wrote this."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in line)


@app.command("answer")
def answer_appeal(
    context: typer.Context,
    appeal_id: AppealId,
    outcome: Annotated[str, typer.Argument(help="upheld or overturned", show_default=False)],
    words: Annotated[str, typer.Option(help="What the appellant is told.", show_default=False)],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer an appeal, once."""
    from guard.appeals import Appeals, Outcome
    from guard.errors import InvalidRequest

    if outcome not in set(Outcome):
        raise InvalidRequest(f"{outcome!r} is no answer; say upheld or overturned")
    appeals = Appeals(open_home(context, home))
    appeal = appeals.answer(appeal_id, Outcome(outcome), words, by=OPERATOR)
    if as_json:
        print_json(appeal.model_dump(mode="json") | {"state": appeal.state})
    else:
        results.print(f"{appeal.id}  {appeal.state}", markup=False)


@app.command("export")
def export_appeals(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Gets the lines.", show_default=False)],
    home: HomeOption = None,
) -> None:
    """Prompts that appellants gave for it, with the rulings, for ``wardmark evaluate prompts``.

    Only where the settings say [appeals] export = true.
    """
    from guard.appeals import Appeals
    from provenance.picture import write_atomically

    check_writable(file)
    lines = [orjson.dumps(line) for line in Appeals(open_home(context, home)).labelled()]
    write_atomically(file, b"".join(line + b"\n" for line in lines))
    say(f"{len(lines)} labelled prompts; they are personal data: keep {file} no longer than needed")
