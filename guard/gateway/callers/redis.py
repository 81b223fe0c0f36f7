"""Meters and notes in Redis, for all processes and hosts of a deployment.

One script reads and takes in one step, by the arithmetic of ``limits``, so that two processes never
take the same. What was not used for two of its periods is forgotten by Redis itself. Needs the
extra ``redis``.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guard.errors import LimitsUnavailable
from guard.gateway.callers.friction import NOTES
from guard.gateway.limits import Level, Meter

if TYPE_CHECKING:
    from redis import Redis

PREFIX = "wardmark:meter:"
NOTES_PREFIX = "wardmark:probing:"
SECONDS = 1.0  # for an answer; Redis on the same network takes less than a millisecond
_SCRIPT = """
local now = tonumber(ARGV[1])
local states, answers, allowed = {}, {}, true
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 4
  local kind, limit = ARGV[at], tonumber(ARGV[at + 1])
  local amount, period = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local state = redis.call('HMGET', key, 'amount', 'at')
  local held, since = tonumber(state[1]), tonumber(state[2])
  local left = limit
  if held and kind == 'window' then
    if since == math.floor(now / period) then left = limit - held end
  elseif held then
    left = math.min(limit, held + math.max(0, now - since) * limit / period)
  end
  local wait = 0
  if amount > left then
    allowed = false
    if kind == 'window' then wait = period - now % period
    else wait = (amount - left) * period / limit end
  end
  local after = math.min(limit, left - amount)
  if kind == 'window' then states[i] = {limit - after, math.floor(now / period), period}
  else states[i] = {after, math.max(now, since or now), period} end
  answers[i] = {string.format('%.17g', left), string.format('%.17g', wait)}
end
if allowed then
  for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'amount', string.format('%.17g', states[i][1]),
               'at', string.format('%.17g', states[i][2]))
    redis.call('EXPIRE', key, math.ceil(states[i][3] * 2))
  end
end
return answers
"""


class RedisCounters:
    """Meters behind a URL such as ``redis://host:6379/0`` (``rediss://`` for TLS)."""

    remote = True

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises LimitsUnavailable where the client is missing or the
        URL is none."""
        self._client = connect(url)
        self._script = self._client.register_script(_SCRIPT)

    def take(self, meters: Sequence[Meter], now: float) -> list[Level]:
        """See ``Counters``. Raises LimitsUnavailable."""
        if not meters:
            return []
        arguments: list[str | float] = [repr(now)]
        for meter in meters:
            arguments += [meter.kind, meter.limit, meter.amount, meter.period]
        keys = [PREFIX + meter.name for meter in meters]
        with _answering():
            answers = self._script(keys=keys, args=arguments)
        stand = [(float(left), float(wait)) for left, wait in answers]
        return [
            Level(meter.amount <= left, left, wait)
            for meter, (left, wait) in zip(meters, stand, strict=True)
        ]

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


class RedisNotes:
    """Notes of friction, for all processes: a list for each person, which expires."""

    remote = True

    def __init__(self, url: str) -> None:
        """Connects when first asked. Raises LimitsUnavailable as ``RedisCounters``."""
        self._client = connect(url)

    def read(self, person: str) -> list[bytes]:
        """See ``friction.Notes``. Raises LimitsUnavailable."""
        with _answering():
            found = self._client.lrange(NOTES_PREFIX + person, 0, -1)
        return [note for note in found if isinstance(note, bytes)]

    def add(self, person: str, note: bytes, seconds: float) -> None:
        """See ``friction.Notes``. Raises LimitsUnavailable."""
        key = NOTES_PREFIX + person
        with _answering(), self._client.pipeline() as pipe:
            pipe.rpush(key, note)
            pipe.ltrim(key, -NOTES, -1)
            pipe.expire(key, math.ceil(seconds))
            pipe.execute()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


@contextmanager
def _answering() -> Iterator[None]:
    from redis import RedisError

    try:
        yield
    except RedisError as error:
        raise LimitsUnavailable(
            f"Redis, which counts requests, does not answer ({error}); try again later"
        ) from error


def connect(url: str) -> "Redis":
    """A client that gives up soon. Raises LimitsUnavailable where there can be none."""
    try:
        from redis import Redis
    except ModuleNotFoundError as error:
        raise LimitsUnavailable(
            "counting in Redis needs its client; run: pip install 'wardmark[redis]'"
        ) from error
    try:
        return Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
    except ValueError as error:
        raise LimitsUnavailable(f"[callers] redis is not the URL of a Redis: {error}") from error
