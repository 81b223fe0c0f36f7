"""``wardmark verify --report`` and ``--replay``: a signed report, and the same work done again."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from guard.cli.output import print_json, progress_bar, results
from guard.verification import Asked, Outcome, named_files, verify_all
from guard.verification.batch import default_workers
from guard.verification.signed import (
    MAX_REPORT_BYTES,
    Conditions,
    Difference,
    SignedReport,
    differences,
    document,
    seal,
    software,
    unseal,
)
from provenance.errors import LedgerEntryNotFound, PictureInvalid
from provenance.home import Home
from provenance.ledger import Checkpoint
from provenance.picture import read_file, write_atomically

__all__ = ["document", "replay", "write_report"]

DIFFERS = 1


def write_report(output: Path, outcomes: Sequence[Outcome], asked: Asked, home: Home) -> None:
    """Sign what was found with the key of the home's ledger. ``asked.at`` is set.

    Raises LedgerKeyInvalid in a home without that key, OutputFailed.
    """
    report = SignedReport(
        conditions=_conditions(asked, home),
        files=tuple(document(outcome) for outcome in outcomes),
    )
    write_atomically(output, seal(report, home.ledger_key))


def _conditions(asked: Asked, home: Home) -> Conditions:
    assert asked.at is not None  # noqa: S101  # the caller's promise
    head = None
    if asked.use_ledger:
        try:
            head = home.ledger.checkpoint().note
        except LedgerEntryNotFound:  # an empty ledger has none
            head = None
    return Conditions(
        at=asked.at,
        trust=asked.sources.trust.digest,
        use_ledger=asked.use_ledger,
        ledger=head,
        resolvers=asked.resolvers,
        revocation=asked.revocation,
        software=software(),
    )


def replay(
    file: Path,
    pictures: Sequence[Path],
    home: Home,
    trust: tuple[Path, ...],
    workers: int | None,
    *,
    as_json: bool,
) -> int:
    """Do a signed report again and say what differs. Returns 0 where every answer is the same.

    ``pictures``: where the files lie now, told by their content; by default where they lay then.
    Raises ProofInvalid where the report was not signed by this ledger or was changed since.
    """
    report = unseal(read_file(file, MAX_REPORT_BYTES), home.ledger.keys().keys)
    home.ledger.close()  # an open database must not be shared with the processes that start now
    then = report.conditions
    asked = Asked(home.path, trust, then.at, then.use_ledger, then.resolvers, then.revocation)
    paths = [_place(entry, _by_content(pictures)) for entry in report.files]
    outcomes = verify_all(paths, asked, workers or default_workers(len(paths)))
    again = []
    with progress_bar() as progress:
        for number, outcome in enumerate(outcomes, start=1):
            progress("replaying", number, len(paths))
            again.append(document(outcome))
    now = _conditions(asked, home)
    found = [
        *differences([{"file": "", **then.model_dump()}], [{"file": "", **now.model_dump()}]),
        *differences(report.files, again),
    ]
    same = then.trust == now.trust and not any(difference.decides for difference in found)
    if as_json:
        print_json(
            {
                "report": str(file),
                "signed": True,
                "files": len(paths),
                "same": same,
                "differences": [difference.model_dump(mode="json") for difference in found],
            }
        )
    else:
        _print_for_people(len(paths), found, same=same)
    return 0 if same else DIFFERS


def _by_content(pictures: Sequence[Path]) -> dict[str, Path]:
    """Where each file lies, by its SHA-256. What cannot be read is passed over: it is not found."""
    places = {}
    for path in named_files(pictures):
        try:
            places[hashlib.sha256(read_file(path)).hexdigest()] = path
        except PictureInvalid:
            continue
    return places


def _place(entry: dict[str, str], places: dict[str, Path]) -> Path:
    return places.get(entry.get("sha256", ""), Path(entry["file"]))


def _print_for_people(files: int, found: Sequence[Difference], *, same: bool) -> None:
    if same:
        results.print(f"[bold green]the same[/]  {files} answers, signed by this ledger")
    else:
        results.print(f"[bold red]different[/]  of {files} answers, signed by this ledger")
    for difference in found:
        where = difference.file or "conditions"
        then, now = difference.then, difference.now
        if (where, difference.field) == ("conditions", "ledger"):
            then, now = _entries(then), _entries(now)
        results.print(f"  {where} {difference.field}: {then} then, {now} now", markup=False)


def _entries(head: str | None) -> str:
    return f"{Checkpoint.parse(head).size} entries" if head else "none"
