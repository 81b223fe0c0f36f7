"""``wardmark verify``: where does this file come from, and how sure is that?"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from guard.cli import replay as replaying
from guard.cli.options import HomeOption, JsonOption, home_if_any, open_home
from guard.cli.output import print_error, print_json, progress_bar, results, say
from guard.cli.paths import check_writable
from guard.errors import InvalidRequest
from guard.verification import Asked, Outcome, named_files, verify_all
from guard.verification.batch import default_workers
from provenance.credential.container import VIDEO
from provenance.verify import LegalLine, Report, Verdict

NOT_EVERY_FILE = 1
MAX_SHOWN = 500  # files in one HTML report: at some 60 KB each, what a browser still opens

COLOURS = {
    Verdict.ESTABLISHED: "green",
    Verdict.RECOVERED: "green",
    Verdict.UNCONFIRMED: "yellow",
    Verdict.CONTRADICTED: "red",
    Verdict.NONE: "dim",
}


class Law(StrEnum):
    """Whose marking duties to list: EU AI Act, California SB 942, China GB 45438, or all."""

    eu = "eu"
    ca = "ca"
    cn = "cn"
    all = "all"


def verify_files(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Pictures, folders of pictures, or patterns."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Judge certificates as of this time (ISO 8601).")
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            help="Further trust anchors, a PEM file such as C2PA's list; may be given several"
            " times. time-stamping:FILE for time stamping authorities."
        ),
    ] = None,
    resolver: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A C2PA Soft Binding Resolution API to ask for lost credentials; may be given"
            " several times. The mark's value is sent there, not the picture.",
        ),
    ] = None,
    revocation: Annotated[
        bool,
        typer.Option(
            "--revocation",
            help="Ask the signer's authority whether its certificate was revoked (OCSP). It learns"
            " whose pictures are looked at.",
        ),
    ] = False,
    noise_core: Annotated[
        str,
        typer.Option(
            "--noise-core",
            metavar="CORE",
            help="Where no mark is found, ask this core of yours what noise a picture began with"
            " (noise_marks in the settings). Takes seconds for each.",
        ),
    ] = "",
    no_ledger: Annotated[bool, typer.Option("--no-ledger", help="Use the file alone.")] = False,
    legal: Annotated[
        Law | None, typer.Option(help="Marking duties that one file can show, line by line.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default as many as pay.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.json", help="Write a signed report.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Write a report for people.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="REPORT", help="Do a signed report again; say what differs."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say where pictures come from, with the evidence of each layer.

    Exit code 0 where every file is established or recovered, else 1; 4 where one cannot be read.
    """
    if replay is not None:
        if any((at, no_ledger, resolver, revocation, legal, report, html, noise_core)):
            raise InvalidRequest("--replay takes its conditions from the report; give it alone")
        opened = open_home(context, home)
        anchors = tuple(trust or ())
        return replaying.replay(replay, files or (), opened, anchors, workers, as_json=as_json)
    if not files:
        raise InvalidRequest("name a picture, a folder or a pattern: wardmark verify FILE...")
    if noise_core and report:
        raise InvalidRequest("a report is done again without cores; leave --noise-core out")
    needed = bool(report or noise_core)
    existing = open_home(context, home) if needed else home_if_any(context, home)
    for output in (report, html):
        if output is not None:
            check_writable(output)
    paths = list(named_files(files))
    if html is not None and len(paths) > MAX_SHOWN:
        raise InvalidRequest(f"an HTML report shows at most {MAX_SHOWN} files, not {len(paths)}")
    began = datetime.now(UTC)
    asked = Asked(
        home=existing.path if existing else None,
        trust=tuple(trust or ()),
        # A report that can be replayed has to name its moment.
        at=_time(at) or (began if report else None),
        use_ledger=not no_ledger,
        resolvers=tuple(resolver or ()),
        revocation=revocation,
        noise_core=noise_core,
    )
    kept = _verify(paths, asked, workers, legal, as_json=as_json, keep=bool(report or html))
    if report is not None:
        assert existing is not None  # noqa: S101  # opened above
        replaying.write_report(report, kept.outcomes, asked, existing)
        say(f"{report}  check it with: wardmark verify --replay {report}")
    if html is not None:
        _write_html(html, kept.outcomes, began, legal, ledger=bool(existing) and not no_ledger)
        say(f"{html}  open it in a browser")
    return kept.exit_code


class _Kept:
    """What is left of a run: its worst exit code, and its outcomes where a report needs them."""

    def __init__(self) -> None:
        self.exit_code = 0
        self.outcomes: list[Outcome] = []


def _verify(
    paths: Sequence[Path],
    asked: Asked,
    workers: int | None,
    legal: Law | None,
    *,
    as_json: bool,
    keep: bool,
) -> _Kept:
    """Every file in order, printed as it comes."""
    several = len(paths) > 1
    counts: Counter[str] = Counter()
    kept = _Kept()
    outcomes = verify_all(paths, asked, workers or default_workers(len(paths)))
    with progress_bar() as progress:
        for number, outcome in enumerate(outcomes, start=1):
            if several:
                progress("verifying", number, len(paths))
            if outcome.problem is not None:
                print_error(f"{outcome.file}: {outcome.problem.message}")
                kept.exit_code = max(kept.exit_code, outcome.problem.exit_code)
            elif outcome.report is not None and not outcome.report.verdict.answers:
                kept.exit_code = max(kept.exit_code, NOT_EVERY_FILE)
            counts[outcome.report.verdict.value if outcome.report else "not read"] += 1
            shown = outcome._replace(report=_only(outcome.report, legal))
            if as_json:
                print_json(replaying.document(shown), lines=several)
            elif shown.report is not None:
                _print_for_people(shown.report, duties=legal is not None)
            if keep:
                kept.outcomes.append(outcome)
    if several:
        say(f"{len(paths)} files: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    return kept


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"--at {text!r} is not ISO 8601, such as 2026-11-20T12:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _only(report: Report | None, law: Law | None) -> Report | None:
    if report is None or law is None:
        return report
    return report.model_copy(update={"legal": _duties(report, law)})


def _duties(report: Report, law: Law | None) -> tuple[LegalLine, ...]:
    """The lines of one law, of all, or none where none was asked for."""
    if law is None:
        return ()
    return tuple(
        line
        for line in report.legal
        if law is Law.all or line.line.startswith(f"{law.value.upper()}-")
    )


def _write_html(
    output: Path, outcomes: Sequence[Outcome], made_at: datetime, law: Law | None, *, ledger: bool
) -> None:
    from guard.verification.page import Item, render, view
    from provenance.picture import decode, read_file, write_atomically

    items = []
    for file, report, problem in outcomes:
        shown = None
        if report is not None:
            film = report.media_type == VIDEO
            pixels = None if film else decode(read_file(file)).pixels
            shown = view(report, pixels, ledger_asked=ledger, legal=_duties(report, law))
        items.append(Item(str(file), shown, problem))
    write_atomically(output, render(items, made_at).encode())


def _print_for_people(report: Report, *, duties: bool) -> None:
    colour = COLOURS[report.verdict]
    results.print(f"[bold {colour}]{report.verdict.value}[/]  ", end="")
    results.print(report.file, markup=False)
    results.print(f"  {report.summary}", markup=False)
    for line in report.agreement:
        sign = "agree" if line.holds else "DISAGREE"
        results.print(f"  {' and '.join(line.between)} {sign}: {line.detail}", markup=False)
    for duty in report.legal if duties else ():
        results.print(f"  {duty.line} {duty.status}: {duty.because}", markup=False)
