"""``wardmark ledger cosign``, ``witness`` and ``rotate-key``."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, home_path, open_home
from guard.cli.output import print_json, results, say
from guard.errors import InvalidRequest
from provenance.home import KEY_FILE
from provenance.ledger import VerifierKey, load_verifier
from provenance.ledger.cosignature import WitnessVerifier
from provenance.ledger.witness import FileWitness, Witness

FOLDER = "witness"  # in the home, unless --file names another one


def cosign(
    context: typer.Context,
    witness: Annotated[
        str, typer.Option(help="The witness: http(s)://HOST[:PORT], or its folder.")
    ],
    key: Annotated[
        str | None,
        typer.Option("--witness-key", help="The key of a witness at a URL, or its .pub file."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a witness cosign the signed head, and keep the cosignature in the ledger."""
    cosignature = open_home(context, home).ledger.cosign(_witness(witness, key))
    if as_json:
        print_json({"witness": str(cosignature.witness), "at": cosignature.at.isoformat()})
    else:
        results.print(f"cosigned by {cosignature.witness.name} at {cosignature.at.isoformat()}")


def _witness(named: str, key: str | None) -> Witness:
    if "://" not in named:
        return FileWitness(Path(named))
    from provenance.ledger.witness_server import HttpWitness

    if key is None:
        raise InvalidRequest("Give the witness's key with --witness-key; its operator tells it.")
    return HttpWitness(
        named, WitnessVerifier.parse(key) if "+" in key else WitnessVerifier.load(Path(key))
    )


def rotate_key(
    context: typer.Context, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Give the ledger a new key, appointed by the old one. Stop other processes before."""
    from provenance.ledger.rotating import rotate

    opened = open_home(context, home)
    public = rotate(opened.ledger_url, opened.path / KEY_FILE)
    if as_json:
        print_json({"ledger_key": str(public)})
    else:
        say(f"the ledger's key is now {public}; tell it to witnesses (--trust) and auditors")


def witness(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option("--file", help="Folder of the witness; HOME/witness by default.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of a new witness: a URL without scheme.")
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option(help="Verifier key, or .pub file, of a ledger to witness. May be repeated."),
    ] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Answer over HTTP until stopped.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Be a witness: remember the heads of ledgers, and cosign only what extends them."""
    place = folder or home_path(context, home) / FOLDER
    if FileWitness.exists(place):
        if name is not None:
            raise InvalidRequest(f"{place} holds a witness already; its name cannot be changed.")
        opened = FileWitness(place)
    else:
        drawn = f"wardmark.local/witness/{secrets.token_hex(4)}"  # that no other witness has
        opened = FileWitness.create(place, name or drawn)
    for key in trust or ():
        opened.trust(VerifierKey.parse(key) if "+" in key else load_verifier(Path(key)))
    if as_json:
        print_json({"folder": str(place), "key": str(opened.verifier)})
    else:
        say(f"{place}  witness key {opened.verifier}")
    if listen is not None:
        _serve(opened, listen)


def _serve(opened: FileWitness, listen: str) -> None:
    from provenance.ledger.witness_server import WitnessServer

    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise InvalidRequest(f"{listen!r} is no address to listen on; give HOST:PORT.")
    with WitnessServer((host.strip("[]"), int(port)), opened) as server:
        say(f"listening on http://{host}:{server.server_port}; stop with Ctrl-C")
        server.serve_forever()
