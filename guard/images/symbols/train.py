"""Train the demonstration detector.

    python -m guard.images.symbols.train --photos DIR --out FOLDER [--minutes 12] [--resume]

Symbols are drawn into crops of the photographs of DIR that are not held out (every third is, by
name). One core; it stops after the minutes, writes ``symbols.safetensors`` and ``symbols.onnx``,
and goes on from there with --resume.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from guard.images.symbols.drawing import SYMBOLS, Placed, drawn_into
from guard.images.symbols.net import STRIDE, GridNet
from provenance.picture import Pixels, decode, read_file

CROP = 160  # pixels
BATCH = 24
RATE = 3e-3
WEIGHTS, MODEL = "symbols.safetensors", "symbols.onnx"


def photographs(folder: Path, *, held_out: bool) -> list[Pixels]:
    """Those of ``folder`` that are held out from training, or the others."""
    files = sorted(file for file in folder.iterdir() if file.suffix in (".png", ".jpg", ".webp"))
    return [
        decode(read_file(file)).pixels
        for place, file in enumerate(files)
        if (place % 3 == 2) == held_out
    ]


def batch_of(pictures: Sequence[Pixels], rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Pixels, and for each cell of each picture: classes, sides, and whether it has a symbol."""
    drawn = []
    for _ in range(BATCH):
        pixels = pictures[int(rng.integers(len(pictures)))]
        top = int(rng.integers(0, pixels.shape[0] - CROP + 1))
        left = int(rng.integers(0, pixels.shape[1] - CROP + 1))
        crop = pixels[top : top + CROP, left : left + CROP]
        drawn.append(drawn_into(np.ascontiguousarray(crop[:, :: rng.choice([1, -1])]), rng))
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


def write(net: GridNet, folder: Path) -> None:
    """The weights, and the same as ONNX for any size of picture."""
    folder.mkdir(parents=True, exist_ok=True)
    net.eval()
    save_file(net.state_dict(), folder / WEIGHTS)
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 64, 96),),
        folder / MODEL,
        input_names=["pixels"],
        output_names=["logits", "sides"],
        dynamic_axes={name: {2: "h", 3: "w"} for name in ("pixels", "logits", "sides")},
        opset_version=17,
        dynamo=False,
    )
    net.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pictures = [p for p in photographs(options.photos, held_out=False) if min(p.shape[:2]) >= CROP]
    net = GridNet(len(SYMBOLS))
    if options.resume:
        net.load_state_dict(load_file(options.out / WEIGHTS))
    rng = np.random.default_rng(options.seed + int(options.resume))
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    began, step = time.monotonic(), 0
    recent: list[float] = []
    while (gone := (time.monotonic() - began) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * gone)))
        loss = loss_of(net, batch_of(pictures, rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step, recent = step + 1, [*recent[-49:], float(loss.detach())]
        if step % 50 == 0:
            print(f"step {step}  {gone:4.0%}  loss {np.mean(recent):.3f}", flush=True)
    write(net, options.out)


if __name__ == "__main__":
    main()
