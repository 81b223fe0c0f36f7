"""What a request for work costs its caller, and what becomes known of them by it.

    async with admission.drawing(identity, asked, end_user) as admitted:
        outcome = pipeline.run(admitted.asked)
        admitted.delivered = len(outcome.released)

Pictures are taken out of the quota before they are drawn, so that nobody gets more by asking at
once, and what was not delivered is put back, whatever happened. A refusal is remembered for
``friction``; when attempts come to an end by it, the ledger is told.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from guard.errors import DecisionRefused, LimitsUnavailable, ProbingSuspected
from guard.gateway.callers.friction import Friction, Tried
from guard.gateway.callers.identity import ANONYMOUS, Identity
from guard.gateway.callers.quota import Quotas
from guard.pipeline.request import Caller, ImageRequest
from policies.decision import Action
from provenance.errors import ProvenanceUnavailable
from provenance.ledger import Event, Ledger
from provenance.ledger.event import Json


@dataclass
class Admitted:
    """A request that may be drawn. ``asked``: with all that is known of the caller, for policy.
    ``delivered``: how many pictures the caller got, to be set by whoever draws."""

    asked: ImageRequest
    delivered: int = 0


class Admission:
    """For one gateway. ``stop_after``: attempts after which the ledger is told."""

    def __init__(self, quotas: Quotas, friction: Friction, ledger: Ledger, stop_after: int) -> None:
        self._quotas = quotas
        self._friction = friction
        self._ledger = ledger
        self._stop_after = stop_after

    @asynccontextmanager
    async def drawing(
        self, identity: Identity, asked: ImageRequest, end_user: str | None = None
    ) -> AsyncIterator[Admitted]:
        """Admit a request for pictures. ``end_user``: as the request names them.

        Raises QuotaExhausted, ProbingSuspected, LimitsUnavailable.
        """
        tried = await self._weigh(identity, asked.prompt, end_user)
        reserved = await self._quotas.reserve(identity, asked.count)
        caller = identity.caller(reserved.quota, tried.attempts if tried else None)
        admitted = Admitted(asked.model_copy(update={"caller": caller}))
        try:
            yield admitted
        except DecisionRefused:
            await self._refused(tried)
            raise
        finally:
            back = self._quotas.give_back(reserved, asked.count - admitted.delivered)
            await asyncio.shield(back)

    async def checking(
        self, identity: Identity, prompt: str, end_user: str | None = None
    ) -> tuple[Caller, Tried | None]:
        """Admit a prompt that is only to be checked; tell ``checked`` what came of it.

        Raises ProbingSuspected, LimitsUnavailable.
        """
        tried = await self._weigh(identity, prompt, end_user)
        return await self.looking(identity, tried.attempts if tried else None), tried

    async def looking(self, identity: Identity, attempts: int | None = None) -> Caller:
        """The caller as policy knows them, where nothing is drawn."""
        reserved = await self._quotas.reserve(identity, 0)
        return identity.caller(reserved.quota, attempts)

    async def checked(self, tried: Tried | None, action: Action) -> None:
        """What came of a prompt that ``checking`` admitted."""
        if action >= Action.REVIEW:
            await self._refused(tried)

    async def learn(self, subject: str, prompt: str) -> None:
        """Remember a refusal that came after its request had gone, as that of a job."""
        if subject not in ("", ANONYMOUS):
            with suppress(ProbingSuspected, LimitsUnavailable):  # the job has its answer
                await self._refused(await self._friction.weigh(subject, prompt))

    async def _weigh(self, identity: Identity, prompt: str, end_user: str | None) -> Tried | None:
        person = self._friction.person(identity, end_user)
        return None if person is None else await self._friction.weigh(person, prompt)

    async def _refused(self, tried: Tried | None) -> None:
        if tried is None:
            return
        await self._friction.refused(tried)
        if tried.new and tried.attempts + 1 == self._stop_after:
            told: dict[str, Json] = {"caller": tried.person, "attempts": tried.attempts + 1}
            event = Event(kind="caller.probing", body=told)
            with suppress(ProvenanceUnavailable):  # the refusal itself is recorded or failed
                await run_in_threadpool(self._ledger.append, [event])
