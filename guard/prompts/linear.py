"""The linear model: one logistic regression for each category over hashed n-grams.

TF-IDF without counts, the words and the characters of a text normalised to unit length each, then
w.x + b for every head. The weights and the vocabulary are one safetensors file.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from guard.prompts.features import BUCKETS, WORD_BUCKETS, distinct, features, occurrences
from guard.prompts.vocabulary import Vocabulary

Matrix = NDArray[np.float32]


class LinearModel:
    """Scores folded texts. Immutable, safe to share between threads."""

    def __init__(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._weights: Matrix = tensors["weights"].astype(np.float32)
        self._bias: Matrix = tensors["bias"].astype(np.float32)
        self.heads = len(self._bias)
        self._idf: Matrix = tensors["idf"].astype(np.float32)
        self._row = np.full(BUCKETS, -1, dtype=np.int32)
        self._row[tensors["buckets"].astype(np.int64)] = np.arange(len(self._weights))
        self._words = int(np.searchsorted(tensors["buckets"].astype(np.int64), WORD_BUCKETS))
        self.vocabulary = Vocabulary(
            dict(
                zip(
                    tensors["vocabulary.hashes"].tolist(),
                    tensors["vocabulary.log_probabilities"].astype(np.float64).tolist(),
                    strict=True,
                )
            )
        )

    @classmethod
    def load(cls, raw: bytes) -> "LinearModel":
        """From the bytes of a safetensors file. Raises ValueError where they are no such model."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return cls(load(raw))
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"no linear model: {error}") from error

    def logits(self, texts: Sequence[str]) -> Matrix:
        """(N, H) logits of folded texts, each at most a window long."""
        out = np.tile(self._bias, (len(texts), 1))
        for i, text in enumerate(texts):
            rows, values = self._input(features(text))
            out[i] += values @ self._weights[rows]
        return out

    def _input(self, found: NDArray[np.int64]) -> tuple[NDArray[np.int32], Matrix]:
        """Rows of the weights that the features of a text touch, and the value of each."""
        rows = self._row[found]
        rows = rows[rows >= 0]
        values = self._idf[rows]
        words = int(np.searchsorted(rows, self._words))
        for block in (slice(0, words), slice(words, None)):
            norm = np.sqrt(values[block] @ values[block])
            if norm > 0:
                values[block] /= norm
        return rows, values

    def contributions(self, text: str) -> Matrix:
        """(len(text), H) what each character adds to the logit of each head.

        A feature's share is spread evenly over all the characters of all its occurrences, so the
        sum is the logit less the bias: exact, as the model is linear.
        """
        found = occurrences(text)
        rows, values = self._input(distinct(found.buckets))
        row = self._row[found.buckets]
        kept = row >= 0
        at = np.searchsorted(rows, row[kept])
        starts, ends = found.starts[kept], found.ends[kept]
        times = np.bincount(at, minlength=len(rows)) * 1.0
        share = (values / times)[:, None] * self._weights[rows]
        each = share[at] / np.maximum(ends - starts, 1)[:, None]
        ends = np.minimum(np.maximum(ends, starts + 1), len(text))
        # Differences at the ends of every range, then a running sum, lays all ranges at once.
        steps = [
            np.bincount(starts, head, len(text) + 1) - np.bincount(ends, head, len(text) + 1)
            for head in each.T
        ]
        return np.cumsum(steps, axis=1).T[:-1].astype(np.float32)
