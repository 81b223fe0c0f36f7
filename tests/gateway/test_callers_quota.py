"""Limits of callers and tenants: the same in one process and in Redis."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import LimitsUnavailable, QuotaExhausted, RateLimited
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, Identity, KeyTerms, Limits
from guard.gateway.callers.quota import Quotas
from guard.gateway.callers.redis import RedisCounters
from guard.gateway.limits import DAY, MINUTE, Counters, MemoryCounters, Meter
from provenance.callers import CallerSettings
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.deployment import pipeline_of
from tests.support.redis import MISSING, RedisServer, running_redis

KEY = bytes(range(32))
NOON = 20_600 * DAY + DAY / 2


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None or find_spec("redis") is None:
        pytest.skip(MISSING)
    with running_redis() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters()
        return
    made = RedisCounters(request.getfixturevalue("redis").url)
    made._client.flushall()
    yield made
    made.close()


class Counting:
    """Quotas under a clock that a test moves."""

    def __init__(self, counters: Counters, **settings: object) -> None:
        self.now = NOON
        told = CallerSettings.model_validate(settings)
        self.quotas = Quotas(told, counters, KEY, lambda: self.now)

    def requests(self, identity: Identity, times: int) -> int:
        """How many of ``times`` requests pass."""
        passed = 0
        for _ in range(times):
            try:
                asyncio.run(self.quotas.count(identity))
            except RateLimited:
                continue
            passed += 1
        return passed

    def pictures(self, identity: Identity, number: int) -> tuple[int, float] | None:
        """What was left before, and the share that was used."""
        quota = asyncio.run(self.quotas.reserve(identity, number)).quota
        return quota and (quota.left, round(quota.share, 3))


def test_without_limits_nobody_is_held_up(counters: Counters) -> None:
    counting = Counting(counters)
    assert counting.requests(Identity(subject="key_a"), 50) == 50
    assert counting.pictures(Identity(subject="key_a"), 10) is None


def test_requests_come_back_evenly_over_the_minute(counters: Counters) -> None:
    counting = Counting(counters, limits={"requests_per_minute": 6})
    a, b = Identity(subject="key_a"), Identity(subject="key_b")
    assert counting.requests(a, 10) == 6
    assert counting.requests(b, 10) == 6, "callers do not share a limit"
    counting.now += 20
    assert counting.requests(a, 10) == 2
    with pytest.raises(RateLimited) as refused:
        asyncio.run(counting.quotas.count(a))
    assert refused.value.retry_after == 10
    counting.now += 10
    assert counting.requests(a, 10) == 1


def test_pictures_come_back_at_midnight_and_not_before(counters: Counters) -> None:
    counting = Counting(counters, limits={"pictures_per_day": 5})
    a = Identity(subject="key_a")
    assert counting.pictures(a, 4) == (5, 0.0)
    with pytest.raises(QuotaExhausted, match="5 pictures a day, 1 are left and 2") as refused:
        counting.pictures(a, 2)
    assert refused.value.retry_after == DAY / 2
    assert counting.pictures(a, 1) == (1, 0.8)
    counting.now += DAY / 2 - 1
    with pytest.raises(QuotaExhausted):
        counting.pictures(a, 1)
    counting.now += 1
    assert counting.pictures(a, 5) == (5, 0.0)


def test_what_was_not_delivered_comes_back_on_the_same_day_alone(counters: Counters) -> None:
    counting = Counting(counters, limits={"pictures_per_day": 5})
    a = Identity(subject="key_a")
    reserved = asyncio.run(counting.quotas.reserve(a, 5))
    asyncio.run(counting.quotas.give_back(reserved, 3))
    assert counting.pictures(a, 0) == (3, 0.4)
    asyncio.run(counting.quotas.give_back(reserved, 99))
    assert counting.pictures(a, 0) == (5, 0.0), "never more than the day's"
    counting.now += DAY
    assert counting.pictures(a, 5) == (5, 0.0)
    asyncio.run(counting.quotas.give_back(reserved, 3))
    assert counting.pictures(a, 0) == (0, 1.0)


def test_callers_of_a_tenant_share_its_limits_and_a_refusal_costs_neither(
    counters: Counters,
) -> None:
    counting = Counting(
        counters,
        limits={"pictures_per_day": 4},
        tenant_limits={"pictures_per_day": 6, "requests_per_minute": 3},
        tenants={"large": {"pictures_per_day": 8}},
    )
    one, two = (Identity(subject=f"key_{n}", tenant="small") for n in "ab")
    assert counting.requests(one, 2) + counting.requests(two, 5) == 3
    assert counting.pictures(one, 4) == (4, 0.0)
    with pytest.raises(QuotaExhausted, match="your organisation may have 6"):
        counting.pictures(two, 3)
    assert counting.pictures(two, 0) == (2, 0.667)
    large = Identity(subject="key_c", tenant="large")
    assert counting.requests(large, 9) == 3, "what is not said of one is as for all"
    counting.pictures(large, 4)
    with pytest.raises(QuotaExhausted, match="you may have 4"):
        counting.pictures(large, 1)


def test_what_a_key_says_goes_before_the_settings(counters: Counters) -> None:
    counting = Counting(counters, limits={"pictures_per_day": 5, "requests_per_minute": 2})
    own = Identity(subject="key_a", limits=Limits(requests_per_minute=4))
    assert counting.requests(own, 9) == 4
    assert counting.pictures(own, 0) == (5, 0.0)
    none = Identity(subject="key_b", limits=Limits(pictures_per_day=0))
    with pytest.raises(QuotaExhausted):
        counting.pictures(none, 1)
    assert counting.pictures(none, 0) == (0, 1.0)


def test_many_at_once_never_get_more_than_there_is(counters: Counters) -> None:
    meter = Meter("of all", "window", 40, 1, DAY)
    with ThreadPoolExecutor(8) as threads:
        levels = list(threads.map(lambda _: counters.take([meter], NOON)[0], range(120)))
    assert sum(one.allowed for one in levels) == 40


STEP = st.tuples(
    st.floats(0, 100),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(-3, 6)),
        min_size=1,
        max_size=3,
        unique_by=lambda m: m[0],
    ),
)
KINDS = {
    "a": ("bucket", 5, MINUTE),
    "b": ("window", 7, DAY),
    "c": ("bucket", 2.5, MINUTE),
}


@given(steps=st.lists(STEP, max_size=20))
def test_redis_counts_as_one_process_does(redis: RedisServer, steps: list[object]) -> None:
    remote, local, now = RedisCounters(redis.url), MemoryCounters(), NOON + DAY / 2 - 150
    remote._client.flushall()
    for wait, taking in steps:  # type: ignore[misc]
        now += wait
        meters = [
            Meter(name, KINDS[name][0], KINDS[name][1], amount, KINDS[name][2])  # type: ignore[arg-type]
            for name, amount in taking
        ]
        for theirs, ours in zip(remote.take(meters, now), local.take(meters, now), strict=True):
            assert tuple(theirs) == pytest.approx(tuple(ours), abs=1e-6)
    remote.close()


def test_several_processes_share_what_stands_in_redis(redis: RedisServer) -> None:
    first, second = RedisCounters(redis.url), RedisCounters(redis.url)
    first._client.flushall()
    settings = {"limits": {"requests_per_minute": 4}}
    a = Identity(subject="key_a")
    passed = Counting(first, **settings).requests(a, 3) + Counting(second, **settings).requests(
        a, 3
    )
    assert passed == 4
    names = b" ".join(first._client.keys())
    first.close()
    second.close()
    assert names == b"wardmark:meter:requests:key_a"


def test_a_redis_that_is_down_is_an_outage_until_it_is_back() -> None:
    if shutil.which("redis-server") is None or find_spec("redis") is None:
        pytest.skip(MISSING)
    with running_redis() as server:
        counters = RedisCounters(server.url)
        meter = Meter("one", "window", 40, 1, DAY)
        assert counters.take([meter], NOON)[0].allowed
        server.stop()
        with pytest.raises(LimitsUnavailable):
            counters.take([meter], NOON)
        server.start()
        assert counters.take([meter], NOON)[0].allowed
        counters.close()


def test_over_http_a_limit_is_429_with_its_time_and_each_route_counts_once(home: Home) -> None:
    keys = ApiKeys.of(home)
    token = keys.create(KeyTerms(limits=Limits(requests_per_minute=3))).token
    with served(create_app(home, pipeline_of(home))) as url:
        headers = {"authorization": f"Bearer {token}"}
        answers = [httpx.get(f"{url}/v1/models", headers=headers) for _ in range(4)]
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0) as client,
            pytest.raises(openai.RateLimitError) as refused,
        ):
            client.moderations.create(input="a calm sea")
    keys.close()
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[3].headers["retry-after"]) <= 20
    error = answers[3].json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert refused.value.code == "rate_limit_exceeded"
