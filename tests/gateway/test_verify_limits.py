"""The limit on how often one address may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import RateLimited
from guard.gateway import limits
from guard.gateway.limits import RateLimiter


def taken(limiter: RateLimiter, address: str, times: int) -> int:
    """How many of ``times`` requests pass."""
    passed = 0
    for _ in range(times):
        try:
            limiter.take(address)
        except RateLimited:
            continue
        passed += 1
    return passed


@given(steps=st.lists(st.tuples(st.floats(0, 90), st.integers(0, 30)), max_size=12))
def test_never_more_than_the_burst_and_the_refill(steps: list[tuple[float, int]]) -> None:
    now = 0.0
    limiter = RateLimiter(12, clock=lambda: now)
    passed = 0
    for wait, times in steps:
        now += wait
        passed += taken(limiter, "192.0.2.1", times)
    assert passed <= 12 + now * 12 / 60


def test_who_waits_as_told_may_ask_again() -> None:
    now = 0.0
    limiter = RateLimiter(3, clock=lambda: now)
    assert taken(limiter, "192.0.2.1", 5) == 3
    with pytest.raises(RateLimited) as refused:
        limiter.take("192.0.2.1")
    now += refused.value.retry_after
    limiter.take("192.0.2.1")


def test_addresses_do_not_share_a_limit_but_one_subscriber_does() -> None:
    limiter = RateLimiter(1, clock=lambda: 0.0)
    assert taken(limiter, "192.0.2.1", 2) == 1
    assert taken(limiter, "192.0.2.2", 2) == 1
    assert taken(limiter, "2001:db8::1", 1) == 1
    assert taken(limiter, "2001:db8::ffff", 1) == 0
    assert taken(limiter, "2001:db8:0:1::1", 1) == 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_METERS", 10)
    limiter = RateLimiter(1, clock=lambda: 0.0)
    for number in range(50):
        limiter.take(f"192.0.2.{number}")
    assert len(limiter.counters) == 10
    assert taken(limiter, "192.0.2.49", 1) == 0, "who asked last is remembered"
