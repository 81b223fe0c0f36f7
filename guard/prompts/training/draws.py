"""What the encoder is shown: balanced draws over the sources, with tails and slips of the hand."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.prompts.training.corpus import Prompt
from guard.prompts.training.harmless import with_tail
from guard.prompts.training.obfuscation import cut_words, typos

# "shocking" counts towards "unsafe" but has no head: one fold alone has examples of it, so that
# nothing could tell whether a head had learnt the category or its makers.
HEADS = ("unsafe", "sexual", "violence", "hate_harassment", "self_harm", "illegal_dangerous")

_FULL_SIZE = 400  # prompts of a source and label from which it counts in full
_TAILED = 0.3  # share of drawn prompts that get a tail of style words, safe and unsafe alike
_SLIPS = 0.08  # share of drawn prompts with slips of the hand
_OTHER_HARM = 0.3  # weight of other harm as a negative of a head: a prompt has one label
# Users' own prompts are what the guard is for and what the pool is short of.
_EMPHASIS = {
    ("user_pickapic", False): 2.0,
    ("user_imagereward", False): 2.0,
    ("own", False): 3.2,  # a fifth of the harmless prompts, and of the harmful ones
    ("own", True): 3.2,
    ("copro_train", True): 1.6,
    ("copro_test", True): 1.6,
    ("overt_unsafe", True): 1.6,
    ("civitai", True): 1.6,
}

Array = NDArray[np.float32]


class Targets(NamedTuple):
    """``labels``: (P, H) in {0, 1}; ``belief``: (P, H) in [0, 1] how far each is to be believed."""

    labels: Array
    belief: Array


def targets(prompts: Sequence[Prompt]) -> Targets:
    """Labels of all heads. Unlabelled prompts count as benign."""
    labels = np.zeros((len(prompts), len(HEADS)), dtype=np.float32)
    belief = np.ones_like(labels)
    for i, prompt in enumerate(prompts):
        if prompt.unsafe:
            belief[i] = _OTHER_HARM
            for head, category in enumerate(HEADS):
                if category == "unsafe" or category in prompt.categories:
                    labels[i, head] = belief[i, head] = 1
    return Targets(labels, belief)


def balance(prompts: Sequence[Prompt], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(P,) chances of being drawn, which sum to 1: half unsafe, and every source alike.

    A source of fewer than ``_FULL_SIZE`` prompts counts for less, so that none is seen too often.
    """
    groups: dict[tuple[str, bool], list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        groups.setdefault((prompts[i].source, bool(prompts[i].unsafe)), []).append(i)
    chances = np.zeros(len(prompts))
    for unsafe in (True, False):
        side = {key: rows for key, rows in groups.items() if key[1] == unsafe}
        for key, rows in side.items():
            chances[rows] = _EMPHASIS.get(key, 1.0) / max(len(rows), _FULL_SIZE)
        rows = [i for group in side.values() for i in group]
        chances[rows] /= 2 * chances[rows].sum()
    return chances


class Draw(NamedTuple):
    """``texts``: folded; ``prompt``: (N,) the index of the prompt behind each."""

    texts: list[str]
    prompt: NDArray[np.int64]


def draw(folded: Sequence[str], chances: NDArray[np.float64], count: int, seed: int) -> Draw:
    """``count`` prompts by their chances, some with a tail, some with slips of the hand."""
    prompt = np.random.default_rng(seed).choice(len(folded), count, p=chances)
    rng = random.Random(seed)  # noqa: S311 - reproducible draws, no secret
    texts = []
    for i in prompt:
        text = folded[i]
        if rng.random() < _TAILED:
            text = with_tail(text, rng)
        if rng.random() < _SLIPS:
            text = rng.choice((typos, cut_words))(text, rng)
        texts.append(text)
    return Draw(texts, prompt)
