"""``wardmark generate``: the main job."""

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
from guard.cli.word_maps import check_shows_words, write_maps
from guard.deployment import build_pipeline
from guard.generation.core import EMBEDDED
from guard.pipeline import ImageRequest


def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: OutputOption,
    core: CoreOption = EMBEDDED,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels.")] = None,
    steps: StepsOption = None,
    seed: SeedOption = None,
    count: CountOption = 1,
    negative: NegativeOption = "",
    visible_label: VisibleLabelOption = False,
    policy: PolicyOption = None,
    format_: FormatOption = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write pictures of where each word had its say, too; draws once more.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Generate a picture under policy: checked, marked, signed and recorded."""
    paths = places_for(output, count)
    width, height = sides_of(size)
    pipeline = build_pipeline(open_home(context, home), core=core, policy=policy)
    if maps is not None:
        check_shows_words(pipeline.core)
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
    )
    with progress_bar() as progress:
        outcome = pipeline.run(request, progress=progress)
    code = hand_over(outcome, paths, as_json=as_json)
    if maps is not None:
        write_maps(pipeline.core, outcome, paths, maps)
    return code
