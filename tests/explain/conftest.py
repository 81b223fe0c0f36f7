"""An assessor whose every word has a known weight, and one that reads English."""

import math
from collections.abc import Mapping, Sequence

import pytest

from guard.assessment import Assessment, AssessorRef
from guard.prompts import load_assessor

THRESHOLD = 0.5


class WeighedWords:
    """A logistic regression on words: log odds are the sum of the weights of the words there."""

    ref = AssessorRef(name="weighed", version="1", digest="00" * 32)
    covers = frozenset({"violence"})

    def __init__(self, weights: Mapping[str, float], bias: float = -3.0) -> None:
        self.weights, self.bias = weights, bias
        self.texts = 0
        self.characters = 0

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        self.texts += len(texts)
        self.characters += sum(map(len, texts))
        return [self._assess(text) for text in texts]

    def _assess(self, text: str) -> Assessment:
        odds = self.bias + sum(self.weights.get(word, 0.0) for word in text.split())
        return Assessment(
            assessor=self.ref,
            subject="prompt",
            scores={"violence": 1 / (1 + math.exp(-odds))},
            thresholds={"violence": THRESHOLD},
        )


@pytest.fixture(scope="session")
def assessor():  # type: ignore[no-untyped-def]  # of whatever kind ships
    return load_assessor()
