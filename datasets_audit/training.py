"""What a core learnt from, as facts that policies may ask: how old its audits are, and whether any
sample was withdrawn since.

``[[data_sets]]`` in wardmark.toml says which versions a core learnt from. What is not known is left
out, so that a rule's ``on_missing`` decides: a version that was never audited here, or whose audit
is not where it was written.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import load_report
from datasets_audit.recording import VERSION_KIND
from datasets_audit.register import folder_of
from datasets_audit.withdrawals import withdrawn_samples, withdrawn_subjects
from policies.decision import Scalar
from provenance.home import Home
from provenance.ledger.forgetting.subjects import WITHDRAWN

AUDIT_AGE: Final = "training.audit_age_days"
WITHDRAWN_SAMPLES: Final = "training.withdrawn_samples"


class TrainingData:
    """The data sets behind one core. Safe to share between threads.

    ``facts`` looks at the ledger each time, and at the rows only when somebody withdrew since, or
    the day changed.
    """

    def __init__(
        self,
        home: Home,
        core: str,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        """``core``: the name under which the settings declare its data sets."""
        self._home = home
        self._digests = [one.digest for one in home.settings.data_sets if one.core == core]
        self._today = today
        self._turn = threading.Lock()
        self._seen = 0  # entries of the ledger up to the last withdrawal that was counted
        self._as_of: date | None = None
        self._facts: Mapping[str, Scalar] = {}

    def facts(self) -> Mapping[str, Scalar]:
        """Days since the oldest of its audits, and withdrawn samples; empty where any is unknown.

        Raises LedgerUnavailable.
        """
        with self._turn:
            today = self._today()
            later = self._home.ledger.entries(kind=WITHDRAWN, first=self._seen)
            new = [entry.index for entry in later]
            if new or today != self._as_of:
                self._facts = self._measure(today)
                self._as_of = today
                self._seen = new[-1] + 1 if new else self._seen
            return self._facts

    def _measure(self, today: date) -> Mapping[str, Scalar]:
        folders = [self._folder(digest) for digest in self._digests]
        found = [folder for folder in folders if folder is not None]
        if not found or len(found) < len(folders):
            return {}
        subjects = withdrawn_subjects(self._home.ledger)
        try:
            return {
                AUDIT_AGE: max((today - load_report(folder).as_of).days for folder in found),
                WITHDRAWN_SAMPLES: sum(withdrawn_samples(one, subjects).samples for one in found),
            }
        except SourceInvalid:
            return {}  # rows that are gone say nothing, which the policy has to judge

    def _folder(self, digest: str) -> Path | None:
        """The audit that a root, or the digest of a report, stands for."""
        direct = folder_of(self._home.path, digest)
        if direct is not None:
            return direct
        for entry in self._home.ledger.entries(kind=VERSION_KIND, mentioning=digest):
            match entry.body:
                case {"dataset": {"root": str(root)}, "report": said} if said == digest:
                    return folder_of(self._home.path, root)
        return None
