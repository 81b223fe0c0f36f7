"""``wardmark generate``: the main job."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from guard.cli.options import HomeOption, JsonOption, PolicyOption, open_home
from guard.cli.output import print_error, print_json, progress_bar, say
from guard.cli.paths import FORMATS, check_writable
from guard.deployment import build_pipeline
from guard.errors import InvalidRequest, PolicyRefused
from guard.generation.core import EMBEDDED
from guard.pipeline import ImageRequest, Outcome, Released, deliver
from provenance.picture import Format, write_atomically


class FormatName(StrEnum):
    """File formats that a picture can be delivered in."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"


def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    core: Annotated[
        str, typer.Option(help="'scenes', or a diffusers checkpoint directory.")
    ] = EMBEDDED,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the picture reproducible.")] = None,
    count: Annotated[int, typer.Option("-n", help="How many pictures.")] = 1,
    negative: Annotated[str, typer.Option(help="What must not be drawn.")] = "",
    visible_label: Annotated[
        bool, typer.Option("--visible-label", help="Ask for a label, where the policy grants it.")
    ] = False,
    policy: PolicyOption = None,
    format_: Annotated[
        FormatName | None, typer.Option("--format", help="Else by the file's ending, else PNG.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Generate a picture under policy: checked, marked, signed and recorded."""
    picture_format: Format = format_.value if format_ else FORMATS.get(output.suffix.lower(), "png")
    paths = _paths(output, count)
    for path in paths:
        check_writable(path)
    width, height = _size(size)
    pipeline = build_pipeline(open_home(context, home), core=core, policy=policy)
    request = ImageRequest(
        prompt=prompt,
        negative_prompt=negative,
        width=width,
        height=height,
        steps=steps,
        seed=seed,
        count=count,
        format=picture_format,
        visible_label=visible_label,
    )
    with progress_bar() as progress:
        outcome = pipeline.run(request, progress=progress)
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


def _paths(output: Path, count: int) -> list[Path]:
    """``output`` itself for one picture, numbered from 1 for several."""
    if count <= 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, count + 1)]


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise InvalidRequest(f"size {text!r} is not WIDTHxHEIGHT in pixels, such as 512x512")
    return int(sides[0]), int(sides[1])


def _entry_id(released: Released) -> str:
    return released.entry.id if released.entry else "none"


def _document(outcome: Outcome, written: list[tuple[Path, Released]]) -> dict[str, Any]:
    return {
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
