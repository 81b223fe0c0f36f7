"""Which row went where: rows that are not what was signed in their place, explained.

Pure: hashes in, findings out.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from provenance.ledger.report import Finding, Tampering


class Mismatch(NamedTuple):
    """What was signed at an index and what stands there; None for not known or nothing."""

    signed: bytes | None
    found: bytes | None


def explain(mismatches: Mapping[int, Mismatch]) -> list[Finding]:
    """Name what happened: swapped, moved, inserted, removed or changed rows, in ranges."""
    home = {m.signed: i for i, m in mismatches.items() if m.signed is not None}
    place = {m.found: i for i, m in mismatches.items() if m.found is not None}
    came_from = {i: home[m.found] for i, m in mismatches.items() if m.found in home}
    swapped = [(i, j) for i, j in came_from.items() if i < j and came_from.get(j) == i]
    for pair in swapped:
        for i in pair:
            del came_from[i]

    strange = {i for i, m in mismatches.items() if m.found is not None and m.found not in home}
    inserted = {i for i in strange if mismatches[i].signed is None or mismatches[i].signed in place}
    changed = strange - inserted
    removed = {i for i, m in mismatches.items() if m.signed not in place} - changed - inserted

    findings = [
        Finding(
            what=Tampering.ROWS_SWAPPED,
            detail=f"Entries {i} and {j} stand in each other's place.",
            first=i,
            last=j,
        )
        for i, j in swapped
    ]
    for offset in sorted({source - i for i, source in came_from.items()}):
        for first, last in _runs(i for i, source in came_from.items() if source - i == offset):
            was, now = _named(first + offset, last + offset), _named(first, last)
            findings.append(
                Finding(
                    what=Tampering.ROWS_MOVED,
                    detail=f"What was signed as {was} stands as {now}.",
                    first=first,
                    last=last,
                )
            )
    for what, indexes, said in (
        (Tampering.ROW_INSERTED, inserted, "was never signed in this place"),
        (Tampering.ROW_REMOVED, removed, "is gone"),
        (Tampering.ROW_CHANGED, changed, "is not what was signed"),
    ):
        for first, last in _runs(indexes):
            detail = f"{_named(first, last).capitalize()}: the row {said}."
            findings.append(Finding(what=what, detail=detail, first=first, last=last))
    return findings


def _runs(indexes: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of consecutive indexes."""
    ordered = sorted(indexes)
    if not ordered:
        return []
    breaks = [(a, b) for a, b in pairwise(ordered) if b != a + 1]
    firsts = [ordered[0], *(b for _, b in breaks)]
    lasts = [*(a for a, _ in breaks), ordered[-1]]
    return list(zip(firsts, lasts, strict=True))


def _named(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"
