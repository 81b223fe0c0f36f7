"""What callers and their tenants have had: requests of the minute, pictures of the day."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from guard.errors import QuotaExhausted, RateLimited
from guard.gateway.callers.identity import Identity
from guard.gateway.limits import DAY, MINUTE, Counters, Level, Meter
from guard.pipeline.request import Quota
from provenance.callers import CallerSettings, Limits
from provenance.ledger.commitment import commitment


class Account(NamedTuple):
    """Somebody who is counted: a caller, or a tenant with all its callers."""

    name: str
    whose: str
    limits: Limits


class Reserved(NamedTuple):
    """Pictures that were taken out of quotas. ``quota``: how it stood before, for policies."""

    quota: Quota | None
    meters: tuple[Meter, ...]
    at: float  # POSIX seconds


class Quotas:
    """Counts for one gateway. ``clock`` gives POSIX seconds."""

    def __init__(
        self,
        settings: CallerSettings,
        counters: Counters,
        commitment_key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._commitment_key = commitment_key
        self._clock = clock

    async def count(self, identity: Identity) -> None:
        """Count a request. Raises RateLimited, LimitsUnavailable."""
        accounts = [a for a in self._accounts(identity) if a.limits.requests_per_minute]
        meters = [
            Meter(f"requests:{a.name}", "bucket", a.limits.requests_per_minute or 0, 1, MINUTE)
            for a in accounts
        ]
        for account, stands in zip(accounts, await self._take(meters), strict=True):
            if not stands.allowed:
                wait = math.ceil(stands.wait)
                raise RateLimited(
                    f"more than {account.limits.requests_per_minute} requests a minute from"
                    f" {account.whose}; try again in {wait} s",
                    retry_after=wait,
                )

    async def reserve(self, identity: Identity, pictures: int) -> Reserved:
        """Take ``pictures`` out of the day's quotas; 0 only looks. Raises QuotaExhausted,
        LimitsUnavailable."""
        now = self._clock()
        accounts = [a for a in self._accounts(identity) if a.limits.pictures_per_day is not None]
        meters = tuple(
            Meter(f"pictures:{a.name}", "window", a.limits.pictures_per_day or 0, pictures, DAY)
            for a in accounts
        )
        levels = await self._take(meters, now)
        for account, stands in zip(accounts, levels, strict=True):
            if not stands.allowed:
                raise QuotaExhausted(
                    f"{account.whose} may have {account.limits.pictures_per_day} pictures a day,"
                    f" {int(stands.left)} are left and {pictures} were asked for; the next day"
                    " begins at midnight UTC",
                    retry_after=math.ceil(stands.wait),
                )
        return Reserved(_quota(meters, levels), meters, now)

    async def give_back(self, reserved: Reserved, pictures: int) -> None:
        """Put back ``pictures`` that were reserved and not delivered, if the day is not over."""
        if pictures and reserved.at // DAY == self._clock() // DAY:
            await self._take([meter._replace(amount=-pictures) for meter in reserved.meters])

    def _accounts(self, identity: Identity) -> list[Account]:
        settings = self._settings
        own = identity.limits.over(settings.limits)
        accounts = [Account(identity.subject, "you", own)]
        if identity.tenant is not None:
            named = settings.tenants.get(identity.tenant, Limits()).over(settings.tenant_limits)
            committed = commitment(self._commitment_key, f"caller.tenant={identity.tenant}")
            accounts.append(Account(f"tenant:{committed}", "your organisation", named))
        return accounts

    async def _take(self, meters: Sequence[Meter], now: float | None = None) -> list[Level]:
        if not meters:
            return []
        at = self._clock() if now is None else now
        if self._counters.remote:
            return await run_in_threadpool(self._counters.take, meters, at)
        return self._counters.take(meters, at)


def _quota(meters: Sequence[Meter], levels: Sequence[Level]) -> Quota | None:
    """The tightest of several quotas; None where there is none."""
    if not meters:
        return None
    used = [
        1 - stands.left / meter.limit if meter.limit else 1.0
        for meter, stands in zip(meters, levels, strict=True)
    ]
    return Quota(left=int(min(stands.left for stands in levels)), share=min(max(used), 1.0))
