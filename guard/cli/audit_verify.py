"""``wardmark audit-verify``: whether an audit still says what its files, its signature and the
ledger say."""

from pathlib import Path
from typing import Annotated

import typer

from datasets_audit import check_report
from guard.cli.options import HomeOption, JsonOption, home_if_any
from guard.cli.output import print_json, results
from provenance.ledger import load_verifier

DISAGREES = 1


def audit_verify(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an audit.")],
    key: Annotated[
        Path | None, typer.Option(help="The ledger's public key (ledger.pub); else the home's.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make every digest, root and figure of an audit anew; check its statement and its proof."""
    opened = None if key else home_if_any(context, home)
    verifier = load_verifier(key) if key else opened.ledger.keys() if opened else None
    found = check_report(folder, verifier)
    if as_json:
        print_json(
            {
                "holds": not found,
                "signature_checked": verifier is not None,
                "discrepancies": [one._asdict() for one in found],
            }
        )
    else:
        for one in found:
            line = f"{one.what}: {one.found}, reported {one.reported}"
            results.print(line, markup=False)
        if not found:
            beyond = ", statement and proof" if verifier else "; no key, so no signature checked"
            results.print(f"holds: every digest, root and figure{beyond}")
    return DISAGREES if found else 0
