"""Train the decoder: from the proxy that a latent gives back to the full picture.

Latents get some noise in training, since the denoiser's are not exact either: else the decoder
would draw each small error as an edge between two patches.
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from guard.generation.autoencoder import PATCH, REDUCTION, PatchAutoencoder
from guard.generation.scenes.render import render
from guard.generation.training.data import PROXY, scene_at

log = logging.getLogger(__name__)

CELL: Final = PATCH * REDUCTION  # picture pixels a latent cell
CROP: Final = 8  # latent cells: pictures are trained on in crops of 256 pixels
LATENT_NOISE: Final = 0.2  # deviation at most, where a latent channel deviates by 0.4 to 2.5
EDGE_WEIGHT: Final = 0.5  # of differences between neighbouring pixels: keeps outlines sharp
FIRST_NUMBER: Final = 90_000_000  # scenes of this training have numbers of their own
WARM_UP: Final = 50  # steps
REPORT_EVERY: Final = 50  # steps


@dataclass(frozen=True, slots=True)
class Recipe:
    """`budget` and `save_every` in seconds."""

    budget: float
    pictures: int = 1800
    seed: int = 20261120
    batch: int = 6
    learning_rate: float = 2e-3
    save_every: float = 120.0
    device: str = "cpu"


def load_pictures(cache: Path, seed: int, count: int) -> NDArray[np.uint8]:
    """Pictures (n, 512, 512, 3) to train the decoder on, rendered once and kept in the cache."""
    path = cache / f"pictures-{seed}-{count}.npy"
    if not path.exists():
        side = PROXY * REDUCTION
        pictures = np.empty((count, side, side, 3), np.uint8)
        for row in range(count):
            pictures[row] = render(scene_at(seed, FIRST_NUMBER + row), side, side).pixels
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, pictures)
        partial.replace(path)
    loaded: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return loaded


class DecoderTrainer:
    """Trains `vae.upscaler` in place; the principal axes stay as they are."""

    def __init__(
        self, recipe: Recipe, folder: Path, pictures: NDArray[np.uint8], vae: PatchAutoencoder
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.pictures = pictures
        self.device = torch.device(recipe.device)
        self.vae = vae.to(self.device)
        self.upscaler = vae.upscaler.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(
            self.upscaler.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True
        )
        self.rng = np.random.default_rng(recipe.seed)
        self.step = 0
        self.elapsed = 0.0
        self.history: list[dict[str, float]] = []

    def run(self) -> None:
        """Train to the end of the budget; the autoencoder is then saved in the folder."""
        self._resume()
        started, before = time.monotonic(), self.elapsed
        saved = before
        losses: list[float] = []
        while self.elapsed < self.recipe.budget:
            done = min(1.0, self.elapsed / self.recipe.budget)
            warm = min(1.0, (self.step + 1) / WARM_UP)
            for group in self.optimiser.param_groups:
                group["lr"] = self.recipe.learning_rate * warm * (
                    0.5 + 0.5 * math.cos(math.pi * done) + 0.005
                )  # fmt: skip
            losses.append(self._train_step())
            self.step += 1
            self.elapsed = before + time.monotonic() - started
            if self.step % REPORT_EVERY == 0:
                loss = float(np.mean(losses))
                losses.clear()
                self.history.append({"step": self.step, "seconds": self.elapsed, "loss": loss})
                log.info("decoder step %d, %.0f s, loss %.5f", self.step, self.elapsed, loss)
            if self.elapsed - saved > self.recipe.save_every:
                self._save()
                saved = self.elapsed
        self._save()

    def _train_step(self) -> float:
        target = self._draw().to(self.device)
        with torch.no_grad():
            latent = self.vae.proxy_to_latent(F.avg_pool2d(target, REDUCTION))
            level = self.rng.uniform(0.0, LATENT_NOISE, (len(latent), 1, 1, 1))
            noise = level * self.rng.standard_normal(latent.shape)
            proxy = self.vae.latent_to_proxy(latent + torch.from_numpy(noise).to(latent))
        proxy = proxy.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            drawn = self.upscaler(proxy)
        difference = drawn.float() - target
        loss = difference.abs().mean()
        for axis in (2, 3):
            loss = loss + EDGE_WEIGHT * difference.diff(dim=axis).abs().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.upscaler.parameters(), 0.5)
        self.optimiser.step()
        return float(loss.detach())

    def _draw(self) -> Tensor:
        """Crops (batch, 3, 256, 256) in -1..1 that lie on the latent's grid."""
        side = CROP * CELL
        free = (self.pictures.shape[1] - side) // CELL + 1
        crops = []
        for _ in range(self.recipe.batch):
            row = self.rng.integers(len(self.pictures))
            top, left = self.rng.integers(0, free, 2) * CELL
            crops.append(self.pictures[row, top : top + side, left : left + side])
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 127.5 - 1.0

    def _save(self) -> None:
        state = {
            "upscaler": self.upscaler.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "step": self.step,
            "elapsed": self.elapsed,
            "history": self.history,
        }
        partial = self.folder / "decoder.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "decoder.pt")
        self.vae.save_pretrained(self.folder / "vae")
        (self.folder / "decoder-loss.json").write_text(json.dumps(self.history))

    def _resume(self) -> None:
        path = self.folder / "decoder.pt"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.upscaler.load_state_dict(state["upscaler"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.history = state["history"]
