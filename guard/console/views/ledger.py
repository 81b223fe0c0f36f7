"""The ledger as pages show it: its head, entries found by whatever somebody holds, one entry."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from guard.decisions import FORM as DECISION
from guard.pipeline.entry_ids import ending_ids, ruling_ids
from policies.decision import Frozen
from provenance.errors import LedgerEntryNotFound
from provenance.ledger import Checkpoint, Entry, Ledger

SHOWN = 50  # entries of a page
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_INDEX = re.compile(r"[0-9]{1,15}")


class Seen(Frozen):
    """A witness that has cosigned the head, and when."""

    witness: str
    at: datetime


class Head(Frozen):
    """The signed head. ``key``: the verifier key, which checks every proof."""

    checkpoint: Checkpoint
    at: datetime
    key: str
    witnesses: tuple[Seen, ...]


def head(ledger: Ledger) -> Head | None:
    """None of an empty ledger. Raises LedgerUnavailable, LedgerCorrupt."""
    try:
        checkpoint = ledger.checkpoint()
    except LedgerEntryNotFound:
        return None
    return Head(
        checkpoint=checkpoint,
        at=next(ledger.latest()).at,
        key=str(ledger.verifier),
        witnesses=tuple(
            Seen(witness=one.witness.name, at=one.at)
            for one in ledger.cosignatures(checkpoint.size)
        ),
    )


def find(ledger: Ledger, wanted: str) -> Sequence[Entry]:
    """Entries by the id of an entry, a decision or a picture, the SHA-256 of a delivered file, or
    an index; empty where there is none."""
    if DECISION.fullmatch(wanted):
        appeals = [f"{wanted}:appeal:{n}{end}" for n in (1, 2, 3) for end in ("", ":answer")]
        ids = [*ending_ids(wanted), *ruling_ids(wanted), *appeals]
        return [*ledger.find(ids), *ledger.deliveries(wanted)]
    if _SHA256.fullmatch(wanted) and (record := ledger.record_by_sha256(wanted)):
        return ledger.find([record.content_id])
    found = ledger.find([wanted, wanted.lower()])
    if not found and _INDEX.fullmatch(wanted) and int(wanted) < ledger.size:
        return list(ledger.entries(first=int(wanted), limit=1))
    return found


def latest(
    ledger: Ledger, kind: str, before: int | None, until: datetime | None
) -> tuple[Entry, ...]:
    """A page of entries, newest first, of one kind where one is named."""
    kinds = (kind,) if kind else ()
    return tuple(islice(ledger.latest(*kinds, before=before, until=until), SHOWN))
