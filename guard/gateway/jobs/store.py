"""The jobs of all processes that share a database.

queued -> in_progress -> completed | failed | cancelled

A process holds a job by a lease that it renews; when the process dies, the lease runs out and
another takes the job over. That a picture is delivered at most once is not left to leases: its
content ids follow from the job's id, and the ledger takes each of them once.
"""

import secrets
import time
from collections.abc import Collection
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from guard.errors import IdempotencyConflict, JobNotFound, QueueFull, StillRunning
from guard.gateway.answers import Answer
from guard.gateway.jobs.sealing import Seal
from guard.gateway.jobs.tables import job
from provenance.ledger.database import Database

RETRY_SECONDS = 60  # after which somebody who found too many jobs may come again
LEASE_SECONDS = 15.0  # renewed every third of it
_c = job.c


class Status(StrEnum):
    """Where a job stands, in the words of the OpenAI API."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (Status.QUEUED, Status.IN_PROGRESS)


class Job(NamedTuple):
    """A job as its owner sees it. Times in seconds since 1970."""

    id: str
    status: Status
    created_at: float
    expires_at: float
    answer: Answer | None


class Claimed(NamedTuple):
    """A job that this process draws now. ``begun``: how often anybody did, this time included."""

    id: str
    request: bytes
    begun: int


class Jobs:
    """Reads and writes the table. Safe to share between threads. All raise LedgerUnavailable.

    ``keep``: seconds for which an answer can be had. ``worker``: who we are. ``most``: jobs that
    may wait.
    """

    def __init__(
        self, database: Database, seal: Seal, keep: float, worker: str, most: int = 10_000
    ) -> None:
        self._database = database
        self._seal = seal
        self._keep = keep
        self.worker = worker
        self._most = most

    def put(
        self, subject: str, request: bytes, key: str | None = None, meant: bytes | None = None
    ) -> Job:
        """Leave a job of ``subject`` to whoever comes first. With an idempotency ``key`` that was
        seen before, the job that was left then. Raises IdempotencyConflict, QueueFull.

        ``meant``: of the request, what must be the same under the same key; all, by default.
        """
        digest = self._seal.name(request if meant is None else meant)
        with self._database.changing() as connection:
            named = self._named(connection, subject, key, digest)
            if named is None:
                if _queued(connection) >= self._most:
                    raise QueueFull(
                        f"{self._most} jobs wait already; try again in {RETRY_SECONDS} s",
                        retry_after=RETRY_SECONDS,
                    )
                named = self._insert(connection, subject, key, digest, request)
            return self._job(named)

    def left(self, subject: str, key: str, meant: bytes) -> Job | None:
        """The job that was put under an idempotency ``key`` before. Raises IdempotencyConflict."""
        with self._database.changing() as connection:
            named = self._named(connection, subject, key, self._seal.name(meant))
            return None if named is None else self._job(named)

    def begin(self, subject: str, meant: bytes, key: str) -> Claimed | Answer:
        """Take on what ``subject`` asks under an idempotency ``key``, or what came of it before.

        Raises IdempotencyConflict for another request under this key, StillRunning.
        """
        digest = self._seal.name(meant)
        with self._database.changing() as connection:
            named = self._named(connection, subject, key, digest)
            if named is None:
                named = self._insert(connection, subject, key, digest, None)
            elif named.answer is not None:
                return self._answer(named)
            elif not self._abandoned(connection, named):
                raise StillRunning(
                    "the request that came first with this idempotency key is not done yet; try"
                    " again in a moment"
                )
            self._lease(connection, named.id)
            return Claimed(named.id, meant, named.begun + 1)

    def claim(self) -> Claimed | None:
        """Take on the oldest job that waits, or whose process died; None where there is none."""
        with self._database.reading() as connection:  # which disturbs nobody while there is none
            if connection.execute(self._oldest(connection)).first() is None:
                return None
        with self._database.changing() as connection:
            oldest = self._oldest(connection).with_for_update(skip_locked=True)
            found = connection.execute(oldest).first()
            if found is None:
                return None
            self._lease(connection, found.id)
            request = self._seal.open(found.request, f"{found.id} request")
            return Claimed(found.id, request, found.begun + 1)

    def renew(self, ids: Collection[str]) -> set[str]:
        """Hold these on; returns those that are still ours and still wanted."""
        with self._database.changing() as connection:
            held = update(job).where(_c.id.in_(ids), self._ours).returning(_c.id)
            until = _now(connection) + LEASE_SECONDS
            return set(connection.execute(held.values(lease_until=until)).scalars())

    def finish(self, job_id: str, answer: Answer) -> bool:
        """Keep what came of a job and erase what was asked; False where it is not ours any more."""
        status = Status.COMPLETED if answer.status < 400 else Status.FAILED
        with self._database.changing() as connection:
            done = (
                update(job)
                .where(_c.id == job_id, self._ours)
                .values(
                    status=status,
                    answer_status=answer.status,
                    answer=self._seal.seal(answer.body, f"{job_id} answer"),
                    request=None,
                    worker=None,
                    expires_at=_now(connection) + self._keep,
                )
            )
            return connection.execute(done).rowcount == 1

    def give_back(self, job_id: str) -> None:
        """Leave a job to others, as if it had not been begun."""
        with self._database.changing() as connection:
            connection.execute(
                update(job)
                .where(_c.id == job_id, self._ours)
                .values(status=Status.QUEUED, worker=None, begun=_c.begun - 1)
            )

    def forget(self, job_id: str) -> None:
        """Free the idempotency key of a request that came to nothing, for another try."""
        with self._database.changing() as connection:
            connection.execute(delete(job).where(_c.id == job_id, self._ours))

    def find(self, subject: str, job_id: str) -> Job:
        """The job of ``subject``. Raises JobNotFound."""
        with self._database.reading() as connection:
            return self._job(self._of(connection, subject, job_id))

    def subject(self, job_id: str) -> str:
        """Whose a job is; nobody's where it is gone."""
        with self._database.reading() as connection:
            query = select(_c.subject).where(_c.id == job_id)
            return connection.execute(query).scalar() or ""

    def cancel(self, subject: str, job_id: str) -> Job:
        """Stop a job that is not done, and erase what is kept of one that is. Raises JobNotFound.

        The process that draws it stops within a renewal of its lease.
        """
        with self._database.changing() as connection:
            row = self._of(connection, subject, job_id)
            status = Status.CANCELLED if row.status in OPEN else Status(row.status)
            gone = {"request": None, "answer": None, "worker": None, "name": None}
            connection.execute(update(job).where(_c.id == job_id).values(status=status, **gone))
            return Job(row.id, status, row.created_at, row.expires_at, None)

    def sweep(self) -> int:
        """Erase the jobs whose time is over; how many."""
        with self._database.reading() as connection:
            if connection.execute(select(_c.id).where(self._over(connection))).first() is None:
                return 0
        with self._database.changing() as connection:
            return connection.execute(delete(job).where(self._over(connection))).rowcount

    def waiting(self) -> int:
        """How many are queued."""
        with self._database.reading() as connection:
            return _queued(connection)

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    @property
    def _ours(self) -> Any:
        return and_(_c.worker == self.worker, _c.status == Status.IN_PROGRESS)

    def _over(self, connection: Connection) -> Any:
        return and_(_c.expires_at < _now(connection), _c.status != Status.IN_PROGRESS)

    def _oldest(self, connection: Connection) -> Any:
        abandoned = and_(_c.status == Status.IN_PROGRESS, _c.lease_until < _now(connection))
        open_ = or_(_c.status == Status.QUEUED, abandoned)
        return select(job).where(open_, _c.request.is_not(None)).order_by(_c.created_at).limit(1)

    def _named(
        self, connection: Connection, subject: str, key: str | None, digest: str
    ) -> Row[Any] | None:
        """The row of an idempotency key, if it is in use. Raises IdempotencyConflict."""
        if key is None:
            return None
        name = self._name(subject, key)
        row = connection.execute(select(job).where(_c.name == name).with_for_update()).first()
        if row is not None and row.expires_at < _now(connection):
            connection.execute(delete(job).where(_c.id == row.id))
            return None
        if row is not None and row.digest != digest:
            raise IdempotencyConflict(
                "this idempotency key was sent with another request before; a new request needs a"
                " new key"
            )
        return row

    def _name(self, subject: str, key: str) -> str:
        return self._seal.name(subject.encode(), key.encode())

    def _insert(
        self,
        connection: Connection,
        subject: str,
        key: str | None,
        digest: str,
        request: bytes | None,
    ) -> Row[Any]:
        made, now = f"job_{secrets.token_hex(16)}", _now(connection)
        inserting = sqlite.insert if self._database.is_sqlite else postgresql.insert
        query = inserting(job).values(
            id=made,
            subject=subject,
            status=Status.QUEUED,
            name=None if key is None else self._name(subject, key),
            digest=digest,
            request=None if request is None else self._seal.seal(request, f"{made} request"),
            begun=0,
            created_at=now,
            expires_at=now + self._keep,
        )
        row = connection.execute(query.on_conflict_do_nothing().returning(job)).first()
        if row is None:  # another process was quicker by a moment
            raise StillRunning(
                "another request with this idempotency key came at the same moment; try again"
            )
        return row

    def _lease(self, connection: Connection, job_id: str) -> None:
        connection.execute(
            update(job)
            .where(_c.id == job_id)
            .values(
                status=Status.IN_PROGRESS,
                worker=self.worker,
                lease_until=_now(connection) + LEASE_SECONDS,
                begun=_c.begun + 1,
            )
        )

    def _abandoned(self, connection: Connection, row: Row[Any]) -> bool:
        """Whether nobody draws what was asked for on the spot. Jobs are for the runners."""
        if row.request is not None or row.status != Status.IN_PROGRESS:
            return False
        return bool(row.lease_until < _now(connection))

    def _of(self, connection: Connection, subject: str, job_id: str) -> Row[Any]:
        kept = _c.expires_at >= _now(connection)
        query = select(job).where(_c.id == job_id, _c.subject == subject, kept)
        row = connection.execute(query).first()
        if row is None:
            raise JobNotFound(f"no job {job_id!r} of yours is kept; ask for the pictures again")
        return row

    def _job(self, row: Row[Any]) -> Job:
        answer = None if row.answer is None else self._answer(row)
        return Job(row.id, Status(row.status), row.created_at, row.expires_at, answer)

    def _answer(self, row: Row[Any]) -> Answer:
        return Answer(row.answer_status, self._seal.open(row.answer, f"{row.id} answer"))


def _queued(connection: Connection) -> int:
    query = select(func.count()).where(_c.status == Status.QUEUED)
    return connection.execute(query).scalar_one()


def _now(connection: Connection) -> float:
    """By one clock for all who share the database: its server's, or this machine's."""
    if connection.dialect.name == "sqlite":
        return time.time()
    query = text("SELECT extract(epoch FROM clock_timestamp())::float8")
    return float(connection.execute(query).scalar_one())
