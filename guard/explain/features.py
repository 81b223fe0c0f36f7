"""What an assessor groups together: its features over many decisions, in a few directions.

Principal components (Pearson 1901) place each picture on a plane; non-negative factors (Lee and
Seung 1999) say which parts it is made of. Rows are pictures, (N, D).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

ROUNDS: Final = 300
_NOTHING: Final = 1e-9


class Components(NamedTuple):
    """``places`` (N, K) along the ``directions`` (K, D); ``share`` (K,) of the variance."""

    places: Features
    directions: Features
    share: Features


class Factors(NamedTuple):
    """``features`` is about ``parts`` (N, K) times ``patterns`` (K, D), none negative.

    ``error``: of the reconstruction, relative to the features (Frobenius).
    """

    parts: Features
    patterns: Features
    error: float


def principal_components(features: Features, count: int = 2) -> Components:
    """The directions in which the pictures differ most. Signs are fixed: each direction's largest
    entry is positive. Raises ValueError for fewer than two pictures."""
    if len(features) < 2:
        raise ValueError("components need two pictures or more")
    centred = features - features.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    count = min(count, len(sizes))
    signs = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(axis=1)])
    share = sizes**2 / max(float((sizes**2).sum()), _NOTHING)
    return Components(
        places=left[:, :count] * sizes[:count] * signs,
        directions=right[:count] * signs[:, None],
        share=share[:count],
    )


def non_negative_factors(features: Features, count: int = 3, *, seed: int = 0) -> Factors:
    """Multiplicative updates; the patterns are unit vectors, the heaviest first.

    Raises ValueError for features below 0.
    """
    if (features < 0).any():
        raise ValueError("non-negative factors need features of at least 0, as after a ReLU")
    rng = np.random.default_rng(seed)
    scale = np.sqrt(max(float(features.mean()), _NOTHING) / count)
    parts = rng.random((len(features), count)) * scale + _NOTHING
    patterns = rng.random((count, features.shape[1])) * scale + _NOTHING
    for _ in range(ROUNDS):
        patterns *= (parts.T @ features) / (parts.T @ parts @ patterns + _NOTHING)
        parts *= (features @ patterns.T) / (parts @ (patterns @ patterns.T) + _NOTHING)
    lengths = np.linalg.norm(patterns, axis=1)
    patterns, parts = patterns / np.maximum(lengths[:, None], _NOTHING), parts * lengths
    order = np.argsort(-parts.sum(axis=0), kind="stable")
    whole = max(float(np.linalg.norm(features)), _NOTHING)
    error = float(np.linalg.norm(features - parts @ patterns)) / whole
    return Factors(parts[:, order], patterns[order], error)
