"""``wardmark edit``: change a picture through the same pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from guard.cli.options import HomeOption, JsonOption, PolicyOption, open_home
from guard.cli.output import progress_bar
from guard.cli.pictures import (
    CoreOption,
    CountOption,
    FormatOption,
    NegativeOption,
    OutputOption,
    SeedOption,
    StepsOption,
    VisibleLabelOption,
    format_of,
    hand_over,
    places_for,
    sides_of,
)
from guard.deployment import build_pipeline
from guard.generation.core import EMBEDDED
from guard.pipeline import Edit, ImageRequest
from provenance.picture import read_file


def edit(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(help="The picture to change.")],
    prompt: Annotated[str, typer.Argument(help="What it shall show.")],
    output: OutputOption,
    mask: Annotated[
        Path | None,
        typer.Option(help="Where it may change: transparent, or white if nothing is transparent."),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How much changes: above 0 to 1, else as the core does.")
    ] = None,
    core: CoreOption = EMBEDDED,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, else the picture's own.")] = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    count: CountOption = 1,
    negative: NegativeOption = "",
    visible_label: VisibleLabelOption = False,
    policy: PolicyOption = None,
    format_: FormatOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Change a picture, or a part of it, under policy. Its own credential is kept."""
    paths = places_for(output, count)
    width, height = sides_of(size)
    sent = Edit(image=read_file(image), mask=read_file(mask) if mask else None, strength=strength)
    pipeline = build_pipeline(open_home(context, home), core=core, policy=policy)
    request = ImageRequest(
        prompt=prompt,
        negative_prompt=negative,
        width=width,
        height=height,
        steps=steps,
        seed=seed,
        count=count,
        format=format_of(output, format_),
        visible_label=visible_label,
        edit=sent,
    )
    with progress_bar() as progress:
        outcome = pipeline.run(request, progress=progress)
    return hand_over(outcome, paths, as_json=as_json)
