"""What verification says: a report, and a name for everything that can be wrong with a ledger."""

from enum import StrEnum

from policies.decision import Frozen


class Tampering(StrEnum):
    """What can have been done to a ledger."""

    ROW_CHANGED = "row-changed"
    ROW_REMOVED = "row-removed"
    ROW_INSERTED = "row-inserted"
    ROWS_SWAPPED = "rows-swapped"
    ROWS_MOVED = "rows-moved"
    ROWS_UNPROVED = (
        "rows-unproved"  # something in this range is not as signed; it cannot be told what
    )
    TILE_CHANGED = "tile-changed"
    TILE_MISSING = "tile-missing"
    TILE_UNEXPECTED = "tile-unexpected"
    CHECKPOINT_CHANGED = "checkpoint-changed"
    CHECKPOINT_UNSIGNED = "checkpoint-unsigned"
    CHECKPOINT_OUTDATED = "checkpoint-outdated"  # by a key that had been replaced
    CHECKPOINT_MISSING = "checkpoint-missing"
    COSIGNATURE_CHANGED = "cosignature-changed"
    HISTORY_REWOUND = "history-rewound"
    HISTORY_FORKED = "history-forked"
    RECORD_CHANGED = "record-changed"
    RECORD_MISSING = "record-missing"
    RECORD_UNEXPECTED = "record-unexpected"


class Finding(Frozen):
    """One thing that does not fit. ``first`` and ``last``: the entries that it touches, if any."""

    what: Tampering
    detail: str
    first: int | None = None
    last: int | None = None


class LedgerReport(Frozen):
    """What was computed anew from the rows as they are.

    ``proved``: so many entries, from the first on, lead to a root that the ledger's key signed.
    ``findings_left_out`` counts what is beyond the first thousand findings.
    """

    origin: str
    size: int
    proved: int
    checkpoints: int
    tiles: int
    records: int
    findings: tuple[Finding, ...]
    findings_left_out: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return not self.findings
