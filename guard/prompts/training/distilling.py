"""Distilling: the small encoder learns to place texts where its teacher places them.

It is shown no label, only embeddings (as in Reimers and Gurevych 2020), so it can learn from any
text; what the teacher learnt of labels lies in where it places texts. One of its six layers is left
out: with five it follows the teacher as well.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from guard.prompts.training.pretrained import Array, Pretrained, Tensors
from guard.prompts.training.tuning import SEEN, batched, descend, rising_and_falling

LAYERS = (0, 1, 2, 3, 5)  # of six
ROUNDS = 3  # how often every text is shown
_RATE = 3e-4  # learning rate of the encoder
_MAP_RATE = 1e-3
_RIDGE = 3.0  # of the map's start
_STARTED = 4_000  # texts that the map's start is fitted on


class Distilled(NamedTuple):
    """``encoder``: its tensors; ``map``: (width, teacher's width), from its embeddings on."""

    encoder: Tensors
    map: Array


def mapped(found: Array, map_: Array) -> Array:
    """(N, teacher's width) embeddings at unit length of (N, width) ones."""
    product = found @ map_
    return np.asarray(product / np.linalg.norm(product, axis=1, keepdims=True), dtype=np.float32)


def shortened(model: Any) -> Any:
    """The same model with ``LAYERS`` only."""
    model.encoder.layer = torch.nn.ModuleList([model.encoder.layer[at] for at in LAYERS])
    return model


def distil(
    student: Pretrained, texts: Sequence[str], aims: Array, losses: list[float]
) -> Distilled:
    """``aims``: (N, teacher's width) where the teacher places the folded texts.

    ``losses`` gets 1 - cosine of every step.
    """
    torch.manual_seed(0)
    model = shortened(student.encoder()).eval()  # no dropout: the aims are exact
    model.embeddings.requires_grad_(False)  # rare words would drift from their synonyms
    ids = [row[:SEEN] for row in student.ids(texts)]
    goals = torch.from_numpy(aims)
    linear = torch.nn.Linear(student.width, aims.shape[1], bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(_first_map(student, model, texts, aims).T))
    layers = list(model.encoder.parameters())
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": _RATE}, {"params": linear.parameters(), "lr": _MAP_RATE}]
    )
    rng = np.random.default_rng(0)
    batches = [
        rows for _ in range(ROUNDS) for rows in batched([len(row) for row in ids], 0, rng)
    ]
    schedule = rising_and_falling(optimiser, len(batches))
    for rows in batches:
        placed = F.normalize(linear(student.pooled(model, [ids[i] for i in rows])), dim=1)
        loss = 1 - (placed * goals[rows]).sum(1).mean()
        losses.append(descend(loss, layers, optimiser, schedule))
    return Distilled(
        {name: tensor.detach().clone() for name, tensor in model.state_dict().items()},
        linear.weight.detach().numpy().T.copy(),
    )


def _first_map(student: Pretrained, model: Any, texts: Sequence[str], aims: Array) -> Array:
    """The least squares from the untouched encoder's embeddings to the aims."""
    picked = np.random.default_rng(0).permutation(len(texts))[:_STARTED]
    found = student.embeddings(model, [texts[i] for i in picked])
    gram = found.T @ found + _RIDGE * np.eye(student.width, dtype=np.float32)
    return np.asarray(np.linalg.solve(gram, found.T @ aims[picked]), dtype=np.float32)
