"""Which items of the checklists there is evidence for, and what is still a gap.

A control names queries; each is a function of an audit's rows or of the ledger's events. Nothing
here ever says "compliant": evidence is evidence, and conformity is for people to judge.
"""

from datasets_audit.checklist.attestation import Attestation, attest
from datasets_audit.checklist.audited import Audited
from datasets_audit.checklist.evidence import Evidence, Weight
from datasets_audit.checklist.records import Records, recorded
from datasets_audit.checklist.standing import EVIDENCE, Facts, assess, of_audit, standing

__all__ = [
    "EVIDENCE",
    "Attestation",
    "Audited",
    "Evidence",
    "Facts",
    "Records",
    "Weight",
    "assess",
    "attest",
    "of_audit",
    "recorded",
    "standing",
]
