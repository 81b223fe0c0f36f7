"""``wardmark sign``: a credential alone, on a picture that is there already."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, say
from guard.cli.paths import check_writable
from guard.errors import InvalidRequest
from provenance.credential import Attachments, State, read, sign_statements, take_in, thumbnail
from provenance.credential.container import VIDEO, kind_of
from provenance.credential.definition import creates, parse_definition, source_type
from provenance.credential.ingredients import holds_credential
from provenance.credential.manifest import Statements, is_generated
from provenance.credential.xmp import Labels
from provenance.errors import StatementsInvalid
from provenance.home import Home
from provenance.picture import decode, read_file, write_atomically

ENDINGS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".mp4": VIDEO,
}


def sign(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or an MP4 film.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    manifest: Annotated[
        Path | None,
        typer.Option(help="What to state: a manifest definition in JSON, as c2patool reads it."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a picture or film as it is. A credential that it carries is kept as its parent's."""
    opened = open_home(context, home)
    stated = parse_definition(read_file(manifest)) if manifest else Statements("Signed image")
    check_writable(output)
    data = read_file(source)
    kind = kind_of(data)
    if ENDINGS.get(output.suffix.lower(), kind) != kind:
        raise InvalidRequest(
            f"{source} is {kind}, and signing does not convert; give {output.name} an ending of"
            " that kind"
        )
    preview = None if kind == VIDEO else thumbnail(decode(data).pixels)
    carries = holds_credential(data, kind)
    if creates(stated) and carries:
        raise StatementsInvalid(
            f"{source} carries a credential, so it was not created just now; state what was done"
            " to it instead, such as c2pa.edited"
        )
    trust = opened.sources().trust
    parent = None if creates(stated) else take_in(data, trust)
    signed = sign_statements(
        data,
        kind,
        _labelled(stated, opened),
        opened.signer,
        attached=Attachments(thumbnail=preview, ingredients=(parent,) if parent else ()),
        stamper=opened.stamper,
    )
    found = read(signed.data, trust)
    if found.state in (State.INVALID, State.UNREADABLE):
        faults = ", ".join(found.codes.failure) or found.reason
        raise StatementsInvalid(
            f"what was stated makes no credential that holds ({faults}); change the definition"
        )
    write_atomically(output, signed.data)
    taken_in = found.contents.lineage.ingredients if found.contents else ()
    parent_state = taken_in[0].state if taken_in else "none"
    if as_json:
        document = {
            "file": str(output),
            "media_type": kind,
            "sha256": hashlib.sha256(signed.data).hexdigest(),
            "manifest": found.contents.manifest if found.contents else None,
            "state": found.state.value,
            "signer": found.signer.model_dump(mode="json") if found.signer else None,
            "time_stamped": signed.time_stamped,
            "parent": parent_state,
        }
        print_json(document)
        return
    say(f"{output}  signed by {found.signer.name if found.signer else 'an unnamed signer'}")
    if found.signer and found.signer.note:
        say(f"  [yellow]note:[/] {found.signer.note}")
    if carries:
        say(f"  the credential that it carried is kept as its parent's ({parent_state})")


def _labelled(stated: Statements, home: Home) -> Statements:
    """What XMP says too, where the statements say how the picture came to be."""
    source = source_type(stated)
    if source is None:
        return stated
    generated, settings = is_generated(source), home.settings
    labels = Labels(
        source_type=source,
        generated=generated,
        provider=settings.provider,
        system=settings.system,
        version=settings.system_version,
    )
    return replace(stated, labels=labels)
