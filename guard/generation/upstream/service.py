"""One HTTP service that draws: asked within limits, given up when the client leaves."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled
from guard.generation.upstream.breaker import Breaker
from policies.errors import WardmarkError
from provenance.fetch import is_loopback

MAX_ANSWER: Final = 256 << 20  # bytes: ten pictures of 4096x4096 as base64
RETRIES: Final = 3
_NOT_BEGUN: Final = frozenset({429, 503})
"""Statuses that say that nothing was done, so that asking again draws nothing twice."""
_FIRST_PAUSE: Final = 0.25  # seconds; doubled for each further one, then drawn from half to whole
_LONGEST_PAUSE: Final = 8.0
_LOOK_EVERY: Final = 0.05  # seconds between two looks at ``cancelled``
_CONNECT_SECONDS: Final = 5.0

Cancelled = Callable[[], bool] | None


class Answer:
    """A whole answer. ``json`` raises CoreFailed where it is none."""

    def __init__(self, host: str, status: int, content: bytes, retry_after: str | None) -> None:
        self.host, self.status, self.content = host, status, content
        self.retry_after = retry_after

    def json(self) -> Any:
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise CoreFailed(f"{self.host} does not answer in JSON, as its API does.") from error


class Service:
    """``url``: where the API begins. ``timeout``: seconds for one answer, until its last byte.

    Follows no redirects, asks no proxy, sends ``key`` as a bearer token, or as HTTP basic
    authentication where it holds a colon. Nothing of a prompt is in any message.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 120.0,
        plain_http: bool = False,
        breaker: Breaker | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ValueError for a URL that is not https, nor http on this machine or, where
        ``plain_http`` allows it, anywhere."""
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        plain = parts.scheme == "http" and (plain_http or is_loopback(self.host))
        if not (parts.scheme == "https" or plain) or not self.host:
            raise ValueError(
                f"{url!r} is not https://..., nor http:// on this machine (plain_http = true"
                " allows others)"
            )
        self.url = url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._breaker = breaker or Breaker()
        self._sleep = sleep

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Something that can be asked for again: retried with growing pauses and jitter."""
        return self._repeated(lambda: self._once("GET", path, params=params), again=_fails)

    def post(self, path: str, cancelled: Cancelled = None, **sent: Any) -> Answer:
        """Work, asked for again only where it was not begun. ``sent`` as httpx takes it (``json``,
        ``data``, ``files``). ``cancelled``: GenerationCancelled as soon as it says so."""
        with self._breaker.call(self.host):
            answer = self._repeated(
                lambda: self._once("POST", path, cancelled, **sent), again=_not_begun
            )
            if answer.status >= 500:
                raise CoreUnavailable(_broken(self.host, answer.status))
            return answer

    def tell(self, path: str, **sent: Any) -> None:
        """A word whose answer does not matter, such as to stop."""
        try:
            self._once("POST", path, **sent)
        except (WardmarkError, _NotReached):
            return

    def _repeated(self, ask: Callable[[], Answer], again: Callable[[Answer], bool]) -> Answer:
        for attempt in range(RETRIES):
            try:
                answer = ask()
            except _NotReached as error:
                why, told = str(error), None
            else:
                if not again(answer):
                    return answer
                why, told = f"status {answer.status}", answer.retry_after
            if attempt + 1 < RETRIES:
                self._sleep(_pause(attempt, told))
        raise CoreUnavailable(f"{self.host} cannot draw now ({why}). Try again later.")

    def _once(self, method: str, path: str, cancelled: Cancelled = None, **sent: Any) -> Answer:
        return asyncio.run(self._unless(cancelled, self._asked(method, path, **sent)))

    async def _unless(self, cancelled: Cancelled, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """What ``asking`` brings; its connection is closed as soon as nobody wants it any more."""
        task = asyncio.create_task(asking)
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_EVERY if cancelled else None)
            if cancelled is not None and cancelled():
                task.cancel()
                await asyncio.wait({task})
                raise GenerationCancelled
        return task.result()

    async def _asked(self, method: str, path: str, **sent: Any) -> Answer:
        headers, auth = {"User-Agent": "wardmark"}, None
        if self._key and ":" in self._key:
            name, _, word = self._key.partition(":")
            auth = httpx.BasicAuth(name, word)
        elif self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        limits = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        content = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(timeout=limits, trust_env=False, auth=auth) as client,
                client.stream(method, f"{self.url}{path}", headers=headers, **sent) as response,
            ):
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise CoreFailed(f"{self.host} answers more than {MAX_ANSWER:,} bytes.")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotReached(type(error).__name__) from error
        except TimeoutError as error:
            raise CoreUnavailable(
                f"{self.host} gave no whole answer within {self._timeout:g} s. Raise its timeout,"
                " or ask for less."
            ) from error
        except httpx.HTTPError as error:
            raise CoreUnavailable(f"{self.host} broke off ({type(error).__name__}).") from error
        told = response.headers.get("retry-after")
        return Answer(self.host, response.status_code, bytes(content), told)


class _NotReached(Exception):
    """Nothing was sent."""


def _fails(answer: Answer) -> bool:
    return answer.status in _NOT_BEGUN or answer.status >= 500


def _not_begun(answer: Answer) -> bool:
    return answer.status in _NOT_BEGUN


def _pause(attempt: int, told: str | None) -> float:
    seconds: float = _FIRST_PAUSE * 2**attempt
    if told is not None and told.isascii() and told.isdigit():
        seconds = float(told)
    return min(seconds, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def _broken(host: str, status: int) -> str:
    return f"{host} broke while drawing (status {status}). Look at its own log; try again later."
