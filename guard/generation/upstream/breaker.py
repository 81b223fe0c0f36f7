"""A circuit breaker: a service that keeps failing is left alone for a while, then tried once.

After Nygard, Release It!, 2nd edition, 2018, chapter 5.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from guard.errors import CoreUnavailable

FAILURES: Final = 3
COOL_OFF: Final = 15.0  # seconds


class Breaker:
    """Open after ``failures`` outages in a row, for ``cool_off`` seconds of ``clock``.

    Then one call is let through, which closes it or opens it again. For all threads of a process.
    """

    def __init__(
        self,
        failures: int = FAILURES,
        cool_off: float = COOL_OFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._cool_off, self._clock = failures, cool_off, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Around one call of the service ``name``. Raises CoreUnavailable at once while it is open;
        of what the call raises, CoreUnavailable alone counts as an outage."""
        self._enter(name)
        try:
            yield
        except CoreUnavailable:
            self._leave(outage=True)
            raise
        except BaseException:
            self._leave(outage=False)
            raise
        self._leave(outage=False)

    def _enter(self, name: str) -> None:
        with self._lock:
            if self._opened_at is None:
                return
            left = self._opened_at + self._cool_off - self._clock()
            if left > 0 or self._trying:
                raise CoreUnavailable(
                    f"{name} failed {self._failures} times in a row and is not asked now; try again"
                    f" in {max(1, round(left))} s"
                )
            self._trying = True

    def _leave(self, *, outage: bool) -> None:
        with self._lock:
            self._trying = False
            self._failures = self._failures + 1 if outage else 0
            self._opened_at = self._clock() if self._failures >= self._most else None
