"""How much one address may ask of what is open to everybody. In memory, bounded, kept nowhere."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from guard.errors import RateLimited

MAX_ADDRESSES = 10_000  # remembered at once, some 2 MB; the one not seen longest is forgotten first
IPV6_PREFIX = 64  # bits: what one subscriber has, so that a limit cannot be stepped around


class _Bucket(NamedTuple):
    tokens: float
    at: float  # seconds of the clock


class RateLimiter:
    """Token buckets: ``per_minute`` requests at once, refilled evenly. For one process, one thread.

    ``clock`` gives seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> None:
        """Count a request from ``address``. Raises RateLimited."""
        key, now = _network(address), self._clock()
        rate = self.per_minute / 60  # tokens a second
        before = self._buckets.pop(key, _Bucket(self.per_minute, now))
        tokens = min(float(self.per_minute), before.tokens + (now - before.at) * rate)
        allowed = tokens >= 1
        self._buckets[key] = _Bucket(tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - tokens) / rate)
            raise RateLimited(
                f"more than {self.per_minute} requests a minute from your address; try again in"
                f" {wait} s",
                retry_after=wait,
            )


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a unix socket has none
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)
