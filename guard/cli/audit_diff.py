"""``wardmark audit-diff``: two versions of a data set compared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from datasets_audit.difference import (
    Count,
    Difference,
    Move,
    Version,
    compare,
    version_in,
    version_on_record,
)
from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results

CELLS_SHOWN = 10


def audit_diff(
    context: typer.Context,
    before: Annotated[
        str, typer.Argument(metavar="A", help="Folder of an audit, or a name or root on record.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, of the later version.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what came, went and changed between two audits, and what it did to the figures."""
    one, other = (_version(context, home, named) for named in (before, after))
    found = compare(one, other)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for line in _lines(found):
            results.print(line, markup=False)


def _version(context: typer.Context, home: Path | None, named: str) -> Version:
    """A folder where there is one of that name, else what the ledger has."""
    if Path(named).is_dir():
        return version_in(Path(named))
    return version_on_record(open_home(context, home).ledger, named)


def _lines(found: Difference) -> Iterator[str]:
    for word, side in (("before", found.before), ("after", found.after)):
        yield f"{word:>7}  {side.name}  {side.samples:,} pictures  {side.as_of}  {side.root}"
    if found.same:
        yield "The two are the same version: every row is alike."
    if samples := found.samples:
        for word, change in (
            ("added", samples.added), ("removed", samples.removed), ("changed", samples.changed)
        ):  # fmt: skip
            yield f"{word:>7}  {change.samples:>8,}  {', '.join(change.keys[:5])}"
        yield f"renamed  {samples.renamed:>8,}  of those added and removed"
        yield from _moves("consent", samples.consent)
        yield from _moves("licence", samples.licences)
    yield from _counts("consent", found.consent)
    yield from _counts("licence", found.licences)
    yield from _counts("finding, new:", found.findings_new)
    yield from _counts("finding, gone:", found.findings_gone)
    yield from _counts("finding", found.findings_changed)
    for cell in (found.cells or ())[:CELLS_SHOWN]:
        yield (
            f"balance  {' x '.join(cell.values)}  {cell.before:,} -> {cell.after:,}  "
            f"{cell.share_before:.2%} -> {cell.share_after:.2%}"
        )
    if found.hidden:
        yield f"balance  {found.hidden} cells are hidden in one of the two and were not compared"
    yield from found.not_compared


def _moves(what: str, moves: tuple[Move, ...]) -> Iterator[str]:
    for move in moves:
        yield f"{what}  {move.before or 'none'} -> {move.after or 'none'}  {move.samples:,} samples"


def _counts(what: str, counts: tuple[Count, ...]) -> Iterator[str]:
    for count in counts:
        yield f"{what}  {count.what}  {count.before:,} -> {count.after:,}"
