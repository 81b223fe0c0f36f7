"""The ledger: what was done, kept so that nobody can quietly change it.

ledger = Ledger("sqlite:////path/ledger.db")
entry, = ledger.append([Event("refusal", {"rule": "minors"})])
proof = ledger.prove(entry.id)
verify_inclusion(proof, verifier_key)      # offline, with the public key alone
"""

from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.event import Entry, Event
from provenance.ledger.evidence import Evidence, verify_file
from provenance.ledger.key import LedgerKey, load_verifier
from provenance.ledger.ledger import Ledger
from provenance.ledger.note import VerifierKey
from provenance.ledger.proof import (
    ConsistencyProof,
    InclusionProof,
    verify_consistency,
    verify_inclusion,
)
from provenance.ledger.report import Finding, LedgerReport, Tampering

__all__ = [
    "Checkpoint",
    "ConsistencyProof",
    "Entry",
    "Event",
    "Evidence",
    "Finding",
    "InclusionProof",
    "Ledger",
    "LedgerKey",
    "LedgerReport",
    "Tampering",
    "VerifierKey",
    "load_verifier",
    "verify_consistency",
    "verify_file",
    "verify_inclusion",
]
