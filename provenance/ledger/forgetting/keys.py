"""The store of subjects' keys: a database beside the ledger in which things really end.

The ledger keeps everything and is backed up for ever; this store forgets, so the two never share a
database, a file or a backup.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, update

from provenance.errors import SubjectForgotten
from provenance.ledger.event import format_time
from provenance.ledger.forgetting import tables
from provenance.ledger.forgetting.database import KeyDatabase
from provenance.ledger.forgetting.sealed import SubjectKey
from provenance.ledger.forgetting.settling import (
    Contents,
    Settlement,
    Settling,
    is_forgotten,
    of_class,
    settlement_of,
)

_k = tables.subject_key.c
# Built once: building them costs as much as running them.
_TO_SEAL = select(_k.id, _k.secret).where(
    _k.subject == bindparam("subject"),
    _k.retention == bindparam("retention"),
    _k.day == bindparam("day"),
)
_TO_OPEN = select(_k.subject, _k.secret).where(_k.id == bindparam("id"))


class KeysHeld(NamedTuple):
    """Keys of one retention class: how many, and the day of the oldest."""

    number: int
    oldest: date


class KeyStore:
    """Keys of subjects in a database that ``create`` made. Safe to share between threads, and
    between processes that each open their own. Nothing is cached: a key that another process
    destroys is gone here too."""

    def __init__(
        self, url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Open the store at ``url`` (``sqlite:///FILE`` or ``postgresql://...``).

        Raises ``LedgerUnavailable``; ``LedgerKeyInvalid`` where others can read the file.
        """
        self._database = KeyDatabase(url)
        self._clock = clock
        with ExitStack() as unless_usable:
            unless_usable.callback(self._database.close)
            self._database.check_revision()
            unless_usable.pop_all()

    @classmethod
    def create(
        cls, url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> "KeyStore":
        """Make the store at ``url`` where there is none, and open it."""
        import migrations

        migrations.upgrade(url, migrations.SUBJECT_KEYS)
        return cls(url, clock=clock)

    def __enter__(self) -> "KeyStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. The store can be used again; it then reopens."""
        self._database.close()

    @property
    def keeps_a_log(self) -> bool:
        """Whether the database logs what is written, so that keys end in it later than here."""
        return not self._database.is_sqlite

    def now(self) -> datetime:
        """The time by this store's clock, UTC."""
        return self._clock().astimezone(UTC)

    def sealing_key(self, subject: str, retention: str) -> SubjectKey:
        """Today's key of a subject for one retention class, made if need be.

        It is on the disk when this returns. Raises ``SubjectForgotten`` after a withdrawal.
        """
        day = self.now().date().isoformat()
        wanted = {"subject": subject, "retention": retention, "day": day}
        with self._database.reading() as connection:
            row = connection.execute(_TO_SEAL, wanted).first()
        if row is None:
            with self._database.appending() as connection:  # in turn with a withdrawal
                if is_forgotten(connection, subject):
                    raise SubjectForgotten(
                        "This person withdrew: nothing more can be sealed under this id. Somebody "
                        "who consents again does so under a new one."
                    )
                row = connection.execute(_TO_SEAL, wanted).first()
                if row is None:
                    key = SubjectKey.generate(subject)
                    values = (key.id, subject, retention, day, key.secret)
                    self._database.insert(connection, tables.subject_key, [values])
                    return key
        return SubjectKey(row.id, subject, row.secret)

    def opening_key(self, key_id: str) -> SubjectKey:
        """The key with this id. Raises ``SubjectForgotten`` when it exists no more."""
        with self._database.reading() as connection:
            row = connection.execute(_TO_OPEN, {"id": key_id}).first()
        if row is None:
            raise SubjectForgotten(
                "The key is destroyed, by a withdrawal or because its time was over; what was "
                "sealed with it can be read by nobody."
            )
        return SubjectKey(key_id, row.subject, row.secret)

    def held_by_class(self) -> dict[str, KeysHeld]:
        """The keys that exist, by retention class."""
        query = select(_k.retention, func.count(), func.min(_k.day)).group_by(_k.retention)
        with self._database.reading() as connection:
            return {
                name: KeysHeld(count, date.fromisoformat(oldest))
                for name, count, oldest in connection.execute(query)
            }

    def due(self, retention: str, through: date) -> int:
        """How many keys of a class were made on ``through`` or before."""
        query = select(func.count()).where(of_class(retention, through.isoformat()))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def settlement(self) -> Settlement:
        """How far this store is in carrying out what the ledger says."""
        with self._database.reading() as connection:
            return settlement_of(connection)

    @contextmanager
    def settling(self) -> Iterator[Settling]:
        """A transaction in which keys are destroyed; all of it happens or none."""
        with self._database.appending() as connection:
            yield Settling(connection)

    def compact(self) -> None:
        """Leave no trace of deleted keys in the file, and note that it is done."""
        deleted = self.settlement().deleted  # what goes from here on, another one rewrites
        self._database.compact()
        c = tables.settlement.c
        with self._database.appending() as connection:
            connection.execute(
                update(tables.settlement).where(c.rewritten < deleted).values(rewritten=deleted)
            )

    def note_copy(self, expires: datetime) -> None:
        """Remember that a copy is being made, which may be restored until ``expires``."""
        until, c = format_time(expires), tables.settlement.c
        with self._database.appending() as connection:
            connection.execute(
                update(tables.settlement).where(c.copies_until < until).values(copies_until=until)
            )

    def contents(self) -> Contents:
        """Everything, as of one moment."""
        with self._database.reading() as connection:
            keys = connection.execute(select(tables.subject_key)).mappings()
            forgotten = connection.execute(select(tables.forgotten)).mappings()
            return Contents(
                [dict(row) for row in keys],
                [dict(row) for row in forgotten],
                settlement_of(connection),
            )
