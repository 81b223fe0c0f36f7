"""The head "unsafe": whether an embedding is likelier from the mixture of harm or from the other.

Each is one of von Mises-Fisher distributions on the unit sphere (Banerjee et al. 2005) with one
concentration for all, its means found by spherical k-means (Dhillon and Modha 2001). A linear head
takes harm for one direction; it is many things, and so is what is harmless.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

MEANS = 300  # of each side
CONCENTRATION = 12.0
_ROUNDS = 8  # of k-means

Array = NDArray[np.float32]


class Mixture(NamedTuple):
    """``means``: (K, 384) at unit length; ``shares``: (K,) above 0, which sum to 1."""

    means: Array
    shares: Array


class Likelihood(torch.nn.Module):
    """(N, 384) at unit length -> (N, 1) log likelihoods, but for what all mixtures have alike."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.means = torch.nn.Parameter(torch.from_numpy(CONCENTRATION * mixture.means))
        self.bias = torch.nn.Parameter(torch.from_numpy(np.log(mixture.shares)) - CONCENTRATION)

    def forward(self, unit: torch.Tensor) -> torch.Tensor:
        return F.linear(unit, self.means, self.bias).logsumexp(1, keepdim=True)


class Ratio(torch.nn.Module):
    """(N, 384) at unit length -> (N, 1): the log likelihood ratio of two mixtures."""

    def __init__(self, embedded: Array, unsafe: NDArray[np.bool_]) -> None:
        """``embedded``: (N, 384) at unit length, ``unsafe``: (N,); what the mixtures are of."""
        super().__init__()
        self.harmful = Likelihood(_mixture(embedded[unsafe]))
        self.harmless = Likelihood(_mixture(embedded[~unsafe]))

    def forward(self, unit: torch.Tensor) -> torch.Tensor:
        ratio: torch.Tensor = self.harmful(unit) - self.harmless(unit)
        return ratio


def _mixture(embedded: Array) -> Mixture:
    """At most ``MEANS`` means; one that no embedding is nearest to is left out."""
    picked = np.random.default_rng(0).permutation(len(embedded))[:MEANS]
    means = embedded[picked]
    for _ in range(_ROUNDS):
        nearest = (embedded @ means.T).argmax(axis=1)
        sums = np.zeros_like(means)
        np.add.at(sums, nearest, embedded)
        met = np.bincount(nearest, minlength=len(means)) > 0
        means = sums[met] / np.linalg.norm(sums[met], axis=1, keepdims=True)
    counts = np.bincount((embedded @ means.T).argmax(axis=1), minlength=len(means))
    kept = counts > 0
    return Mixture(means[kept], (counts[kept] / counts.sum()).astype(np.float32))
