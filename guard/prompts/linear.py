"""The linear model: one logistic regression for each category over hashed n-grams.

TF-IDF without counts, the words and the characters of a text normalised to unit length each, then
w.x + b for every head and Platt's sigmoid (1999). The weights are one safetensors file, the rest is
``prompt-linear.json`` beside it, which holds the file's SHA-256.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from guard.errors import WeightsInvalid
from guard.prompts.features import BUCKETS, WORD_BUCKETS, features, occurrences
from guard.prompts.vocabulary import Vocabulary
from policies.decision import Frozen

WEIGHTS = "prompt-linear.safetensors"
MANIFEST = "prompt-linear.json"

WINDOW = 800  # characters of a folded text that are scored at once
_STRIDE = 400  # characters; half a window, so that no phrase is cut in every one

Matrix = NDArray[np.float32]


class Platt(Frozen):
    """probability = sigmoid(slope * logit + offset)."""

    slope: float = Field(gt=0)
    offset: float


class Head(Frozen):
    """One category: how its logit becomes a probability, and where it is flagged.

    ``threshold`` is the probability at which ``false_positive_rate`` of the benign mixture is
    flagged; ``false_positive_bound`` is the upper end of the 95 % Clopper-Pearson interval on it.
    """

    category: str
    calibration: Platt
    threshold: float = Field(ge=0, le=1)
    false_positive_rate: float = Field(ge=0, le=1)
    false_positive_bound: float = Field(ge=0, le=1)


class Manifest(Frozen):
    """What ``prompt-linear.json`` says of the weights beside it."""

    name: str
    version: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    prior: float = Field(gt=0, lt=1)
    heads: tuple[Head, ...]


class Window(NamedTuple):
    """Characters [start, end) of a reading."""

    start: int
    end: int


def windows(text: str) -> list[Window]:
    """Overlapping windows that cover a folded text; one for all but long prompts."""
    last = max(len(text) - WINDOW, 0)
    starts = [*range(0, last, _STRIDE), last]
    return [Window(start, min(start + WINDOW, len(text))) for start in starts]


class LinearModel:
    """Scores folded texts. Immutable, safe to share between threads."""

    def __init__(self, manifest: Manifest, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self.manifest = manifest
        self.categories = tuple(head.category for head in manifest.heads)
        self.thresholds = {head.category: head.threshold for head in manifest.heads}
        self._weights: Matrix = tensors["weights"].astype(np.float32)
        self._bias: Matrix = tensors["bias"].astype(np.float32)
        self._idf: Matrix = tensors["idf"].astype(np.float32)
        self._row = np.full(BUCKETS, -1, dtype=np.int32)
        self._row[tensors["buckets"].astype(np.int64)] = np.arange(len(self._weights))
        self._words = int(np.searchsorted(tensors["buckets"].astype(np.int64), WORD_BUCKETS))
        self._slopes = np.array([h.calibration.slope for h in manifest.heads], np.float32)
        self._offsets = np.array([h.calibration.offset for h in manifest.heads], np.float32)
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
    def load(cls, directory: Path) -> "LinearModel":
        """Reads and checks the two files of ``directory``.

        Raises WeightsInvalid where one is missing or unreadable or the SHA-256 does not match.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            manifest = Manifest.model_validate_json((directory / MANIFEST).read_bytes())
            raw = (directory / WEIGHTS).read_bytes()
        except (OSError, ValidationError) as error:
            raise WeightsInvalid(
                f"The prompt model in {directory} cannot be read ({error}). Reinstall the package, "
                "or train it again: python -m guard.prompts.training --help."
            ) from error
        digest = hashlib.sha256(raw).hexdigest()
        if digest != manifest.sha256:
            raise WeightsInvalid(
                f"{directory / WEIGHTS} has SHA-256 {digest}, on record is {manifest.sha256}. "
                "Put back the file that belongs to the record; nothing is assessed until then."
            )
        try:
            return cls(manifest, load(raw))
        except (SafetensorError, KeyError, ValueError) as error:
            raise WeightsInvalid(f"{directory / WEIGHTS} is no prompt model: {error}") from error

    def logits(self, texts: Sequence[str]) -> Matrix:
        """(N, H) logits of folded texts, each at most a window long."""
        out = np.tile(self._bias, (len(texts), 1))
        for i, text in enumerate(texts):
            rows, values = self._input(text)
            out[i] += values @ self._weights[rows]
        return out

    def probabilities(self, logits: Matrix) -> Matrix:
        """Calibrated probabilities of logits of any shape (..., H), strictly within (0, 1)."""
        scaled = np.clip(self._slopes * logits + self._offsets, -15, 15)
        return np.asarray(1 / (1 + np.exp(-scaled)), dtype=np.float32)

    def _input(self, text: str) -> tuple[NDArray[np.int32], Matrix]:
        """Rows of the weights that a text touches, and the value of each."""
        rows = self._row[features(text)]
        rows = rows[rows >= 0]
        values = self._idf[rows]
        words = int(np.searchsorted(rows, self._words))
        for block in (slice(0, words), slice(words, None)):
            norm = np.sqrt(values[block] @ values[block])
            if norm > 0:
                values[block] /= norm
        return rows, values

    def contributions(self, text: str, category: str) -> Matrix:
        """(len(text),) what each character adds to the logit of a category.

        A feature's share is spread evenly over all the characters of all its occurrences, so the
        sum is the logit less the bias: exact, as the model is linear.
        """
        head = self.categories.index(category)
        rows, values = self._input(text)
        share = np.zeros(len(self._weights), dtype=np.float64)
        share[rows] = values * self._weights[rows, head]
        found = occurrences(text)
        row = self._row[found.buckets]
        lengths = np.maximum(found.ends - found.starts, 1)
        times = np.bincount(row[row >= 0], minlength=len(self._weights))
        each = np.where(row >= 0, share[row] / np.maximum(times[row], 1) / lengths, 0.0)
        # Differences at the ends of every range, then a running sum, lays all ranges at once.
        steps = np.zeros(len(text) + 1)
        np.add.at(steps, found.starts, each)
        np.add.at(steps, np.maximum(found.ends, found.starts + 1).clip(max=len(text)), -each)
        return np.cumsum(steps)[:-1].astype(np.float32)


def digest_of(directory: Path, rules: Sequence[bytes]) -> str:
    """SHA-256 (hex) over the manifest, which holds that of the weights, and the rules."""
    digest = hashlib.sha256((directory / MANIFEST).read_bytes())
    for rule in rules:
        digest.update(hashlib.sha256(rule).digest())
    return digest.hexdigest()


def write(
    directory: Path, manifest: Mapping[str, object], tensors: Mapping[str, NDArray[np.generic]]
) -> Manifest:
    """Writes the weights and their record; ``manifest`` lacks only the SHA-256."""
    from safetensors.numpy import save

    raw = save(dict(tensors))
    complete = Manifest.model_validate({**manifest, "sha256": hashlib.sha256(raw).hexdigest()})
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS).write_bytes(raw)
    (directory / MANIFEST).write_text(json.dumps(complete.model_dump(), indent=1) + "\n", "utf-8")
    return complete
