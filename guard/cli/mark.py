"""``wardmark mark`` and ``wardmark detect``: the watermark alone."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import JsonOption, home_if_any
from guard.cli.output import print_json, results, say
from guard.cli.paths import check_writable, format_of
from provenance.credential.container import find_store
from provenance.errors import MarkInvalid
from provenance.picture import decode, encode, read_file, write_atomically
from provenance.watermark import DEFAULT_SCHEME, SCHEMES, Scheme, load_scheme

NOT_FOUND = 1

SCHEME_HELP = f"{', '.join(SCHEMES)}, or one that the home declares."


def mark(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    payload: Annotated[
        str | None, typer.Option(help="Hexadecimal; drawn at random where none is given.")
    ] = None,
    scheme: Annotated[str | None, typer.Option("--scheme", help=SCHEME_HELP)] = None,
    as_json: JsonOption = False,
) -> None:
    """Write an invisible mark into a picture, under the keys of the home if there is one.

    Without a home, a mark is under the public key: everybody can read it, and write the like.
    """
    home = home_if_any(context, None)
    marker = home.scheme(scheme or "") if home else load_scheme(scheme or DEFAULT_SCHEME)
    value = _payload(payload, marker)
    picture_format = format_of(output)
    check_writable(output)
    data = read_file(source)
    picture = decode(data)
    if find_store(data, picture.media_type) is not None:
        say(
            f"[yellow]note:[/] {source} carries a content credential; marking changes the pixels,"
            " so the copy cannot carry it. The original keeps it."
        )
    alpha = picture.alpha if picture_format != "jpeg" else None
    marked = marker.embed(picture.pixels, value)
    write_atomically(output, encode(marked, picture_format, alpha=alpha))
    if as_json:
        print_json({"file": str(output), "scheme": marker.name, "payload": value.hex()})
    else:
        say(f"{output}  {marker.name} {value.hex()}")


def detect(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A picture.")],
    scheme: Annotated[
        str | None, typer.Option("--scheme", help=f"{SCHEME_HELP} By default all but rivaGan.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Look for an invisible mark. Exit code 1 where there is none."""
    home = home_if_any(context, None)
    declared = [pair.name for pair in home.settings.schemes] if home else []
    # rivaGan sees marks where there are none too often to be asked unasked
    names = [scheme] if scheme else [*(n for n in SCHEMES if n != "rivaGan"), *declared]
    schemes = [home.scheme(name) if home else load_scheme(name) for name in names]
    pixels = decode(read_file(file)).pixels
    found = next((seen for each in schemes if (seen := each.detect(pixels)) is not None), None)
    if as_json:
        document = {"file": str(file), "found": found is not None}
        detail = found.model_dump(mode="json") if found else {}
        print_json(document | detail)
    elif found is None:
        results.print(f"{file}: no mark found; that says nothing on where it comes from")
    else:
        whose = f", the fixed mark of {found.known_as}" if found.known_as else ""
        key = f", key {found.key_id}" if found.key_id else ""
        results.print(
            f"{file}: {found.scheme} {found.payload.hex()}{whose}{key}"
            f" (false-positive probability {found.false_positive_probability:.1g})"
        )
    return 0 if found else NOT_FOUND


def _payload(text: str | None, scheme: Scheme) -> bytes:
    size = scheme.payload_bits // 8
    if text is None:
        return secrets.token_bytes(size)
    try:
        value = bytes.fromhex(text)
    except ValueError as error:
        raise MarkInvalid(f"payload {text!r} is not hexadecimal") from error
    if len(value) != size:
        raise MarkInvalid(
            f"{scheme.name} carries {size} bytes; give {2 * size} hexadecimal digits"
            f" instead of {len(text)}"
        )
    return value
