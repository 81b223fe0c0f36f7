"""What the encoder is shown: balanced draws over the sources, with tails and slips of the hand."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.prompts.training.corpus import EVERYDAY, OWN, WRITTEN, Prompt
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
    ("copro_train", True): 1.6,
    ("copro_test", True): 1.6,
    ("overt_unsafe", True): 1.6,
    ("civitai", True): 1.6,
}
_SHARES = {OWN: 0.25, EVERYDAY: 0.12, WRITTEN: 0.2}  # of the harmful, and of the harmless drawn
_HALF = 30  # words of either half of a splice, at most
_SPLICED = 1 / 6  # as many as of the prompts drawn: the beginning of one and the end of another

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
    Our own sentences have ``_SHARES`` of a side.
    """
    groups: dict[tuple[str, bool], list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        groups.setdefault((prompts[i].source, bool(prompts[i].unsafe)), []).append(i)
    chances = np.zeros(len(prompts))
    for unsafe in (True, False):
        side = {key: rows for key, rows in groups.items() if key[1] == unsafe}
        for key, rows in side.items():
            chances[rows] = _EMPHASIS.get(key, 1.0) / max(len(rows), _FULL_SIZE)
        given = {key: _SHARES[key[0]] for key in side if key[0] in _SHARES}
        others = [i for key, rows in side.items() if key not in given for i in rows]
        chances[others] *= (1 - sum(given.values())) / chances[others].sum()
        for key, share in given.items():
            chances[side[key]] = share / len(side[key])
        chances[[i for rows in side.values() for i in rows]] /= 2
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


def draw_pairs(
    folded: Sequence[str], pairs: NDArray[np.int64], count: int, seed: int
) -> Draw:
    """``count`` of the (N, 2) pairs, one after the other; some with a tail, the same on both."""
    rng = random.Random(seed)  # noqa: S311 - reproducible draws, no secret
    texts, prompt = [], []
    for at in np.random.default_rng(seed).choice(len(pairs), count, replace=count > len(pairs)):
        tail = with_tail("", rng) if rng.random() < _TAILED else ""
        texts += [folded[i] + tail for i in pairs[at]]
        prompt += pairs[at].tolist()
    return Draw(texts, np.array(prompt, dtype=np.int64))


def splices(texts: Sequence[str], seed: int) -> list[str]:
    """The beginning of one text and the end of another: prompts of nobody, for a teacher."""
    rng = random.Random(seed)  # noqa: S311 - reproducible draws, no secret
    out = []
    for _ in range(int(_SPLICED * len(texts))):
        first, last = (rng.choice(texts).split() for _ in range(2))
        cut = rng.randint(1, max(len(first), 1))
        out.append(" ".join((*first[:cut][:_HALF], *last[len(last) // 2 :][:_HALF])))
    return out
