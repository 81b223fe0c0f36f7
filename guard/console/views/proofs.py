"""Proofs that entries stand in the ledger, made and verified at the moment that a page is shown."""

from policies.decision import Frozen
from provenance.errors import LedgerCorrupt, ProofInvalid
from provenance.ledger import Ledger, verify_inclusion


class Proved(Frozen):
    """Whether an entry stands in the ledger as it was signed. ``said``: what failed, where not."""

    entry: str
    holds: bool
    said: str
    index: int | None = None
    size: int | None = None
    origin: str | None = None


def prove(ledger: Ledger, entry: str) -> Proved:
    """Make the proof of ``entry`` and check it as anybody could. Raises LedgerEntryNotFound,
    LedgerUnavailable."""
    try:
        proof = ledger.prove(entry)
        checkpoint = verify_inclusion(proof, ledger.keys())
    except (LedgerCorrupt, ProofInvalid) as error:
        return Proved(entry=entry, holds=False, said=str(error))
    said = (
        f"Entry {proof.index} of {checkpoint.size}, under the checkpoint that {checkpoint.origin}"
        " signed. Verified just now."
    )
    return Proved(
        entry=entry,
        holds=True,
        said=said,
        index=proof.index,
        size=checkpoint.size,
        origin=checkpoint.origin,
    )
