"""Tuning the teacher on labelled prompts: a linear probe, then one short run of all its layers.

Longer runs fit the pool and read strangers worse, so the run is short, and what was learnt is
interpolated with the encoder as it came (WiSE-FT, Wortsman et al. 2022). The head starts from a
probe of the untouched encoder (LP-FT, Kumar et al. 2022).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from guard.prompts.training.pretrained import Array, Pretrained, Tensors

DRAWN = 9_000  # prompts of the run, those of the pairs among them
PAIRS = 900  # of the run: a harmful sentence of ours and its harmless twin, in one batch
KEPT = 0.7  # how much of what the run learnt is kept
SEEN = 48  # tokens of a text that it is tuned or distilled on
_RATE = 4e-5  # learning rate of the encoder
_HEAD_RATE = 1e-3
_BATCH = 64
_WARM_UP = 0.1  # share of the steps
_FIRST_HEAD = 3.0  # weight of "unsafe" among the heads
_MARGIN = 3.0  # log odds by which a harmful sentence should be above its twin


class Probe(NamedTuple):
    """A linear head a category. ``weights``: (width, H); ``bias``: (H,)."""

    weights: Array
    bias: Array


def probe(inputs: Array, labels: Array, importance: Array, penalty: float) -> Probe:
    """Logistic regressions over embeddings by L-BFGS; all arrays (N, ...), importance (N, H)."""
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    weighed = torch.from_numpy(importance / importance.sum(axis=0))
    weights = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = torch.zeros(y.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        data = F.binary_cross_entropy_with_logits(x @ weights + bias, y, reduction="none")
        total = (weighed * data).sum() + penalty * (weights**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Probe(weights.detach().numpy(), bias.detach().numpy())


def tune(
    pretrained: Pretrained, start: Probe, texts: Sequence[str], labels: Array, belief: Array,
    paired: int, losses: list[float],
) -> Tensors:  # fmt: skip
    """One short run over folded texts, each seen once; ``losses`` gets that of every step.

    Returns the encoder's tensors, interpolated. The first 2 * ``paired`` texts are pairs, the
    harmful one before its twin: beside the log loss of each, softplus(margin - difference) of their
    log odds is kept low.
    """
    torch.manual_seed(0)
    model = pretrained.encoder().train()
    model.embeddings.requires_grad_(False)  # rare words would drift from their synonyms
    origin = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    head = torch.nn.Linear(start.weights.shape[0], start.weights.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(start.weights.T))
        head.bias.copy_(torch.from_numpy(start.bias))
    layers = list(model.encoder.parameters())
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": _RATE}, {"params": head.parameters(), "lr": _HEAD_RATE}]
    )
    ids = [row[:SEEN] for row in pretrained.ids(texts)]
    batches = batched([len(row) for row in ids], paired, np.random.default_rng(0))
    importance = torch.ones(labels.shape[1])
    importance[0] = _FIRST_HEAD
    schedule = rising_and_falling(optimiser, len(batches))
    for rows in batches:
        logits = head(pretrained.pooled(model, [ids[i] for i in rows]))
        data = F.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(labels[rows]), reduction="none"
        )
        loss = (data * torch.from_numpy(belief[rows]) * importance).mean()
        harmful = np.flatnonzero((rows < 2 * paired) & (rows % 2 == 0))  # each before its twin
        if len(harmful):
            ahead = logits[harmful, 0] - logits[harmful + 1, 0]
            share = 2 * len(harmful) / len(rows)
            loss = loss + share * F.softplus(_MARGIN - ahead).mean()
        losses.append(descend(loss, layers, optimiser, schedule))
    return interpolated(origin, model.state_dict(), KEPT)


def descend(
    loss: torch.Tensor, layers: Sequence[torch.nn.Parameter], optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
) -> float:  # fmt: skip
    """One step, the gradient of ``layers`` clipped to length 1. Returns the loss before it."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(layers, 1.0)
    optimiser.step()
    schedule.step()
    return float(loss.detach())


def rising_and_falling(
    optimiser: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Learning rates that rise over the first tenth of the steps and then fall to nothing."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min((s + 1) / (_WARM_UP * steps), 1) * (1 - s / steps)
    )


def batched(
    lengths: Sequence[int], paired: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Texts of like length together, the two of a pair side by side, in random order."""
    alone = range(2 * paired, len(lengths))
    units = [*((at, at + 1) for at in range(0, 2 * paired, 2)), *((at,) for at in alone)]
    means = np.array([sum(lengths[i] for i in unit) / len(unit) // 6 for unit in units])
    order = np.lexsort((rng.random(len(units)), means))
    batches: list[list[int]] = [[]]
    for at in order:
        if len(batches[-1]) >= _BATCH:
            batches.append([])
        batches[-1] += units[at]
    shuffled = rng.permutation(len(batches))
    return [np.array(batches[at], dtype=np.int64) for at in shuffled]


def interpolated(origin: Tensors, tuned: Tensors, kept: float) -> Tensors:
    """(1 - kept) of the origin and ``kept`` of what was tuned, in every tensor of fractions."""
    return {
        name: (1 - kept) * before + kept * tuned[name].detach()
        if before.is_floating_point()
        else before
        for name, before in origin.items()
    }
