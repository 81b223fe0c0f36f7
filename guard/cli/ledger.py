"""``wardmark ledger``: checkpoints, proofs, and the check of everything."""

from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, home_path, open_home
from guard.cli.output import print_json, progress_bar, results, say
from guard.cli.paths import check_writable
from guard.errors import InvalidRequest
from provenance.errors import OutputFailed, ProofInvalid
from provenance.home import KEY_FILE, LEDGER_FILE, Home
from provenance.ledger import Ledger, VerifierKey, load_verifier
from provenance.ledger.bundle import Bundle
from provenance.ledger.evidence import verify_file
from provenance.ledger.key import verifier_path
from provenance.ledger.note import Verifier
from provenance.ledger.witness import kept_checkpoint
from provenance.picture import write_atomically

BROKEN = 1

app = typer.Typer(help="Proofs that verify without the database.", no_args_is_help=True)

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="A file to write; stdout by default.")
]


def _ledger(context: typer.Context, home: Path | None) -> Ledger:
    """The home's ledger, or that of a mirror."""
    folder = home_path(context, home)
    if _is_mirror(folder):
        return Ledger(f"sqlite:///{folder / LEDGER_FILE}")
    return open_home(context, home).ledger


def _is_mirror(folder: Path) -> bool:
    """Whether a folder holds ledger.pub, and ledger.db, and nothing else of a home."""
    return not Home.exists(folder) and verifier_path(folder / KEY_FILE).exists()


@app.command()
def checkpoint(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Print the signed head of the ledger (a C2SP signed note)."""
    ledger = _ledger(context, home)
    head = ledger.checkpoint()
    if as_json:
        seen = [
            {"witness": str(word.witness), "at": word.at.isoformat()}
            for word in ledger.cosignatures(head.size)
        ]
        print_json(head.model_dump(mode="json") | {"cosignatures": seen})
    else:
        typer.echo(head.note, nl=False)


@app.command()
def prove(
    context: typer.Context,
    entry_id: Annotated[
        str, typer.Argument(metavar="ID", help="An entry, or the content id of a picture.")
    ],
    output: OutputOption = None,
    cosigned: Annotated[
        bool, typer.Option("--cosigned", help="As of the last checkpoint that a witness cosigned.")
    ] = False,
    packed: Annotated[
        bool, typer.Option("--packed", help="A proof bundle in CBOR, half as large; needs -o.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,  # noqa: ARG001  # a proof is JSON either way
) -> None:
    """Prove that an entry stands in the ledger; anybody can check the proof offline."""
    if output is not None:
        check_writable(output)
    elif packed:
        raise InvalidRequest("A proof bundle is no text; name a file with -o.")
    proof = _ledger(context, home).prove(entry_id, cosigned=cosigned)
    if output is None:
        print_json(proof.model_dump(mode="json"))
        return
    content = Bundle.of(proof).pack() if packed else proof.model_dump_json(indent=2).encode()
    write_atomically(output, content)
    say(f"{output}  entry {proof.index}")


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A proof or an export; the whole ledger without one.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="The ledger's verifier key, or its .pub file; else this home's."),
    ] = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option(help="A witness's folder, or a checkpoint that somebody kept: does it fit?"),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="STATE",
            help="Keeps how far the ledger was verified, and goes on from there the next time.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check a proof offline, or recompute the whole ledger and name whatever was changed."""
    if file is not None:
        return _verify_file(context, file, key, home, as_json=as_json)
    with progress_bar() as progress:
        ledger = _ledger(context, home)
        report = ledger.verify(
            lambda done, total: progress("verifying", done, total),
            witnessed=[kept_checkpoint(path, ledger.origin) for path in witness or ()],
            resume=resume,
        )
    if as_json:
        print_json(report.model_dump(mode="json") | {"valid": report.ok})
    elif report.ok:
        results.print(f"{report.origin}: {report.size} entries, all verified")
    for finding in report.findings:
        say(f"[bold red]{finding.what}[/] {finding.detail}")
    return 0 if report.ok else BROKEN


def _verify_file(
    context: typer.Context, file: Path, key: str | None, home: Path | None, *, as_json: bool
) -> int:
    verifier = _verifier(context, key, home)
    try:
        evidence = verify_file(file, verifier)
    except ProofInvalid as error:
        if as_json:
            print_json({"file": str(file), "valid": False, "says": str(error)})
        say(f"[bold red]not proved[/] {error}")
        return BROKEN
    if as_json:
        print_json({"file": str(file), "valid": True, **evidence.model_dump(mode="json")})
    else:
        results.print(f"proved: {evidence.says}")
    return 0


def _verifier(context: typer.Context, key: str | None, home: Path | None) -> Verifier:
    return _ledger(context, home).keys() if key is None else _key(key)


def _key(named: str) -> VerifierKey:
    return VerifierKey.parse(named) if "+" in named else load_verifier(Path(named))


@app.command()
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The JSONL file to write.")],
    first: Annotated[int, typer.Option(min=0, help="Index of the first entry.")] = 0,
    end: Annotated[
        int | None, typer.Option(min=1, help="Index behind the last entry; else all.")
    ] = None,
    credentials: Annotated[
        bool,
        typer.Option("--credentials", help="With those of delivered pictures, for a mirror."),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write entries and the signed head to a file that verifies offline."""
    check_writable(output)
    ledger = _ledger(context, home)
    write_atomically(output, ledger.export(first, end, credentials=credentials))
    if as_json:
        print_json({"file": str(output)})
    else:
        say(f"{output}  check it with: wardmark ledger verify {output} --key LEDGER.pub")


@app.command("import")
def take_in(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Exports, in order.")],
    key: Annotated[
        str | None,
        typer.Option(help="The origin's verifier key, or its .pub file; makes a new mirror."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a mirror of a ledger out of exports, or carry one on; it checks before it writes."""
    folder = home_path(context, home)
    if key is not None:
        _make_mirror(folder, _key(key))
    elif not Home.exists(folder) and not _is_mirror(folder):
        raise InvalidRequest(f"There is no mirror in {folder}; make one with: --key LEDGER.pub")
    with progress_bar() as progress:
        ledger = _ledger(context, home)
        done = ledger.take_in(files, lambda done, total: progress("importing", done, total))
    if as_json:
        print_json({"added": done.added, **done.head.model_dump(mode="json")})
    else:
        results.print(f"{done.head.origin}: {done.added} entries taken in, {done.head.size} in all")


def _make_mirror(folder: Path, verifier: VerifierKey) -> None:
    """An empty mirror in ``folder``, unless there is one of that ledger already."""
    import migrations

    public = verifier_path(folder / KEY_FILE)
    if Home.exists(folder):
        raise InvalidRequest(f"{folder} is a home; name another folder for the mirror with --home")
    if public.exists() and load_verifier(public) != verifier:
        raise InvalidRequest(f"{folder} mirrors another ledger, or trusts another key: {public}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        public.write_text(f"{verifier}\n", encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{public} cannot be written: {error.strerror}.") from error
    migrations.upgrade(f"sqlite:///{folder / LEDGER_FILE}")


@app.command()
def copy(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="sqlite:////FILE or postgresql://..., empty.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the whole ledger into another database, its head unchanged: to move it or back it up."""
    import migrations

    ledger = _ledger(context, home)
    migrations.upgrade(url)
    with progress_bar() as progress:
        report = ledger.copy_to(url, progress)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        results.print(f"{report.origin}: {report.size} entries, copied and verified")
