"""How much somebody may ask for: meters, and where they stand.

A meter is a bucket, which is full at first and fills evenly over its period (requests a minute), or
a window, which starts anew with each period of the clock (pictures a day, UTC). Several meters are
taken from at once, all or none. ``MemoryCounters`` holds them for one process; where several serve
one home, ``callers.redis.RedisCounters`` holds them for all.
"""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from guard.errors import RateLimited

MAX_METERS = 10_000  # remembered at once, some 3 MB; the one not used longest is forgotten first
IPV6_PREFIX = 64  # bits: what one subscriber has, so that a limit cannot be stepped around
MINUTE, DAY = 60.0, 86_400.0  # seconds


class Meter(NamedTuple):
    """A meter, and what is to be taken from it; less than nothing gives back.

    ``name``: whose it is, and of what. ``limit``: in ``period`` seconds.
    """

    name: str
    kind: Literal["bucket", "window"]
    limit: float
    amount: float
    period: float


class Level(NamedTuple):
    """How a meter stood before: how much was ``left`` of it, and, where ``amount`` was more than
    that, after how many seconds it will not be any more."""

    allowed: bool
    left: float
    wait: float


class Counters(Protocol):
    """Holds meters. ``remote``: asking takes a journey, so not on the event loop."""

    remote: bool

    def take(self, meters: Sequence[Meter], now: float) -> list[Level]:
        """Take from all of ``meters``, or from none where one does not allow it. ``now``: POSIX
        seconds. Raises Unavailable."""


class State(NamedTuple):
    """Of a bucket: what is in it, and since when. Of a window: what was used, and which it was."""

    amount: float
    at: float


def level(meter: Meter, state: State | None, now: float) -> Level:
    """How a meter stands. ``state``: None of one that was never used. Pure."""
    left = _left(meter, state, now)
    if meter.amount <= left:
        return Level(True, left, 0.0)
    if meter.kind == "window":
        return Level(False, left, meter.period - now % meter.period)
    return Level(False, left, (meter.amount - left) * meter.period / meter.limit)


def taken(meter: Meter, state: State | None, now: float) -> State:
    """The state of a meter after ``meter.amount`` was taken from it. Pure."""
    left = min(meter.limit, _left(meter, state, now) - meter.amount)
    if meter.kind == "window":
        return State(meter.limit - left, now // meter.period)
    return State(left, now if state is None else max(now, state.at))


def _left(meter: Meter, state: State | None, now: float) -> float:
    if state is None:
        return meter.limit
    if meter.kind == "window":
        return meter.limit - (state.amount if state.at == now // meter.period else 0.0)
    filled = max(0.0, now - state.at) * meter.limit / meter.period
    return min(meter.limit, state.amount + filled)


class MemoryCounters:
    """Meters of one process, bounded. Safe in several threads."""

    remote = False

    def __init__(self) -> None:
        self._states: OrderedDict[str, State] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._states)

    def take(self, meters: Sequence[Meter], now: float) -> list[Level]:
        """See ``Counters``."""
        with self._lock:
            levels = [level(meter, self._states.get(meter.name), now) for meter in meters]
            if all(one.allowed for one in levels):
                for meter in meters:
                    self._states[meter.name] = taken(meter, self._states.get(meter.name), now)
                    self._states.move_to_end(meter.name)
                while len(self._states) > MAX_METERS:
                    self._states.popitem(last=False)
        return levels


class RateLimiter:
    """How often one address may ask for what is open to everybody: ``per_minute`` requests at once,
    filled up evenly. For one process; what it knows is written nowhere. ``clock`` gives seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self.counters = MemoryCounters()

    def take(self, address: str) -> None:
        """Count a request from ``address``. Raises RateLimited."""
        meter = Meter(_network(address), "bucket", self.per_minute, 1, MINUTE)
        (stands,) = self.counters.take([meter], self._clock())
        if not stands.allowed:
            wait = math.ceil(stands.wait)
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
