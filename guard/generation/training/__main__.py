"""Train the embedded core from nothing: `python -m guard.generation.training --budget 90m --out D`.

Scenes are rendered, the tokenizer and the latent's axes follow from them, then the decoder and the
denoiser are trained; at the end D/scenes holds the checkpoint and D/scenes-evaluation.json its
figures. Run the same command again to go on after an interruption.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from guard.generation.core import EMBEDDED
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.training.data import Format, scene_set
from guard.generation.training.evaluate import evaluate

log = logging.getLogger("guard.generation.training")

SEED: Final = 20261121
SCENES: Final[dict[Format, int]] = {"square": 110_000, "wide": 11_000, "tall": 11_000}
AXES_FROM: Final = 4_000  # scenes that the principal axes are taken from
DECODER_SHARE: Final = 0.22  # of the budget
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """ "90m" -> 5400.0. Raises argparse.ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number and s, m or h, such as 90m")
    return float(match[1]) * _UNITS[match[2]]


def train(
    out: Path,
    budget: float,
    scenes: dict[Format, int],
    device: str,
    workers: int,
    start: Path | None = None,
) -> Path:
    """Train within `budget` seconds (rendering not counted); returns the checkpoint's directory.

    With `start`, another checkpoint's weights are trained on, at half the rate; its latent stays.
    """
    import torch
    from transformers import CLIPTokenizer

    from guard.generation.autoencoder import Axes, PatchAutoencoder, principal_axes
    from guard.generation.scenes.captions import MAX_TOKENS
    from guard.generation.training import train_autoencoder, train_unet
    from guard.generation.training.export import export
    from guard.generation.training.networks import LATENT_CHANNELS, train_tokenizer

    cache, run = out / "cache", out / "run"
    run.mkdir(parents=True, exist_ok=True)
    sets = {form: scene_set(cache, SEED, form, count, workers) for form, count in scenes.items()}
    if not (run / "tokenizer" / "merges.txt").exists():
        texts = (text for texts in sets["square"].captions for text in texts)
        train_tokenizer(texts, run / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(run / "tokenizer", model_max_length=MAX_TOKENS)
    torch.manual_seed(SEED)
    if start is not None:
        vae = PatchAutoencoder.from_pretrained(start / "vae").float()
    else:
        axes_file = run / "axes.npz"
        if not axes_file.exists():
            found = principal_axes(sets["square"].proxies[:AXES_FROM], LATENT_CHANNELS)
            np.savez(axes_file, **found._asdict())
        vae = PatchAutoencoder(latent_channels=LATENT_CHANNELS)
        vae.set_axes(Axes(**np.load(axes_file)))

    share = DECODER_SHARE * budget
    decoder = train_autoencoder.Recipe(budget=share, seed=SEED, device=device)
    recipe = train_unet.Recipe(budget=budget - share, seed=SEED, device=device)
    if start is not None:
        decoder = replace(decoder, learning_rate=decoder.learning_rate / 2)
        recipe = replace(recipe, learning_rate=recipe.learning_rate / 2)
    pictures = train_autoencoder.load_pictures(cache, SEED, decoder.pictures)
    train_autoencoder.DecoderTrainer(decoder, run, pictures, vae).run()
    trainer = train_unet.UNetTrainer(recipe, run, sets, vae.cpu(), tokenizer)
    if start is not None:
        trainer.start_from(start)
    trainer.run()
    export(run, out / EMBEDDED)
    return out / EMBEDDED


def main() -> None:
    """Train, export and evaluate."""
    parser = argparse.ArgumentParser(
        prog="python -m guard.generation.training", description="Train the embedded core."
    )
    parser.add_argument("--budget", type=seconds, default=5400.0, help="wall clock, such as 90m")
    parser.add_argument("--out", type=Path, required=True, help="directory to work in")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--from", dest="start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="for rendering")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    checkpoint = train(
        options.out, options.budget, SCENES, options.device, options.workers, options.start
    )
    core = DiffusersCore(checkpoint, domain="closed", device="cpu")
    result = evaluate(core, new=500, held_out=500)
    figures = options.out / f"{EMBEDDED}-evaluation.json"
    figures.write_text(result.model_dump_json(indent=1) + "\n")
    print(result.table())
    log.info("checkpoint in %s, figures in %s", checkpoint, figures)


if __name__ == "__main__":
    main()
