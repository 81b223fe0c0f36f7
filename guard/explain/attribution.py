"""What each word adds to a score: exact ablation, Shapley values, and LIME.

All three ask one thing of an assessor, its ``Value``: what does the text score when only some of
its words stay? They return (N, C): N words, C categories. ``deletion`` and ``insertion`` are the
curves by which such rankings are judged (Petsiuk et al., RISE, 2018).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]
"""(M, N): which of N words stay."""
Scores = NDArray[np.float64]
Value = Callable[[Masks], Scores]
"""(M, N) masks to (M, C) scores, in log odds so that what several words add can be summed."""

_LIME_WIDTH = 0.25  # of the kernel, as the default of Ribeiro et al. (2016), squared cosine aside
_LIME_RIDGE = 1e-6


def without_each(words: int) -> Masks:
    """(N + 1, N): all words, then all but each one."""
    return np.concatenate((np.ones((1, words), np.bool_), ~np.eye(words, dtype=np.bool_)))


def ablation(value: Value, words: int) -> Scores:
    """(N, C): what the score loses when one word is taken out. N + 1 texts, exact."""
    scores = value(without_each(words))
    return np.asarray(scores[0] - scores[1:])


def shapley(value: Value, words: int, *, rounds: int, seed: int = 0) -> Scores:
    """(N, C): the mean of what a word adds over ``rounds`` orders of all words.

    Sampled as in Castro et al. (2009), every second order the reverse of the one before (Mitchell
    et al. 2022). The sum over the words is exactly the score of the text less that of no words.
    ``rounds`` * (N + 1) masks, of which many are alike.
    """
    rng = np.random.default_rng(seed)
    orders: list[NDArray[np.int64]] = []
    for i in range(rounds):
        orders.append(orders[-1][::-1] if i % 2 else rng.permutation(words))
    places = np.stack([np.argsort(order) for order in orders])  # (R, N): when each word enters
    masks = places[:, None, :] < np.arange(words + 1)[None, :, None]  # (R, N + 1, N)
    scores = value(masks.reshape(-1, words)).reshape(rounds, words + 1, -1)
    added = np.diff(scores, axis=1)  # (R, N, C), in the order of entering
    return np.asarray(np.mean([a[place] for a, place in zip(added, places, strict=True)], axis=0))


def lime(value: Value, words: int, *, samples: int, seed: int = 0) -> Scores:
    """(N, C): coefficients of a ridge regression on ``samples`` random masks, near ones heavier.

    Ribeiro et al. (2016), with the cosine distance between a mask and the whole text.
    """
    rng = np.random.default_rng(seed)
    removed = rng.integers(1, words + 1, samples)
    masks = np.argsort(rng.random((samples, words)), axis=1) >= removed[:, None]
    masks = np.concatenate((np.ones((1, words), np.bool_), masks))
    distance = 1 - np.sqrt(masks.mean(axis=1))
    root = np.exp(-(distance**2) / (2 * _LIME_WIDTH**2)) ** 0.5
    inputs = np.column_stack((masks, np.ones(len(masks)))) * root[:, None]
    targets = value(masks) * root[:, None]
    penalty = np.sqrt(_LIME_RIDGE) * np.eye(words, words + 1)  # the intercept goes free
    inputs = np.concatenate((inputs, penalty))
    targets = np.concatenate((targets, np.zeros((words, targets.shape[1]))))
    solved, *_ = np.linalg.lstsq(inputs, targets, rcond=None)
    return np.asarray(solved[:-1])


def deletion(value: Value, order: NDArray[np.int64]) -> Scores:
    """(N + 1, C): the score as words are taken out in ``order``. Falls early for a good order."""
    places = np.argsort(order)
    return value(places[None, :] >= np.arange(len(order) + 1)[:, None])


def insertion(value: Value, order: NDArray[np.int64]) -> Scores:
    """(N + 1, C): the score as words are put in, in ``order``. Rises early for a good order."""
    places = np.argsort(order)
    return value(places[None, :] < np.arange(len(order) + 1)[:, None])
