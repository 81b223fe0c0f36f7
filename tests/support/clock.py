"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class InMemoryClock:
    """Call it for the time (UTC, aware), as one would call ``lambda: datetime.now(UTC)``."""

    def __init__(self, now: datetime = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        if by < timedelta(0):
            raise ValueError("time goes forward")
        self._now += by
