"""An HTTP endpoint that speaks OpenAI's ``POST /v1/moderations``, as an assessor of prompts."""

import hashlib
import http.client
import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, Field, ValidationError

from guard.assessment import Assessment, AssessorRef
from guard.errors import SafetyUnavailable
from guard.prompts.adapters.checkpoint import sendable
from guard.prompts.adapters.crosswalk import OPENAI
from policies.categories import CATEGORIES, CORE_CATEGORIES

BATCH = 32  # texts of a request
MAX_ANSWER = 4 << 20  # bytes
_CHUNK = 1 << 16  # bytes
_FIRST_PAUSE = 0.25  # seconds before the first repetition; doubled for each further one
_LONGEST_PAUSE = 4.0  # seconds, whatever Retry-After says
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class _Result(BaseModel):
    flagged: bool
    categories: Mapping[str, bool]
    category_scores: Mapping[str, float] = Field(default_factory=dict)


class _Answer(BaseModel):
    results: list[_Result]


class _TryAgain(Exception):
    """One attempt failed in a way that the next may not; ``pause`` in seconds if it was told."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class ModerationsAssessor:
    """Sends prompts to ``url``; an outage is SafetyUnavailable, never a pass.

    ``timeout``: seconds for one attempt in all, answer included. A category that the endpoint flags
    scores at least ``threshold``, whatever number it gives. Prompts are in no message.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        key: str | None = None,
        threshold: float = 0.5,
        timeout: float = 5.0,
        retries: int = 2,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ValueError for a URL that is not https, or http on this machine."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))) or not host:
            raise ValueError(f"{url!r} is not https://..., nor http:// on this machine")
        self._parts, self._host = parts, host
        self._model, self._key, self._threshold = model, key, threshold
        self._timeout, self._retries, self._sleep = timeout, retries, sleep
        digest = hashlib.sha256(f"{url}\0{model}".encode()).hexdigest()
        self._ref = AssessorRef(
            name=f"moderations:{host}", version=model or "unnamed", digest=digest
        )

    @property
    def ref(self) -> AssessorRef:
        """Its digest is of the address and the model's name; the weights behind nobody can know."""
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(OPENAI.values())

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text. Raises SafetyUnavailable where the endpoint does not answer."""
        asked = [i for i, text in enumerate(texts) if text.strip()]
        found: dict[int, Assessment] = {}
        for at in range(0, len(asked), BATCH):
            batch = asked[at : at + BATCH]
            results = self._ask([sendable(texts[i]) for i in batch])
            found |= zip(batch, map(self._assessment, results), strict=True)
        nothing = self._assessed(dict.fromkeys((*self.covers, "unsafe"), 0.0))
        return [found.get(i, nothing) for i in range(len(texts))]

    def _ask(self, texts: list[str]) -> list[_Result]:
        body: dict[str, object] = {"input": texts}
        if self._model is not None:
            body["model"] = self._model
        pause, why = _FIRST_PAUSE, ""
        for attempt in range(self._retries + 1):
            if attempt:
                self._sleep(min(pause, _LONGEST_PAUSE))
            try:
                return self._once(orjson.dumps(body), len(texts))
            except _TryAgain as error:
                why = str(error)
                pause = _FIRST_PAUSE * 2**attempt if error.pause is None else error.pause
        raise SafetyUnavailable(
            f"The guard at {self._host} did not answer {self._retries + 1} times ({why}). Nothing "
            "passes until it does."
        )

    def _once(self, body: bytes, count: int) -> list[_Result]:
        until = time.monotonic() + self._timeout
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._host, self._parts.port, timeout=self._timeout)
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
                f"The guard at {self._host} answers with status {response.status}. Look at its "
                "address, model and key in wardmark.toml; nothing passes until then."
            )
        try:
            results = _Answer.model_validate(orjson.loads(raw)).results
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise SafetyUnavailable(
                f"The guard at {self._host} does not answer as /v1/moderations does."
            ) from error
        if len(results) != count:
            raise SafetyUnavailable(
                f"The guard at {self._host} gave {len(results)} results for {count} prompts."
            )
        return results

    def _assessment(self, result: _Result) -> Assessment:
        scores: dict[str, float] = {}
        for theirs, ours in OPENAI.items():
            if theirs not in result.category_scores and theirs not in result.categories:
                continue
            score = min(max(result.category_scores.get(theirs, 0.0), 0.0), 1.0)
            if result.categories.get(theirs, False):
                score = max(score, self._threshold)
            scores[ours] = max(scores.get(ours, 0.0), score)
        core = [score for category, score in scores.items() if category in CORE_CATEGORIES]
        if core or result.flagged:
            scores["unsafe"] = max(*core, self._threshold if result.flagged else 0.0, 0.0)
        return self._assessed(scores)

    def _assessed(self, scores: Mapping[str, float]) -> Assessment:
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds=dict.fromkeys(scores, self._threshold),
            not_assessed=frozenset(CATEGORIES) - frozenset(scores),
        )


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


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
