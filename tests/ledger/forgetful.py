"""A ledger with subjects, and a look at the raw files beneath."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import migrations
from provenance.ledger import Ledger, LedgerKey
from provenance.ledger.forgetting import KeyStore, Subjects

SECRET = bytes(range(32))
ADA = "ada-lovelace-1815"  # long enough not to come up in a file by chance
KEY_FILE = "signing.key"


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_days(self, days: int) -> None:
        self.time += timedelta(days=days)


class Deployment:
    """A ledger and the keys of its subjects in one folder; ``reopen`` as after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.key = LedgerKey.create(folder / KEY_FILE, "forgetting.test")
        migrations.upgrade(f"sqlite:///{folder / 'ledger.db'}")
        KeyStore.create(f"sqlite:///{folder / 'keys.db'}").close()
        self._open()

    def _open(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}", self.key, clock=self.clock)
        self.keys = KeyStore(f"sqlite:///{self.folder / 'keys.db'}", clock=self.clock)
        self.subjects = Subjects(self.ledger, self.keys, SECRET)

    def reopen(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self.ledger.close()
        self.keys.close()

    def secrets_of(self, subject_id: str) -> list[bytes]:
        """The keys of a subject, as they lie in the store."""
        subject = self.subjects.pseudonym(subject_id)
        return [row["secret"] for row in self.keys.contents().keys if row["subject"] == subject]

    def holding(self, *needles: bytes) -> set[str]:
        """Names of the files in which any of ``needles`` can be read."""
        return {
            path.name
            for path in self.folder.iterdir()
            if any(needle in path.read_bytes() for needle in needles)
        }


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """A deployment that is closed at the end."""
    made = Deployment(folder)
    try:
        yield made
    finally:
        made.close()
