"""Train the gate for text.

    python -m guard.images.lettering.train --photos DIR --fonts DIR --out FOLDER [--minutes 15]

Lines of text are drawn into crops of the photographs under DIR, in the fonts (.ttf, .otf, .ttc)
under the other; what the network takes for letters in photographs without any becomes a part of
the batches that follow. The photographs should hold no text. One core; it stops after the minutes
of CPU time and writes ``letters.safetensors`` and ``letters.onnx``.
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
from guard.images.lettering.drawing import lettered, worn
from guard.images.lettering.net import LetterNet
from provenance.picture import Pixels

CROP = 160  # pixels
BATCH = 24
PLAIN, MISTAKEN = 5, 6  # crops of a batch without text: any, and such as were taken for text
RATE = 3e-3
LOOK_EVERY = 50  # steps
WEIGHTS, MODEL = "letters.safetensors", "letters.onnx"


def batch_of(
    pictures: Sequence[Pixels],
    fonts: Sequence[Path],
    mistakes: Mistakes,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, and for each cell whether it holds letters and whether that counts."""
    plain = [crop_of(pictures[int(rng.integers(len(pictures)))], CROP, rng) for _ in range(BATCH)]
    empty = [*mistakes.some(MISTAKEN, rng), *plain[:PLAIN]]
    views = [worn(pixels, rng) for pixels in empty]
    covers = [np.zeros((CROP, CROP), bool) for _ in empty]
    for pixels in plain[len(empty) :]:
        drawn = lettered(pixels, fonts, rng)
        views.append(drawn.pixels)
        covers.append(drawn.covered)
    inputs = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255
    share = F.avg_pool2d(torch.from_numpy(np.stack(covers))[:, None].float(), STRIDE)
    touched = F.max_pool2d((share > 0).float(), 3, 1, 1)  # cells at the edge do not count
    letters = (share > 0.5).float()
    return inputs, letters, ((letters > 0) | (touched == 0)).float()


def loss_of(net: LetterNet, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Focal loss (Lin et al. 2017); letters and the rest weigh the same in the whole."""
    inputs, letters, counts = batch
    logits = net(inputs)
    chance = logits.sigmoid()
    off = torch.where(letters > 0, 1 - chance, chance)
    plain = F.binary_cross_entropy_with_logits(logits, letters, reduction="none")
    scored = off**2 * plain * counts
    some = letters.sum().clamp(min=1)
    return (scored * (1 + 2 * letters)).sum() / some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="of CPU time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pictures = photographs(options.photos, CROP)
    fonts = sorted(f for f in options.fonts.rglob("*") if f.suffix in (".ttf", ".otf", ".ttc"))
    net, mistakes = LetterNet(), Mistakes(CROP)
    rate = RATE
    if options.resume:
        rate /= 2  # what was learnt is not to be lost in the first steps
        net.load_state_dict(load_file(options.out / WEIGHTS))
    rng = np.random.default_rng(options.seed + int(options.resume))
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    began, step = time.process_time(), 0
    recent: list[float] = []
    while (gone := (time.process_time() - began) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * gone)))
        if step % LOOK_EVERY == LOOK_EVERY - 1:
            mistakes.look(net, net, pictures, rng)
        loss = loss_of(net, batch_of(pictures, fonts, mistakes, rng))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step, recent = step + 1, [*recent[-49:], float(loss.detach())]
        if step % 50 == 0:
            print(f"step {step}  {gone:4.0%}  loss {np.mean(recent):.3f}", flush=True)
    write(net, options.out / WEIGHTS, options.out / MODEL, ("logits",))


if __name__ == "__main__":
    main()
