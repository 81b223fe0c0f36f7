"""Put trained parts together as a diffusers checkpoint directory, in half precision."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from guard.generation.checkpoint import INDEX, SETTINGS, digest_of
from guard.generation.core import Limits
from guard.generation.embedded import DIGEST_SUFFIX, STRENGTH
from guard.generation.training.networks import SCHEDULER

LIMITS: Final = Limits(
    version="4",
    default_width=512,
    default_height=512,
    size_multiple=64,
    min_side=384,
    max_side=768,
    default_steps=20,
    max_steps=100,
    max_batch=8,
    default_guidance=3.0,
    default_strength=STRENGTH,
)

_INDEX: Final[dict[str, Any]] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.35.0",  # the oldest that the layout was written for
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["guard.generation.autoencoder", "PatchAutoencoder"],
}


def export(run: Path, target: Path) -> None:
    """Write the checkpoint of a training run to `target`, and its digest beside it.

    What stood there is replaced at the end, so that a failure leaves it as it was.
    """
    import torch
    from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from guard.generation.autoencoder import PatchAutoencoder

    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    half = torch.float16
    UNet2DConditionModel.from_pretrained(run / "unet", dtype=half).save_pretrained(fresh / "unet")
    CLIPTextModel.from_pretrained(run / "text_encoder", dtype=half).save_pretrained(
        fresh / "text_encoder"
    )
    PatchAutoencoder.from_pretrained(run / "vae", dtype=half).save_pretrained(fresh / "vae")
    tokenizer = CLIPTokenizer.from_pretrained(run / "tokenizer", model_max_length=32)
    tokenizer.save_pretrained(fresh / "tokenizer")
    DPMSolverMultistepScheduler(**SCHEDULER).save_pretrained(fresh / "scheduler")
    for settings in fresh.glob("*/config.json"):  # the path it was loaded from is nobody's business
        kept = {k: v for k, v in json.loads(settings.read_text()).items() if k != "_name_or_path"}
        settings.write_text(json.dumps(kept, indent=2) + "\n")
    (fresh / INDEX).write_text(json.dumps(_INDEX, indent=2) + "\n")
    (fresh / SETTINGS).write_text(LIMITS.model_dump_json(indent=2) + "\n")
    aside = target.with_name(target.name + ".old")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    fresh.rename(target)
    target.with_name(target.name + DIGEST_SUFFIX).write_text(digest_of(target) + "\n")
    shutil.rmtree(aside, ignore_errors=True)
