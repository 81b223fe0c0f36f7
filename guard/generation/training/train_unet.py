"""Train the denoiser and the text encoder together, by flow matching, within a wall-clock budget.

The schedule hangs on the budget, not on a number of steps. Everything that the next step depends
on is written to one file every few minutes, so that a killed run goes on where it was.
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from guard.generation.autoencoder import PatchAutoencoder
from guard.generation.scenes.captions import MAX_TOKENS
from guard.generation.training.data import Format, SceneSet
from guard.generation.training.networks import UNET, text_config
from guard.generation.training.optimiser import Muon, is_matrix

log = logging.getLogger(__name__)

FORMAT_SHARES: Final[dict[Format, float]] = {"square": 0.84, "wide": 0.08, "tall": 0.08}
PROMPT_DROPOUT: Final = 0.1  # for classifier-free guidance (Ho and Salimans, arXiv 2207.12598)
SUBJECT_WEIGHT: Final = 5.0  # extra weight of a cell that the subject fills: outlines come last
TIME_MEAN, TIME_DEVIATION = 0.35, 1.15  # logit-normal times (Esser et al., arXiv 2403.03206)
WARM_UP: Final = 100  # steps
HOLD: Final = 0.45  # share of the budget before the rate falls
EMA_EVERY: Final = 8  # steps
EMA_DECAY: Final = 0.98  # each EMA_EVERY steps, once warm
REPORT_EVERY: Final = 50  # steps


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of. `budget` and `save_every` in seconds."""

    budget: float
    seed: int = 20261120
    batch: int = 64
    learning_rate: float = 2e-3
    save_every: float = 240.0
    device: str = "cpu"


class _Latents:
    """The training set of one format: latents, cell weights and token ids."""

    def __init__(self, scenes: SceneSet, vae: PatchAutoencoder, tokenizer: Any) -> None:
        chunks = []
        with torch.no_grad():
            for start in range(0, len(scenes.proxies), 500):
                proxy = torch.from_numpy(scenes.proxies[start : start + 500])
                chunks.append(vae.proxy_to_latent(proxy.permute(0, 3, 1, 2) / 127.5 - 1.0))
        self.latents = torch.cat(chunks)
        self.weights = 1.0 + SUBJECT_WEIGHT * torch.from_numpy(scenes.subject).float() / 255.0
        flat = [text for texts in scenes.captions for text in texts]
        self.tokens = tokenise(tokenizer, flat).view(len(scenes.captions), -1, MAX_TOKENS)


def tokenise(tokenizer: Any, texts: list[str]) -> Tensor:
    """Token ids (n, MAX_TOKENS)."""
    ids = tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS).input_ids
    return torch.tensor(ids)


class UNetTrainer:
    """Holds the networks, their average and the optimisers; `run` trains until the budget ends."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        scenes: dict[Format, SceneSet],
        vae: PatchAutoencoder,
        tokenizer: Any,
    ) -> None:
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor
        from transformers import CLIPTextConfig, CLIPTextModel

        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.folder = folder
        self.device = torch.device(recipe.device)
        self.unet = UNet2DConditionModel(**UNET)
        # On CPUs the fused attention's backward pass costs more than plain matrices do.
        self.unet.set_attn_processor(AttnProcessor())
        self.unet.to(self.device, memory_format=torch.channels_last)
        start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
        config = CLIPTextConfig(**text_config(len(tokenizer), start, end))
        config._attn_implementation = "eager"
        self.text_encoder = CLIPTextModel(config).to(self.device)
        self.tokenizer = tokenizer
        named = [
            *((f"unet.{n}", p) for n, p in self.unet.named_parameters()),
            *((f"text.{n}", p) for n, p in self.text_encoder.named_parameters()),
        ]
        self.parameters = [p for _, p in named]
        matrices = [p for n, p in named if is_matrix(n, p)]
        others = [p for n, p in named if not is_matrix(n, p)]
        rate = recipe.learning_rate
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=rate),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
        ]
        self.average = [p.detach().clone() for p in self.parameters]
        self.data = {form: _Latents(found, vae, tokenizer) for form, found in scenes.items()}
        self.empty = tokenise(tokenizer, [""])
        self.rng = np.random.default_rng(recipe.seed)
        self.noise = torch.Generator().manual_seed(recipe.seed)
        self.step = 0
        self.elapsed = 0.0
        self.history: list[dict[str, float]] = []

    def start_from(self, checkpoint: Path) -> None:
        """Take over the weights of a checkpoint of the same shapes; words are matched by spelling.

        `checkpoint` is a directory as `export` writes it. A run that is resumed ignores it.
        """
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        old_unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet", torch_dtype="auto")
        self.unet.load_state_dict(old_unet.float().state_dict())
        old_text = CLIPTextModel.from_pretrained(checkpoint / "text_encoder").float()
        weights = old_text.state_dict()
        (table,) = (name for name in weights if name.endswith("token_embedding.weight"))
        theirs = CLIPTokenizer.from_pretrained(checkpoint / "tokenizer").get_vocab()
        entries = self.text_encoder.state_dict()[table].clone()
        for entry, row in self.tokenizer.get_vocab().items():
            if entry in theirs:
                entries[row] = weights[table][theirs[entry]]
        self.text_encoder.load_state_dict(weights | {table: entries})
        self.average = [p.detach().clone() for p in self.parameters]

    def run(self) -> None:
        """Train to the end of the budget; the averaged networks are then in the folder."""
        self._resume()
        log.info("%.2f M parameters", sum(p.numel() for p in self.parameters) / 1e6)
        started, before = time.monotonic(), self.elapsed
        saved = before
        losses: list[float] = []
        while self.elapsed < self.recipe.budget:
            self._set_rate()
            losses.append(self._train_step())
            self.step += 1
            self.elapsed = before + time.monotonic() - started
            if self.step % EMA_EVERY == 0:
                self._average()
            if self.step % REPORT_EVERY == 0:
                self._report(float(np.mean(losses)))
                losses.clear()
            if self.elapsed - saved > self.recipe.save_every:
                self._save()
                saved = self.elapsed
        self._save()

    def _rate(self) -> float:
        done = min(1.0, self.elapsed / self.recipe.budget)
        fall = max(0.0, (done - HOLD) / (1.0 - HOLD))
        warm = min(1.0, (self.step + 1) / WARM_UP)
        return self.recipe.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * fall) + 0.005)

    def _set_rate(self) -> None:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self._rate()

    def _train_step(self) -> float:
        latents, weights, tokens = self._draw()
        count = len(latents)
        time_ = torch.sigmoid(torch.randn(count, generator=self.noise) * TIME_DEVIATION + TIME_MEAN)
        noise = torch.randn(latents.shape, generator=self.noise)
        share = time_.view(-1, 1, 1, 1)
        noisy = ((1.0 - share) * latents + share * noise).to(
            self.device, memory_format=torch.channels_last
        )
        target = (noise - latents).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            hidden = self.text_encoder(tokens.to(self.device)).last_hidden_state
            velocity = self.unet(noisy, time_.to(self.device) * 1000.0, hidden).sample
        cell = weights.to(self.device)[:, None]
        loss = ((velocity.float() - target).square() * cell).mean() / cell.mean()
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return float(loss.detach())

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        forms = list(self.data)
        shares = np.array([FORMAT_SHARES[form] for form in forms])
        data = self.data[forms[self.rng.choice(len(forms), p=shares / shares.sum())]]
        rows = self.rng.integers(0, len(data.latents), self.recipe.batch)
        words = self.rng.integers(0, data.tokens.shape[1], self.recipe.batch)
        tokens = data.tokens[rows, words]
        tokens[torch.from_numpy(self.rng.random(self.recipe.batch) < PROMPT_DROPOUT)] = self.empty
        return data.latents[rows], data.weights[rows], tokens

    @torch.no_grad()
    def _average(self) -> None:
        updates = self.step / EMA_EVERY
        decay = min(EMA_DECAY, (1.0 + updates) / (10.0 + updates))
        for mean, parameter in zip(self.average, self.parameters, strict=True):
            mean.lerp_(parameter, 1.0 - decay)

    def _report(self, loss: float) -> None:
        samples = self.step * self.recipe.batch
        self.history.append({"samples": samples, "seconds": round(self.elapsed), "loss": loss})
        log.info(
            "step %d, %.0f s, loss %.4f, rate %.2e, %.1f samples/s, %.0f CPU-s",
            self.step, self.elapsed, loss, self._rate(), samples / self.elapsed,
            time.process_time(),
        )  # fmt: skip

    def _save(self) -> None:
        """Write the state for going on, and the averaged networks for use; each whole or not."""
        state = {
            "unet": self.unet.state_dict(),
            "text_encoder": self.text_encoder.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average,
            "noise": self.noise.get_state(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "step": self.step,
            "elapsed": self.elapsed,
            "history": self.history,
        }
        partial = self.folder / "state.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")
        current = [p.detach().clone() for p in self.parameters]
        self._load(self.average)
        self.unet.save_pretrained(self.folder / "unet")
        self.text_encoder.save_pretrained(self.folder / "text_encoder")
        self._load(current)
        (self.folder / "loss.json").write_text(json.dumps(self.history))

    @torch.no_grad()
    def _load(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.unet.load_state_dict(state["unet"])
        self.text_encoder.load_state_dict(state["text_encoder"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.average = state["average"]
        self.noise.set_state(state["noise"].cpu())
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.history = state["history"]
        log.info("going on at step %d after %.0f s", self.step, self.elapsed)
