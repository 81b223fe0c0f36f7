"""``wardmark policy``: what is promised, whether that is well said, and what it would change."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, progress_bar, results, say
from guard.errors import InvalidRequest
from policies.cases import load_cases, run
from policies.inclusion import Effective, Standing
from policies.lint import lint_policy
from policies.load import list_policies, load_effective, load_policy
from policies.policy import Policy
from policies.rendering import rendered
from policies.schema import cases_schema, policy_schema

if TYPE_CHECKING:
    from guard.policy_replay import ReplayReport

NO = 1
SHOWN = 20  # differences that a person is shown; --json has them all

app = typer.Typer(
    help="What is promised, and what another promise would change.", no_args_is_help=True
)

PolicyArgument = Annotated[
    str, typer.Argument(metavar="POLICY", help="A pack's name, or a .yaml file.")
]
SinceOption = Annotated[
    str, typer.Option(metavar="TIME", help="ISO 8601, or so long ago: 30m, 24h, 7d.")
]

_AGO = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command("list")
def list_packs(as_json: JsonOption = False) -> None:
    """The packs that come with Wardmark."""
    packs = list_policies()
    if as_json:
        print_json(
            [pack.ref.model_dump() | {"applies": pack.document.applies} for pack in packs]
        )
        return
    for pack in packs:
        results.print(f"{pack.name:<18} {pack.version:<8} {pack.document.applies}", markup=False)


@app.command()
def show(
    policy: PolicyArgument,
    effective: Annotated[
        bool, typer.Option("--effective", help="As one document, everything included.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a policy asks for, where each rule comes from, and what was overridden."""
    held = load_effective(policy)
    if as_json:
        print_json(_document(held))
    elif effective:
        typer.echo(rendered(held), nl=False)
    else:
        _print_for_people(held)


@app.command()
def lint(file: PolicyArgument, as_json: JsonOption = False) -> int:
    """Say what is legal in a policy and yet likely a mistake. Notes alone are no mistake."""
    findings = lint_policy(file)
    faults = [one for one in findings if not one.is_note]
    if as_json:
        found = [one.model_dump() | {"note": one.is_note} for one in findings]
        print_json({"file": file, "ok": not faults, "findings": found})
        return NO if faults else 0
    for one in findings:
        sort = "note, " if one.is_note else ""
        results.print(
            f"{file}:{one.line}:{one.column}: {sort}{one.code}: {one.message}", markup=False
        )
    if not findings:
        results.print(f"{file}: nothing to remark", markup=False)
    return NO if faults else 0


@app.command("test")
def put_cases(
    file: PolicyArgument,
    cases: Annotated[
        Path | None, typer.Option(help="Another file of cases than cases/FILE beside it.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Put its cases to a policy."""
    policy = load_policy(file)
    outcomes = run(policy, load_cases(file, cases))
    failed = [one for one in outcomes if not one.passed]
    if as_json:
        each = [one.model_dump(mode="json") | {"passed": one.passed} for one in outcomes]
        counts = {"passed": len(outcomes) - len(failed), "failed": len(failed)}
        print_json({"policy": policy.ref.model_dump(), **counts, "cases": each})
        return NO if failed else 0
    for one in failed:
        results.print(f"failed: {one.case}", markup=False)
        for fault in one.faults:
            results.print(f"  {fault}", markup=False)
    passed = len(outcomes) - len(failed)
    results.print(f"{policy.name}: {passed} of {len(outcomes)} cases hold", markup=False)
    return NO if failed else 0


@app.command()
def schema(
    cases: Annotated[bool, typer.Option("--cases", help="Of a file of cases.")] = False,
) -> None:
    """Print a JSON Schema of policy files, for editors."""
    print_json(cases_schema() if cases else policy_schema())


@app.command()
def replay(
    context: typer.Context,
    file: PolicyArgument,
    since: SinceOption,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a policy about everything that was recorded since, and tell what would change."""
    from guard import policy_replay

    policy, opened, when = load_policy(file), open_home(context, home), time_of(since)
    with progress_bar() as bar:
        report = policy_replay.replay(
            opened.ledger,
            policy,
            when,
            opened.commitment_key,
            lambda done, entries: bar("judging anew", done, entries),
        )
    _print_report(report, as_json=as_json)


@app.command()
def candidate(
    context: typer.Context,
    file: PolicyArgument,
    since: SinceOption,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a policy said while it was on trial beside the one in force."""
    from guard import policy_replay

    opened = open_home(context, home)
    report = policy_replay.candidate_report(opened.ledger, load_policy(file), time_of(since))
    _print_report(report, as_json=as_json)


def time_of(text: str) -> datetime:
    """A time (aware), from ISO 8601 or a span before now. Raises InvalidRequest."""
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(
            f"--since {text!r} is no time; write 2026-11-20T12:00Z, or 30m, 24h, 7d for so long ago"
        ) from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _document(held: Effective) -> dict[str, Any]:
    return {
        "policy": Policy(held.document).ref.model_dump(),
        "includes": [
            {"name": one.name, "version": one.file.version}
            for one in held.in_order()
            if one is not held
        ],
        "document": held.document.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "rules": [
            {
                "id": one.rule.id,
                "origin": one.origin,
                "in_force": not one.dropped,
                "overrides": [
                    {"by": did.by, "because": did.because, "may_weaken": did.may_weaken}
                    for did in one.changes
                ],
            }
            for one in held.standing
        ],
        "unserved": [one.model_dump() for one in held.unserved],
    }


def _print_for_people(held: Effective) -> None:
    document = held.document
    ref = Policy(document).ref
    results.print(f"[bold]{ref.name}[/] {ref.version}  digest {ref.digest}")
    results.print(f"  {document.applies}", markup=False)
    results.print(f"  {document.description}", markup=False)
    included = [one.name for one in held.in_order() if one is not held]
    _print_list("includes", included)
    _print_list("always obliges to", sorted(document.obligations))
    _print_list("must be assessed before an open core", sorted(document.requires))
    for service in document.serves:
        results.print(
            f"  serves {service.line} by {', '.join(service.by)}: {service.how}", markup=False
        )
    for service in held.unserved:
        results.print(f"  no longer serves {service.line}: {service.how}", markup=False)
    width = max(len(one.rule.id) for one in held.standing)
    for one in held.standing:
        rule = one.rule
        action = "dropped" if one.dropped else rule.action.value
        results.print(
            f"  {rule.id:<{width}}  {rule.stage:<6}  {action:<7}  from {one.origin}", markup=False
        )
        _print_changes(one, width)


def _print_changes(standing: Standing, width: int) -> None:
    for change in standing.changes:
        sign = ", may stop less" if change.may_weaken else ""
        said = f"overridden by {change.by}{sign}: {change.because}"
        results.print(f"  {'':<{width}}  {said}", markup=False)


def _print_list(what: str, names: Iterable[str]) -> None:
    if said := ", ".join(names):
        results.print(f"  {what}: {said}", markup=False)


def _print_report(report: "ReplayReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    since = report.since.isoformat(sep=" ", timespec="seconds")
    results.print(f"[bold]{report.policy.name}[/] {report.policy.version} since {since}")
    results.print(
        f"  {report.judged} judgements: {report.same} the same, {report.stricter} stricter,"
        f" {report.milder} milder, {report.other} by other rules, {report.undecided} undecided"
    )
    for step in report.transitions:
        after = "cannot be decided" if step.after is None else step.after.value
        results.print(f"  {step.count:>6}  {step.part}: {step.before.value} -> {after}")
    for rule in report.rules:
        results.print(f"  rule {rule.rule}: +{rule.gained} -{rule.lost}", markup=False)
    for one in report.differences[:SHOWN]:
        after = "cannot be decided" if one.after is None else one.after.value
        rules = [f"+{name}" for name in (*one.gained, *one.obligations_gained)]
        rules += [f"-{name}" for name in (*one.lost, *one.obligations_lost)]
        results.print(
            f"  {one.decision} {one.part}: {one.before.value} -> {after}  {' '.join(rules)}",
            markup=False,
        )
    if len(report.differences) > SHOWN:
        say(f"{len(report.differences) - SHOWN} more differences; --json names them")
    if report.never_drawn:
        say(
            f"{report.never_drawn} prompts would pass that were held or refused; what their"
            " pictures would have shown is not known"
        )
    if report.without_facts:
        say(f"{report.without_facts} judgements stand there without their facts and were left out")
