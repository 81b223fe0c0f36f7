"""An HTTP endpoint that speaks OpenAI's ``POST /v1/moderations``, as an assessor of prompts."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from guard.assessment import Assessment, AssessorRef
from guard.prompts.adapters.checkpoint import sendable
from guard.prompts.adapters.crosswalk import OPENAI
from guard.prompts.adapters.endpoint import Endpoint, Result
from policies.categories import CATEGORIES

BATCH = 32  # texts of a request


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
        self._endpoint = Endpoint(
            url, model=model, key=key, timeout=timeout, retries=retries, sleep=sleep
        )
        self._threshold = threshold
        digest = hashlib.sha256(f"{url}\0{model}".encode()).hexdigest()
        self._ref = AssessorRef(
            name=f"moderations:{self._endpoint.host}", version=model or "unnamed", digest=digest
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
            results = self._endpoint.ask([sendable(texts[i]) for i in batch], len(batch))
            found |= zip(batch, map(self._assessment, results), strict=True)
        nothing = self._assessed(dict.fromkeys((*self.covers, "unsafe"), 0.0))
        return [found.get(i, nothing) for i in range(len(texts))]

    def _assessment(self, result: Result) -> Assessment:
        return self._assessed(result.scores(self._threshold))

    def _assessed(self, scores: Mapping[str, float]) -> Assessment:
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds=dict.fromkeys(scores, self._threshold),
            not_assessed=frozenset(CATEGORIES) - frozenset(scores),
        )
