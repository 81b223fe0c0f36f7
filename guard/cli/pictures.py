"""Pictures as commands ask for them and hand them over: their size, format and places."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from guard.cli.output import print_error, print_json, say
from guard.cli.paths import FORMATS, check_writable
from guard.errors import InvalidRequest, PolicyRefused
from guard.pipeline import Outcome, Released, deliver
from provenance.picture import Format, write_atomically


class FormatName(StrEnum):
    """File formats that a picture can be delivered in."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"


OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
CoreOption = Annotated[
    str, typer.Option("--core", help="'scenes', one of the settings, or a checkpoint directory.")
]
StepsOption = Annotated[int | None, typer.Option("--steps", help="Denoising steps.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Makes the picture reproducible.")]
CountOption = Annotated[int, typer.Option("-n", help="How many pictures.")]
NegativeOption = Annotated[str, typer.Option("--negative", help="What must not be drawn.")]
VisibleLabelOption = Annotated[
    bool, typer.Option("--visible-label", help="Ask for a label, where the policy grants it.")
]
FormatOption = Annotated[
    FormatName | None, typer.Option("--format", help="Else by the file's ending, else PNG.")
]


def places_for(output: Path, count: int) -> list[Path]:
    """``output`` itself for one picture, numbered from 1 for several. Raises OutputFailed where
    one cannot be written."""
    paths = [output]
    if count > 1:
        paths = [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]
    for path in paths:
        check_writable(path)
    return paths


def format_of(output: Path, named: FormatName | None) -> Format:
    """The format that was named, else that of the file's ending, else PNG."""
    return named.value if named else FORMATS.get(output.suffix.lower(), "png")


def sides_of(text: str | None) -> tuple[int | None, int | None]:
    """Width and height of ``WIDTHxHEIGHT``, in pixels. Raises InvalidRequest."""
    if text is None:
        return None, None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise InvalidRequest(f"size {text!r} is not WIDTHxHEIGHT in pixels, such as 512x512")
    return int(sides[0]), int(sides[1])


def hand_over(outcome: Outcome, paths: list[Path], *, as_json: bool) -> int:
    """Write what was released, and say so. Returns the exit code."""
    written = list(zip(paths, outcome.released, strict=False))
    for path, released in written:
        write_atomically(path, deliver(released))
    if as_json:
        print_json(_document(outcome, written))
    else:
        for path, released in written:
            say(f"{path}  content id {released.content_id}, record {_entry_id(released)}")
    for refusal in outcome.refusals:
        print_error(f"picture {refusal.index + 1}: {refusal.error}")
    return PolicyRefused.exit_code if outcome.refusals else 0


def _entry_id(released: Released) -> str:
    return released.entry.id if released.entry else "none"


def _document(outcome: Outcome, written: list[tuple[Path, Released]]) -> dict[str, Any]:
    source = {"source": outcome.source.receipt} if outcome.source else {}
    return source | {
        "decision_id": outcome.decision_id,
        "decision": outcome.prompt_decision.action.value,
        "policy": outcome.prompt_decision.policy.model_dump(),
        "seed": outcome.asked.seed,
        "images": [
            {
                "file": str(path),
                "media_type": released.media_type,
                "content_id": released.content_id,
                "sha256": released.sha256,
                "record": _entry_id(released),
                "obligations": sorted(released.obligations),
                "receipts": [r.model_dump(mode="json") for r in released.trail.receipts],
                "not_run": list(released.trail.not_run),
            }
            for path, released in written
        ],
        "refusals": [
            {
                "index": refusal.index,
                "message": str(refusal.error),
                "reasons": [r.model_dump(mode="json") for r in refusal.error.decision.reasons],
            }
            for refusal in outcome.refusals
        ],
    }
