"""Fitting: L2-regularised logistic regressions for all heads, the fusion, and the calibration."""

import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from guard.prompts.model import Calibration, Fusion

# One source of tags, all of which name such terms, would otherwise make the hint a verdict.
_MOST_OF_TERMS = 3.0

_POINTS = 9  # of a calibration
_ENDS = 0.002  # share of the weight that lies beyond its outermost points, on either side
_LEAST_SLOPE = 0.05  # of a piece: no two scores become one
_MOST_SLOPE = 2.0  # where an end has prompts of one side only, the fit would rise without end

Array = NDArray[np.float32]
Scores = NDArray[np.float64]

_MEMORY = 6  # pairs of vectors that L-BFGS keeps


class Weights(NamedTuple):
    """``weights``: (F, H); ``bias``: (H,)."""

    weights: Array
    bias: Array


class _OutOfTime(Exception):
    """Raised within the optimiser to stop it."""


def logistic(
    inputs: csr_matrix, targets: Array, importance: Array, strength: float, steps: int,
    deadline: float,
) -> Weights:  # fmt: skip
    """Minimises weighted log loss + |w|^2 / (2 strength) by L-BFGS.

    ``inputs``: (N, F); ``targets``: (N, H) in {0, 1}; ``importance``: (N, H) >= 0. Stops after
    ``steps`` iterations or at ``deadline`` (monotonic seconds), with the best point so far.
    """
    features, heads = inputs.shape[1], targets.shape[1]
    transposed = inputs.T.tocsr()
    # Every row pulls at a bias and few at a weight: start it where it belongs and damp its steps.
    share = ((importance * targets).sum(axis=0) / importance.sum(axis=0)).clip(1e-3, 1 - 1e-3)
    damping = 2 / np.sqrt(len(targets))
    start = np.zeros((features + 1, heads))
    start[-1] = np.log(share / (1 - share)) / damping
    latest = start.ravel()

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        both = flat.reshape(features + 1, heads)
        weights = both[:-1].astype(np.float32)
        logits = inputs @ weights + (both[-1] * damping).astype(np.float32)
        gap = importance * (expit(logits) - targets)
        data = float((importance * (np.logaddexp(0, logits) - targets * logits)).sum())
        gradient = np.empty_like(both)
        gradient[:-1] = transposed @ gap + weights / strength
        gradient[-1] = gap.sum(axis=0) * damping
        return data + float((weights**2).sum()) / (2 * strength), gradient.ravel()

    def watch(flat: NDArray[np.float64]) -> None:
        latest[:] = flat
        if time.monotonic() > deadline:
            raise _OutOfTime

    try:
        found = minimize(
            loss, latest.copy(), jac=True, method="L-BFGS-B", callback=watch,
            options={"maxiter": steps, "maxcor": _MEMORY},
        ).x  # fmt: skip
    except _OutOfTime:
        print("the budget ended before the fit did", file=sys.stderr)
        found = latest
    both = found.reshape(features + 1, heads).astype(np.float32)
    return Weights(both[:-1], both[-1] * np.float32(damping))


def fusion(parts: Array, targets: NDArray[np.bool_], importance: Scores) -> Fusion:
    """The sigmoid over (N, 3) parts that minimises weighted log loss; no part weighs below nothing.

    Platt (1999) with three inputs: the encoder's logit, the linear one, and the terms.
    """
    inputs = np.concatenate((parts, np.ones((len(parts), 1), np.float32)), axis=1).astype(float)
    weighed = importance / importance.sum()

    def loss(point: Scores) -> tuple[float, Scores]:
        scaled = inputs @ point
        data = float((weighed * (np.logaddexp(0, scaled) - targets * scaled)).sum())
        return data, inputs.T @ (weighed * (expit(scaled) - targets))

    found = minimize(
        loss, np.array([0.5, 0.5, 0.0, 0.0]), jac=True, method="L-BFGS-B",
        bounds=[(0, None), (0, None), (0, _MOST_OF_TERMS), (None, None)],
    ).x  # fmt: skip
    return Fusion(
        encoder=float(found[0]), linear=float(found[1]), terms=float(found[2]),
        offset=float(found[3]),
    )  # fmt: skip


def calibration(fused: Scores, targets: NDArray[np.bool_], importance: Scores) -> Calibration:
    """The rising pieces that minimise weighted log loss, between points evenly apart.

    A sigmoid has two numbers and one shape; where a category is mostly told by one word, or mostly
    missed, its log odds have another. ``fused``: (N,) log odds.
    """
    order = np.argsort(fused)
    share = np.cumsum(importance[order]) / importance.sum()
    low, high = fused[order[np.searchsorted(share, (_ENDS, 1 - _ENDS))]]
    points = np.linspace(low, max(high, low + 1e-3), _POINTS)
    width = points[1] - points[0]
    # Column k rises by 1 between points k and k + 1; the outermost go on.
    limits = np.tile((0.0, 1.0), (_POINTS - 1, 1))
    limits[0, 0], limits[-1, 1] = -np.inf, np.inf
    inputs = np.clip((fused[:, None] - points[:-1]) / width, limits[:, 0], limits[:, 1])
    inputs = np.concatenate((inputs, np.ones((len(fused), 1))), axis=1)
    weighed = importance / importance.sum()

    def loss(point: Scores) -> tuple[float, Scores]:
        odds = inputs @ point
        data = float((weighed * (np.logaddexp(0, odds) - targets * odds)).sum())
        return data, inputs.T @ (weighed * (expit(odds) - targets))

    start = np.append(np.full(_POINTS - 1, width), points[0])
    bounds = [(_LEAST_SLOPE * width, _MOST_SLOPE * width)] * (_POINTS - 1) + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    heights = found[-1] + np.append(0.0, np.cumsum(found[:-1]))
    return Calibration(fused=tuple(points.tolist()), calibrated=tuple(heights.tolist()))
