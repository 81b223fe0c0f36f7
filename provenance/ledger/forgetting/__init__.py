"""Forgetting: people in a ledger that keeps everything.

subjects = Subjects(ledger, KeyStore(url), secret)
event = subjects.event("appeal", "subject-17", {"text": "..."})
entry, = ledger.append([event])
subjects.open(entry).plain            # until
subjects.withdraw("subject-17")       # destroys the key; every proof of the entry still verifies
"""

from provenance.ledger.forgetting.copies import restore, write_copy
from provenance.ledger.forgetting.keys import KeyStore
from provenance.ledger.forgetting.sealed import (
    Opened,
    Sealed,
    SubjectKey,
    discloses,
    open_sealed,
    pseudonym,
    seal,
)
from provenance.ledger.forgetting.subjects import ConsentStanding, Subjects, Withdrawal

__all__ = [
    "ConsentStanding",
    "KeyStore",
    "Opened",
    "Sealed",
    "SubjectKey",
    "Subjects",
    "Withdrawal",
    "discloses",
    "open_sealed",
    "pseudonym",
    "restore",
    "seal",
    "write_copy",
]
