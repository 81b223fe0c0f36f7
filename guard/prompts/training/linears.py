"""The linear models of all folds, each kept in a working folder, so that training can go on."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from guard.prompts.training.corpus import Prompt
from guard.prompts.training.draws import targets
from guard.prompts.training.fit import logistic
from guard.prompts.training.harmless import with_tail
from guard.prompts.training.matrix import Buckets, Readings, read_all, select
from guard.prompts.training.obfuscation import OBFUSCATIONS
from guard.prompts.training.report import say
from guard.prompts.vocabulary import Vocabulary

_STRENGTH = 30.0  # inverse of the L2 penalty; 10 to 300 differ by less than .01 AUROC
_STEPS = 45  # of L-BFGS
_TAILED = 0.25  # share of image prompts that get a tail of style words
_DISGUISED = 0.1  # share of prompts that come a second time, disguised

Mask = NDArray[np.bool_]


class Linears:
    """Models for any set of prompts to learn from, kept under names."""

    def __init__(
        self, work: Path, prompts: Sequence[Prompt], seen: Readings, vocabulary: Vocabulary,
        licensed: Mask, seed: int,
    ) -> None:  # fmt: skip
        self._work = work
        self._vocabulary = vocabulary
        self._targets = targets(prompts)
        rows, self._prompt = _augmented(prompts, seen, vocabulary, seed)
        self._selection = select(
            [row for row, i in zip(rows, self._prompt, strict=True) if licensed[i]]
        )
        self._inputs = self._selection.matrix(rows)

    def model(self, name: str, usable: Mask, seconds: float) -> bytes:
        """The safetensors file of a model; ``seconds`` of wall clock for its fit."""
        path = self._work / f"linear-{name}.safetensors"
        if not path.exists():
            began = time.monotonic()
            rows = np.flatnonzero(usable[self._prompt])
            which = self._prompt[rows]
            labels, belief = self._targets
            found = logistic(
                self._inputs[rows], labels[which], belief[which], _STRENGTH, _STEPS,
                began + seconds,
            )  # fmt: skip
            path.write_bytes(
                save(
                    {
                        "weights": found.weights.astype(np.float16),
                        "bias": found.bias.astype(np.float32),
                        "buckets": self._selection.buckets.astype(np.uint32),
                        "idf": self._selection.idf.astype(np.float16),
                        **self._vocabulary.tensors(),
                    }
                )
            )
            say(f"linear model without {name}: {time.monotonic() - began:.0f} s")
        return path.read_bytes()


def _augmented(
    prompts: Sequence[Prompt], seen: Readings, vocabulary: Vocabulary, seed: int
) -> tuple[list[Buckets], NDArray[np.int64]]:
    """Feature rows, and which prompt each is of: all, some with a tail, some again in disguise."""
    rng = random.Random(seed)  # noqa: S311 - reproducible draws, no secret
    rows = seen.first()
    tailed = [i for i, p in enumerate(prompts) if p.image_prompt and rng.random() < _TAILED]
    texts = [with_tail(prompts[i].text, rng) for i in tailed]
    for i, row in zip(tailed, read_all(texts, vocabulary).first(), strict=True):
        rows[i] = row
    again = [i for i in range(len(prompts)) if rng.random() < _DISGUISED]
    ways = list(OBFUSCATIONS.values())
    hidden = read_all([rng.choice(ways)(prompts[i].text, rng) for i in again], vocabulary)
    return rows + hidden.last(), np.array([*range(len(prompts)), *again])
