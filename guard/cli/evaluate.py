"""``wardmark evaluate``: figures of an assessor on labelled data."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guard.cli.options import HomeOption, JsonOption, home_if_any
from guard.cli.output import print_json, progress_bar, results, say
from guard.cli.paths import check_writable
from guard.errors import InvalidRequest

if TYPE_CHECKING:
    from guard.evaluate.images import ImageEvaluation
    from guard.evaluate.prompts import PromptEvaluation

RESAMPLES = 200
UNREADABLE = 4

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


@app.command("images")
def evaluate_images(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(help="Pictures, and labels.jsonl, labels.csv or labels.json (COCO)."),
    ],
    html: Annotated[Path | None, typer.Option(help="Write a page with all figures here.")] = None,
    resamples: Annotated[
        int, typer.Option(min=0, max=10_000, help="Of the bootstrap, for the intervals.")
    ] = RESAMPLES,
    fpr: Annotated[
        float,
        typer.Option(min=1e-6, max=0.5, help="False-positive rate of the proposed thresholds."),
    ] = 0.01,
    guard: Annotated[
        str | None, typer.Option(help="Only the one of this name in [[image_guards]].")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Write what was fitted here, for calibration = ... of it.")
    ] = None,
    shifts: Annotated[
        bool, typer.Option(help="Again under darkness, glare, blur and more: seven times the work.")
    ] = True,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> int:
    """Precision, recall, AUROC, mAP, IoU and calibration, as they are and under shifts.

    Ends with 4 where a picture cannot be read; the figures are of the others.
    """
    from guard.deployment import load_image_assessor
    from guard.evaluate.images import calibration_file, evaluate_images
    from guard.evaluate.labelled_images import read_labelled_images
    from guard.evaluate.page import evaluation_page
    from provenance.picture import write_atomically

    if html is not None:
        check_writable(html)
    if calibration is not None:
        check_writable(calibration)
        if guard is None:
            raise InvalidRequest("--calibration is of one guard; name it with --guard")
    given = read_labelled_images(folder)
    assessor = load_image_assessor(home_if_any(context, home), guard)
    with progress_bar() as progress:
        found = evaluate_images(
            given,
            assessor,
            resamples=resamples,
            false_positive_rate=fpr,
            shifted=shifts,
            progress=progress,
        )
    if calibration is not None:
        write_atomically(calibration, calibration_file(found))
    if html is not None:
        write_atomically(html, evaluation_page(found).encode())
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_images(found)
    if html is not None:
        say(f"{html}  has every figure")
    if found.unreadable:
        say(f"{len(found.unreadable)} pictures cannot be read: {', '.join(found.unreadable)}")
    return UNREADABLE if found.unreadable else 0


def _print_images(found: "ImageEvaluation") -> None:
    from guard.evaluate.page import figure

    whole = found.overall
    results.print(f"{found.assessor}  {whole.pictures:,} pictures, {whole.unsafe:,} unsafe")
    seen = ", ".join(found.covers) or "none: what is written and what is listed decide"
    results.print(f"  categories whose scenes are assessed: {seen}")
    if whole.not_assessed:
        results.print(
            f"  not assessed: {whole.not_assessed:,}, of which {whole.not_assessed_unsafe:,} unsafe"
        )
    if whole.ranking:
        results.print(f"  AUROC {figure(whole.ranking.auroc)}")
    results.print(f"  recall {figure(whole.any_flagged.recall)}")
    results.print(f"  false positives {figure(whole.any_flagged.false_positive_rate)}")
    results.print(f"  precision {figure(whole.any_flagged.precision)}")
    results.print(f"  calibration error {figure(whole.calibration_error)}")
    if found.boxes:
        results.print(f"  mAP at .5 {figure(found.boxes.map50)}, .5:.95 {figure(found.boxes.map)}")
        results.print(f"  IoU of what is found {figure(found.boxes.iou)}")
    table = Table("shift", "recall", "false positives", "AUROC", "mAP at .5", box=None)
    for name, view in found.shifts.items():
        flags, ranked = view.overall.any_flagged, view.overall.ranking
        told = (
            flags.recall,
            flags.false_positive_rate,
            ranked.auroc if ranked else None,
            view.boxes.map50 if view.boxes else None,
        )
        table.add_row(name, *("" if each is None else f"{each.value:.3f}" for each in told))
    if found.shifts:
        results.print(table)
