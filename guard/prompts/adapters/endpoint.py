"""One HTTP endpoint that speaks OpenAI's ``POST /v1/moderations``: asked, asked again, believed."""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, Field, ValidationError

from guard.errors import SafetyUnavailable
from guard.prompts.adapters.crosswalk import OPENAI
from policies.categories import CORE_CATEGORIES
from provenance.fetch import is_loopback

MAX_ANSWER = 4 << 20  # bytes
_CHUNK = 1 << 16  # bytes
_FIRST_PAUSE = 0.25  # seconds before the first repetition; doubled for each further one
_LONGEST_PAUSE = 4.0  # seconds, whatever Retry-After says
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class Result(BaseModel):
    """What is said of one input. ``category_applied_input_types``: what each category read."""

    flagged: bool
    categories: Mapping[str, bool]
    category_scores: Mapping[str, float] = Field(default_factory=dict)
    category_applied_input_types: Mapping[str, Sequence[str]] | None = None

    def scores(self, threshold: float, *, read: str = "text") -> dict[str, float]:
        """Our categories, "unsafe" among them; what is flagged scores ``threshold`` at least.

        ``read``: the kind of input. A category that says it did not read it has no score.
        """
        scores: dict[str, float] = {}
        applied = self.category_applied_input_types
        for theirs, ours in OPENAI.items():
            if theirs not in self.category_scores and theirs not in self.categories:
                continue
            if applied is not None and read not in applied.get(theirs, ()):
                continue
            score = min(max(self.category_scores.get(theirs, 0.0), 0.0), 1.0)
            if self.categories.get(theirs, False):
                score = max(score, threshold)
            scores[ours] = max(scores.get(ours, 0.0), score)
        core = [score for category, score in scores.items() if category in CORE_CATEGORIES]
        if core or self.flagged:
            scores["unsafe"] = max(*core, threshold if self.flagged else 0.0, 0.0)
        return scores


class _Answer(BaseModel):
    results: list[Result]


class _TryAgain(Exception):
    """One attempt failed in a way that the next may not; ``pause`` in seconds if it was told."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class Endpoint:
    """``timeout``: seconds for one attempt in all, answer included. Inputs are in no message."""

    def __init__(
        self,
        url: str,
        *,
        model: str | None,
        key: str | None,
        timeout: float,
        retries: int,
        sleep: Callable[[float], None],
    ) -> None:
        """Raises ValueError for a URL that is not https, or http on this machine."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        if not safe or not host:
            raise ValueError(f"{url!r} is not https://..., nor http:// on this machine")
        self.host = host
        self._parts = parts
        self._model, self._key = model, key
        self._timeout, self._retries, self._sleep = timeout, retries, sleep

    def ask(self, inputs: Sequence[object], count: int) -> list[Result]:
        """``count`` results for ``inputs``. Raises SafetyUnavailable where there are none."""
        body: dict[str, object] = {"input": inputs}
        if self._model is not None:
            body["model"] = self._model
        pause, why = _FIRST_PAUSE, ""
        for attempt in range(self._retries + 1):
            if attempt:
                self._sleep(min(pause, _LONGEST_PAUSE))
            try:
                return self._once(orjson.dumps(body), count)
            except _TryAgain as error:
                why = str(error)
                pause = _FIRST_PAUSE * 2**attempt if error.pause is None else error.pause
        raise SafetyUnavailable(
            f"The guard at {self.host} did not answer {self._retries + 1} times ({why}). Nothing "
            "passes until it does."
        )

    def _once(self, body: bytes, count: int) -> list[Result]:
        until = time.monotonic() + self._timeout
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self.host, self._parts.port, timeout=self._timeout)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        try:
            connection.request("POST", path, body, headers)
            with connection.getresponse() as response:
                raw = _read(connection, response, until)
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgain(type(error).__name__) from error
        finally:
            connection.close()
        if response.status in _AGAIN:
            raise _TryAgain(f"status {response.status}", _seconds(response.headers["Retry-After"]))
        if response.status != http.client.OK:
            raise SafetyUnavailable(
                f"The guard at {self.host} answers with status {response.status}. Look at its "
                "address, model and key in wardmark.toml; nothing passes until then."
            )
        try:
            results = _Answer.model_validate(orjson.loads(raw)).results
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise SafetyUnavailable(
                f"The guard at {self.host} does not answer as /v1/moderations does."
            ) from error
        if len(results) != count:
            raise SafetyUnavailable(
                f"The guard at {self.host} gave {len(results)} results for {count} inputs."
            )
        return results


def _read(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, until: float
) -> bytes:
    """The whole answer, before ``until`` and within ``MAX_ANSWER``; drop by drop counts too."""
    raw = bytearray()
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise _TryAgain("too slow")
        if connection.sock is not None:
            connection.sock.settimeout(left)
        chunk = response.read1(_CHUNK)
        if not chunk:
            return bytes(raw)
        raw += chunk
        if len(raw) > MAX_ANSWER:
            raise _TryAgain("too long an answer")


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; its dates are not waited for."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
