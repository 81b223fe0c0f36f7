"""``wardmark init``."""

from typing import Annotated

import typer
from cryptography import x509

from guard.cli.options import HomeOption, JsonOption, home_path, package_version
from guard.cli.output import print_json, say
from provenance.home import Home
from provenance.keys import Signer


def init(
    context: typer.Context,
    home: HomeOption = None,
    provider: Annotated[
        str, typer.Option(help="Who answers for this system; stands in every credential.")
    ] = "Unnamed provider (development)",
    database: Annotated[
        str, typer.Option(metavar="URL", help="An empty PostgreSQL database for the ledger.")
    ] = "",
    subject_keys: Annotated[
        str, typer.Option(metavar="URL", help="Another one for the keys of subjects.")
    ] = "",
    renew: Annotated[
        bool,
        typer.Option("--renew-certificate", help="Give an existing home a new certificate."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a home: database, ledger key and a DEVELOPMENT signing certificate."""
    path = home_path(context, home)
    there = Home.exists(path)
    if there and renew:
        Home.open(path).renew_certificate()
    made = (
        Home.open(path)
        if there
        else Home.create(
            path,
            provider=provider,
            version=package_version(),
            database=database,
            subject_keys=subject_keys,
        )
    )
    if as_json:
        print_json(
            {
                "home": str(made.path),
                "created": not there,
                "ledger_key": made.ledger_key.verifier,
                "signer": _subject(made.signer),
                "development": True,
            }
        )
        return
    if there:
        changed = "it has a new certificate" if renew else "nothing was changed"
        say(f"{made.path} is a Wardmark home already; {changed}")
        return
    say(f"made {made.path}")
    say(f"  signer      {_subject(made.signer)}")
    say("              a development certificate: only this home trusts it")
    say(f"  ledger key  {made.ledger_key.verifier}")


def _subject(signer: Signer) -> str:
    (leaf, *_) = x509.load_pem_x509_certificates(signer.certificate_chain)
    return leaf.subject.rfc4514_string()
