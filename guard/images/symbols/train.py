"""Train the demonstration detector.

    python -m guard.images.symbols.train --photos DIR --out FOLDER [--minutes 20] [--resume]

Symbols are drawn into crops of the photographs under DIR, at any of their scales. Now and then the
network looks at whole photographs without symbols, and what it is surest of there becomes a part of
the batches that follow. One core; it stops after the minutes of CPU time, writes
``symbols.safetensors`` and ``symbols.onnx``, and goes on from there with --resume.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from guard.images.crops import Mistakes, crop_of, photographs
from guard.images.grid import STRIDE, write
from guard.images.symbols.drawing import SYMBOLS, Placed, drawn_into
from guard.images.symbols.net import GridNet
from provenance.picture import Pixels

CROP = 160  # pixels
BATCH = 24
RATE = 3e-3
LOOK_EVERY = 50  # steps
WEIGHTS, MODEL = "symbols.safetensors", "symbols.onnx"


def batch_of(
    pictures: Sequence[Pixels], mistakes: Mistakes, rng: np.random.Generator
) -> tuple[Tensor, ...]:
    """Pixels, and for each cell of each picture: classes, sides, and whether it has a symbol."""
    drawn: list[tuple[Pixels, list[Placed]]] = [
        drawn_into(crop, rng, most=0) for crop in mistakes.some(BATCH // 4, rng)
    ]
    while len(drawn) < BATCH:
        pixels = pictures[int(rng.integers(len(pictures)))]
        drawn.append(drawn_into(crop_of(pixels, CROP, rng), rng))
    inputs = torch.from_numpy(np.stack([pixels for pixels, _ in drawn])).permute(0, 3, 1, 2)
    targets = [_targets(placed) for _, placed in drawn]
    return (inputs.float() / 255, *(torch.stack(part) for part in zip(*targets, strict=True)))


def _targets(placed: Sequence[Placed]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cells near the middle of a symbol have it; those that it covers elsewhere do not count."""
    side = -(-CROP // STRIDE)
    at = (torch.arange(side) + 0.5) * STRIDE
    classes = torch.zeros(len(SYMBOLS), side, side)
    sides = torch.zeros(4, side, side)
    positive, counts = torch.zeros(side, side), torch.ones(side, side)
    for symbol, (left, top, right, bottom) in placed:
        across, down = at[None, :].expand(side, side), at[:, None].expand(side, side)
        inside = (across > left) & (across < right) & (down > top) & (down < bottom)
        off = torch.maximum(
            (across - (left + right) / 2).abs() / (right - left),
            (down - (top + bottom) / 2).abs() / (bottom - top),
        )
        near = inside & (off <= max(0.2, float(off[inside].min()) if inside.any() else 0.2))
        counts[inside & ~near] = 0
        positive[near], counts[near] = 1, 1
        classes[symbol][near] = 1
        reach = torch.stack((across - left, down - top, right - across, bottom - down)) / STRIDE
        sides[:, near] = reach[:, near].clamp(min=0.1).log()
    return classes, sides, positive, counts


def loss_of(net: GridNet, batch: tuple[Tensor, ...]) -> Tensor:
    """Focal loss (Lin et al. 2017) of the scores, smooth L1 of the sides."""
    inputs, classes, sides, positive, counts = batch
    logits, reach = net(inputs)
    chance = logits.sigmoid()
    off = torch.where(classes > 0, 1 - chance, chance)
    plain = F.binary_cross_entropy_with_logits(logits, classes, reduction="none")
    some = positive.sum().clamp(min=1)
    scored = (off**2 * plain * counts[:, None]).sum() / some
    apart = F.smooth_l1_loss(reach, sides, reduction="none").sum(1)
    return scored * 2 + (apart * positive).sum() / some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0, help="of CPU time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pictures, mistakes = photographs(options.photos, CROP), Mistakes(CROP)
    net = GridNet(len(SYMBOLS))
    rate = RATE
    if options.resume:
        rate /= 3  # what was learnt is not to be lost in the first steps
        net.load_state_dict(load_file(options.out / WEIGHTS))
    rng = np.random.default_rng(options.seed + int(options.resume))
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    began, step = time.process_time(), 0
    recent: list[float] = []
    while (gone := (time.process_time() - began) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * gone)))
        if step % LOOK_EVERY == LOOK_EVERY - 1:
            mistakes.look(net, lambda shown: net(shown)[0], pictures, rng)
        loss = loss_of(net, batch_of(pictures, mistakes, rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step, recent = step + 1, [*recent[-49:], float(loss.detach())]
        if step % 50 == 0:
            print(f"step {step}  {gone:4.0%}  loss {np.mean(recent):.3f}", flush=True)
    write(net, options.out / WEIGHTS, options.out / MODEL, ("logits", "sides"))


if __name__ == "__main__":
    main()
