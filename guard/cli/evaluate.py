"""``wardmark evaluate``: figures of an assessor on labelled data."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guard.cli.options import HomeOption, JsonOption, home_if_any
from guard.cli.output import print_json, progress_bar, results, say
from guard.cli.paths import check_writable

if TYPE_CHECKING:
    from guard.evaluate.prompts import PromptEvaluation

RESAMPLES = 200

app = typer.Typer(help="Figures of an assessor on labelled data.", no_args_is_help=True)


@app.command("prompts")
def evaluate_prompts(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            help='Lines {"text", "unsafe", "categories"?, "source"?}; may be gzipped (.gz).'
        ),
    ],
    html: Annotated[Path | None, typer.Option(help="Write a page with all figures here.")] = None,
    resamples: Annotated[
        int, typer.Option(min=0, max=10_000, help="Of the bootstrap, for the intervals.")
    ] = RESAMPLES,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """AUROC, AUPRC, recall at false-positive rates, F1 and calibration, by source and category."""
    from guard.deployment import load_prompt_assessor
    from guard.evaluate.labelled import read_labelled
    from guard.evaluate.page import evaluation_page
    from guard.evaluate.prompts import evaluate_prompts
    from provenance.picture import write_atomically

    if html is not None:
        check_writable(html)
    prompts = read_labelled(data)
    assessor = load_prompt_assessor(home_if_any(context, home))
    with progress_bar() as progress:
        found = evaluate_prompts(
            data.name,
            hashlib.sha256(data.read_bytes()).hexdigest(),
            prompts,
            assessor,
            resamples=resamples,
            progress=progress,
        )
    if html is not None:
        write_atomically(html, evaluation_page(found).encode())
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_for_people(found)
    if html is not None:
        say(f"{html}  has every figure")


def _print_for_people(found: "PromptEvaluation") -> None:
    from guard.evaluate.page import figure

    whole = found.overall
    results.print(f"{found.assessor}  {whole.prompts:,} prompts, {whole.unsafe:,} unsafe")
    if whole.not_assessed:
        results.print(
            f"  not assessed: {whole.not_assessed:,}, of which {whole.not_assessed_unsafe:,} unsafe"
        )
    if whole.ranking:
        results.print(f"  AUROC {figure(whole.ranking.auroc)}")
        results.print(f"  AUPRC {figure(whole.ranking.auprc)}")
        for rate, recall in whole.ranking.tpr_at_fpr.items():
            results.print(f"  recall at {float(rate):.1%} false positives {figure(recall)}")
    results.print(f"  F1 at the threshold {figure(whole.unsafe_flagged.f1)}")
    if found.calibration:
        results.print(f"  calibration error {figure(found.calibration.error)}")
    table = Table("source", "prompts", "unsafe", "recall", "false positives", "AUROC", box=None)
    for name, group in found.sources.items():
        flags, ranking = group.any_flagged, group.ranking
        figures = (flags.recall, flags.false_positive_rate, ranking.auroc if ranking else None)
        told = ("" if each is None else f"{each.value:.3f}" for each in figures)
        table.add_row(name, str(group.prompts), str(group.unsafe), *told)
    results.print(table)
