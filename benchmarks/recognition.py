"""What it costs to recognise a caller, to count a request and to look for probing.

    python benchmarks/recognition.py

Prints CPU microseconds of each, and the ratio to a floor in the same run: HMAC-SHA-256 of a secret,
the least that checking a key can cost. ``known`` is a credential that was seen within the last two
seconds, as nearly all are under load. The issuer of tokens and the Redis are real ones on this
machine; without a Redis its row says so.
"""

import asyncio
import hmac
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from starlette.requests import Request

sys.path.insert(0, str(Path(__file__).parent.parent))

from guard.gateway.callers import ApiKeys, Callers, Identity, KeyTerms
from guard.gateway.callers.friction import NOTES, Friction, MemoryNotes
from guard.gateway.callers.quota import Quotas
from guard.gateway.callers.redis import RedisCounters
from guard.gateway.callers.sketch import sketch
from guard.gateway.callers.tokens import Issuers
from guard.gateway.limits import Counters, MemoryCounters
from provenance.callers import CallerSettings, FrictionSettings
from provenance.home import Home
from tests.support.issuer import running_issuer
from tests.support.redis import running_redis

TARGET = 200.0  # CPU microseconds that recognising a caller may cost a request
ROUNDS = 7
PROMPT = "a lighthouse on a cliff above a stormy sea at dusk, oil on canvas, in warm light"
LIMITS = {"limits": {"requests_per_minute": 10**9, "pictures_per_day": 10**9}}
KEY = bytes(range(32))


def cost(work: Callable[[], object], times: int) -> float:
    """CPU microseconds of one call: the median of several rounds."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - begun) / times * 1e6)
    return median(rounds)


def awaited(work: Callable[[], object], times: int) -> float:
    """The same of a coroutine function, on one event loop."""

    async def measure() -> float:
        rounds = []
        for _ in range(ROUNDS + 1):
            begun = time.process_time()
            for _ in range(times):
                await work()  # type: ignore[misc]
            rounds.append((time.process_time() - begun) / times * 1e6)
        return median(rounds[1:])

    return asyncio.run(measure())


def request_with(token: str) -> Request:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 4711), "state": {}})


def quotas_cost(counters: Counters, times: int) -> float:
    quotas = Quotas(CallerSettings.model_validate(LIMITS), counters, KEY)
    identity = Identity(subject="key_a", tenant="a")

    async def count() -> None:
        await quotas.count(identity)
        await quotas.reserve(identity, 1)

    return awaited(count, times)


def friction_cost() -> float:
    friction = Friction(FrictionSettings(), MemoryNotes(), MemoryCounters(), KEY)

    async def fill() -> None:
        for number in range(NOTES):
            tried = await friction.weigh(
                "key_a", f"{PROMPT} {number:07}" if not number else f"{number:07} " * 9
            )
            await friction.refused(tried)

    asyncio.run(fill())
    return awaited(lambda: friction.weigh("key_a", "three cats asleep on a red sofa"), 300)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, running_issuer() as issuer:
        home = Home.create(Path(folder) / "home", provider="Benchmark", version="0.0")
        keys = ApiKeys.of(home)
        token = keys.create(KeyTerms(tenant="a")).token
        issuers = Issuers([issuer.settings()], home.commitment_key)
        signed = issuer.token(time.time())
        callers = Callers(home, keys=keys, monotonic=lambda: 0.0)
        callers.of_token(token)

        async def known() -> None:
            await callers.of(request_with(token))

        secret = token.rpartition("_")[2].encode()
        floor = cost(lambda: hmac.digest(KEY, secret, "sha256"), 20_000)
        rows = [
            ("HMAC-SHA-256 of a secret (floor)", floor),
            ("a request, and nothing known of its caller", cost(lambda: request_with(token), 3000)),
            ("a caller who is known, with their request", awaited(known, 3000)),
            (
                "an API key that is not known, from the database",
                cost(lambda: keys.check(token), 300),
            ),
            ("a token (ES256) that is not known", cost(lambda: issuers.check(signed), 300)),
            ("a sketch of a prompt of 80 characters", cost(lambda: sketch(PROMPT, KEY), 1000)),
            (f"a prompt against {NOTES} that were refused", friction_cost()),
            ("requests and pictures counted, in memory", quotas_cost(MemoryCounters(), 2000)),
        ]
        if shutil.which("redis-server") and find_spec("redis"):
            with running_redis() as server:
                counters = RedisCounters(server.url)
                rows.append(("the same in Redis, our side of it", quotas_cost(counters, 300)))
                counters.close()
        else:
            print("the same in Redis: not measured, there is none here")
        keys.close()
        home.ledger.close()
    for name, microseconds in rows:
        print(f"{name:48} {microseconds:9.1f} us {microseconds / floor:8.1f} x")
    per_request = rows[2][1] - rows[1][1]
    print(
        f"\nrecognising a known caller adds {per_request:.1f} us to a request,"
        f" of {TARGET:.0f} allowed"
    )
    return 0 if per_request <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
