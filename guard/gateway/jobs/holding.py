"""The leases of this process: renewed for as long as what they are for is drawn."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool

from guard.gateway.jobs.store import LEASE_SECONDS, Jobs
from provenance.errors import ProvenanceUnavailable

RENEWALS = 3  # in the time of a lease, so that one that fails costs nothing
log = logging.getLogger(__name__)


class Holding:
    """The jobs that this process draws. ``run`` renews their leases until it is cancelled."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._held: dict[str, asyncio.Event] = {}

    @contextmanager
    def of(self, job_id: str) -> Iterator[asyncio.Event]:
        """Hold a job; the event is set when it is cancelled or another process has it."""
        lost = self._held[job_id] = asyncio.Event()
        try:
            yield lost
        finally:
            del self._held[job_id]

    def drop(self, job_id: str) -> None:
        """A job that this process may hold was cancelled."""
        if job_id in self._held:
            self._held[job_id].set()

    async def run(self) -> None:
        """Renew. An outage of the database is waited for."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / RENEWALS)
            asked = set(self._held)
            if not asked:
                continue
            try:
                ours = await run_in_threadpool(self._jobs.renew, asked)
            except ProvenanceUnavailable as error:
                log.warning("leases of jobs were not renewed: %s", error)
                continue
            for job_id in asked - ours:
                self.drop(job_id)
