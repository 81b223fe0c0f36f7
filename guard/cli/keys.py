"""``wardmark keys``: the signers of this home, certificate requests, and what a CA sent."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say
from guard.cli.paths import check_writable
from provenance.errors import HomeInvalid, PictureInvalid
from provenance.home import Home
from provenance.keys import Algorithm, create_development_signer
from provenance.keys.development import new_key
from provenance.keys.lint import lint, load
from provenance.keys.request import certificate_request
from provenance.keys.ring import (
    NEXT_FILE,
    KeyEntry,
    KeyState,
    entries,
    install,
    key_pem,
    revoke,
    write,
)
from provenance.keys.settings import Kind
from provenance.keys.trust import ROOT_FILE, TrustAnchors
from provenance.picture import read_file, write_atomically

REFUSED = 1
MAX_CERTIFICATES = 1024 * 1024  # bytes of a file of certificates

app = typer.Typer(help="Signers of credentials: keys and certificates.", no_args_is_help=True)
AlgorithmOption = Annotated[Algorithm, typer.Option("--alg", help="es256 or ed25519.")]


@app.command("create")
def create(
    context: typer.Context,
    alg: AlgorithmOption = Algorithm.ES256,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new DEVELOPMENT signer; the earlier one retires, and what it signed stays believed."""
    opened = _with_ring(context, home)
    create_development_signer(opened.keys_folder, alg=alg)
    _tell(entries(opened.keys_folder)[0], as_json, "signs from now on, in running servers too")


@app.command("list")
def list_keys(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Every signer of this home: active, retired, revoked."""
    found = entries(open_home(context, home).keys_folder)
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in found])
        return
    for entry in found:
        until = f"{entry.valid_until:%Y-%m-%d}"
        revoked = f"  revoked {entry.revoked_at:%Y-%m-%d}" if entry.revoked_at else ""
        results.print(
            f"{entry.state.value:8} {entry.fingerprint[:16]}  {entry.algorithm:8}"
            f" until {until}  {entry.subject}{revoked}"
        )
    if not found:
        say("no signer is kept here; make one with: wardmark keys create")


@app.command("revoke")
def revoke_key(
    context: typer.Context,
    named: Annotated[
        str, typer.Argument(metavar="FINGERPRINT", help="Its beginning, or a serial number.")
    ],
    reason: Annotated[str, typer.Option(help="Why, for those who ask later.")] = "",
    since: Annotated[
        datetime | None, typer.Option(help="From when on it is not believed; default now.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop believing a signer. Final; only this home knows: tell the CA as well."""
    opened = open_home(context, home)
    moment = since.astimezone(UTC) if since else datetime.now(UTC)
    entry = revoke(opened.keys_folder, named, reason, moment)
    _tell(entry, as_json, "is revoked; tell the CA that issued it, which alone can tell others")
    if not as_json and all(e.state is not KeyState.ACTIVE for e in entries(opened.keys_folder)):
        say("  nothing can be signed now; make a signer with: wardmark keys create")


@app.command("csr")
def request(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The request to write (PEM).")],
    organisation: Annotated[
        str | None, typer.Option(help="Who answers for it; by default the home's provider.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The product; by default the home's system.")
    ] = None,
    country: Annotated[str, typer.Option(help="Two letters.")] = "",
    alg: AlgorithmOption = Algorithm.ES256,
    home: HomeOption = None,
) -> None:
    """Make a key and ask a CA for its certificate; ``install`` takes what the CA sends."""
    opened = _with_ring(context, home)
    check_writable(output)
    key = new_key(alg)
    asked = certificate_request(
        key,
        organisation=organisation or opened.settings.provider,
        common_name=name or opened.settings.system,
        country=country,
    )
    write(opened.keys_folder / NEXT_FILE, key_pem(key), 0o600)
    write_atomically(output, asked)
    say(f"{output}  send it to the CA; then: wardmark keys install CHAIN")


@app.command("install")
def install_chain(
    context: typer.Context,
    chain: Annotated[Path, typer.Argument(help="What the CA sent: PEM, the leaf first.")],
    anchor: Annotated[
        Path | None, typer.Option(help="The CA's root (PEM), for this home to believe.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign with the certificate that a CA sent for the request."""
    opened = _with_ring(context, home)
    root = TrustAnchors.from_pem(read_file(anchor, MAX_CERTIFICATES)) if anchor else None
    install(opened.keys_folder, read_file(chain, MAX_CERTIFICATES), datetime.now(UTC))
    if root is not None:
        file = opened.keys_folder / ROOT_FILE
        both = TrustAnchors.from_pem(file.read_bytes()) | root
        write(file, both.pem.encode(), 0o644)
    _tell(entries(opened.keys_folder)[0], as_json, "signs from now on, in running servers too")


@app.command("lint")
def lint_certificate(
    certificate: Annotated[Path, typer.Argument(help="A certificate or chain (PEM).")],
    as_json: JsonOption = False,
) -> int:
    """What a trust list will refuse of a certificate. Exit code 1 where there is anything."""
    chain = load(read_file(certificate, MAX_CERTIFICATES))
    if not chain:
        raise PictureInvalid(f"{certificate} holds no certificate in PEM that can be read")
    found = lint(chain, datetime.now(UTC))
    if as_json:
        listed = [{"judge": r.judge, "code": r.code, "message": r.message} for r in found]
        print_json({"file": str(certificate), "refused": listed})
    elif not found:
        results.print(f"{certificate}: nothing to refuse; whether its root is listed is not asked")
    else:
        for refusal in found:
            who = "every validator" if refusal.judge == "validator" else "the C2PA programme"
            results.print(f"{who} refuses it: {refusal.message} [{refusal.code}]", markup=False)
    return REFUSED if found else 0


def _with_ring(context: typer.Context, home: Path | None) -> Home:
    opened = open_home(context, home)
    if opened.settings.signer.kind is not Kind.RING:
        raise HomeInvalid(
            f"the settings name a signer of kind {opened.settings.signer.kind}, so a key made here"
            " would not sign; take [signer] out of wardmark.toml first"
        )
    return opened


def _tell(entry: KeyEntry, as_json: bool, happened: str) -> None:
    if as_json:
        print_json(entry.model_dump(mode="json"))
    else:
        say(f"{entry.fingerprint[:16]}  {entry.subject} {happened}")
