"""A transformers sequence classifier from a folder, as an assessor of prompts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Assessment, AssessorRef
from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.prompts.adapters.checkpoint import loaded, sendable
from policies.categories import CATEGORIES, CORE_CATEGORIES

_BATCH = 16  # windows
_LONGEST = 512  # tokens of a window, where neither model nor tokenizer says less
_SHORTEST = 8

Activation = Literal["softmax", "sigmoid"]


class ClassifierAssessor:
    """``labels``: each label of the model -> the categories that it means, none if harmless.

    A category's score is the sum of its labels' probabilities under softmax, their maximum under
    sigmoid; "unsafe" is the same over the labels of all core categories. Long prompts are read in
    overlapping windows, the worst counts. The probabilities are the model's own: measure with
    ``wardmark evaluate prompts`` before you set ``threshold``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sha256: str,
        labels: Mapping[str, Sequence[str]],
        threshold: float = 0.5,
        activation: Activation | None = None,
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or the labels not these."""
        self._tokenizer, self._model = loaded(
            folder, sha256, auto_class="AutoModelForSequenceClassification", dtype="float32"
        )
        config = self._model.config
        names = [config.id2label[i] for i in range(config.num_labels)]
        if set(names) != set(labels):
            raise WeightsInvalid(
                f"The labels of {folder} are {', '.join(names)}; map each of them to categories, "
                "to [] where it is harmless."
            )
        multiple = config.problem_type == "multi_label_classification"
        self._activation: Activation = activation or ("sigmoid" if multiple else "softmax")
        named = sorted({category for each in labels.values() for category in each})
        core = [any(c in CORE_CATEGORIES for c in labels[name]) for name in names]
        self._members = {c: np.array([c in labels[name] for name in names]) for c in named}
        self._members["unsafe"] = np.array(core)
        self._threshold = threshold
        self._alone = Lock()  # tokenizers may not be borrowed by two threads at once
        limits = (self._tokenizer.model_max_length, getattr(config, "max_position_embeddings", 0))
        self._longest = max(min(x for x in (*limits, _LONGEST) if x > 0), _SHORTEST)
        self._ref = AssessorRef(name=folder.name, version=config.model_type, digest=sha256)

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._members) - {"unsafe"}

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text. Raises SafetyUnavailable where the model fails."""
        if not texts:
            return []
        with self._alone:
            probabilities = self._probabilities([sendable(text) for text in texts])
        return [self._assessment(row) for row in probabilities]

    def _probabilities(self, texts: list[str]) -> list[NDArray[np.float64]]:
        """Per text: (W, L) over windows and labels."""
        import torch

        encoded = self._tokenizer(
            texts,
            truncation=True,
            max_length=self._longest,
            stride=self._longest // 4,
            return_overflowing_tokens=True,
        )
        owner = np.array(encoded.pop("overflow_to_sample_mapping"))
        rows = []
        try:
            for at in range(0, len(owner), _BATCH):
                part = {name: values[at : at + _BATCH] for name, values in encoded.items()}
                padded = self._tokenizer.pad(part, return_tensors="pt")
                with torch.inference_mode():
                    logits = self._model(**padded).logits
                together = logits.softmax(-1) if self._activation == "softmax" else logits.sigmoid()
                rows.append(together.double().numpy())
        except RuntimeError as error:
            raise SafetyUnavailable(f"The guard {self._ref.name} failed: {error}") from error
        found = np.concatenate(rows)
        if not np.isfinite(found).all():
            raise SafetyUnavailable(f"The guard {self._ref.name} gave no number as an answer.")
        return [found[owner == i] for i in range(len(texts))]

    def _assessment(self, windows: NDArray[np.float64]) -> Assessment:
        scores = {}
        for category, members in self._members.items():
            if not members.any():
                continue
            of_labels = windows[:, members]
            each = of_labels.sum(1) if self._activation == "softmax" else of_labels.max(1)
            scores[category] = float(np.clip(each.max(), 0.0, 1.0))
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds=dict.fromkeys(scores, self._threshold),
            not_assessed=frozenset(CATEGORIES) - self.covers,
        )
