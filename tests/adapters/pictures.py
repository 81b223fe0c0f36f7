"""Tiny checkpoints of the kinds that look at pictures, with random weights."""

from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from provenance.picture import Pixels
from tests.adapters.checkpoints import _tokenizer

SIDE = 32
_SMALL = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip
_VISION = {**_SMALL, "image_size": SIDE, "patch_size": 8, "initializer_range": 0.5}
_TEXT = {**_SMALL, "vocab_size": 64, "max_position_embeddings": 16, "initializer_range": 0.5}
_SIZE = {"height": SIDE, "width": SIDE}


def colours(count: int = 6) -> list[Pixels]:
    rng = np.random.default_rng(4)
    return [
        np.kron(rng.integers(0, 255, (4, 5, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        for _ in range(count)
    ]


def classifier(folder: Path, labels: list[str]) -> Path:
    torch.manual_seed(0)
    config = ViTConfig(**_VISION, id2label=dict(enumerate(labels)))
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size=_SIZE).save_pretrained(folder)
    return folder


def safety_checker(folder: Path) -> Path:
    """Its limits are where about half of ``colours`` are past one of them."""
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=_TEXT, vision_config={**_VISION, "projection_dim": 8}, projection_dim=8
    )
    model = StableDiffusionSafetyChecker(config)
    model.concept_embeds.data.normal_()
    model.special_care_embeds.data.normal_()
    prepare = CLIPImageProcessor(size=_SIZE, crop_size=_SIZE)
    unit = torch.nn.functional.normalize
    with torch.inference_mode():
        prepared = prepare(images=colours(24), return_tensors="pt").pixel_values
        seen = unit(model.visual_projection(model.vision_model(prepared)[1]))
        for concepts, limits in (
            (model.concept_embeds, model.concept_embeds_weights),
            (model.special_care_embeds, model.special_care_embeds_weights),
        ):
            nearest = (unit(concepts) @ seen.T).max(dim=0).values
            limits.data.fill_(float(nearest.median()))
    model.save_pretrained(folder)
    prepare.save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**_TEXT, "eos_token_id": 1, "pad_token_id": 0},
        vision_config=_VISION,
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    return _with_words(folder)


def siglip(folder: Path) -> Path:
    torch.manual_seed(0)
    config = SiglipConfig(text_config=_TEXT, vision_config=_VISION)
    SiglipModel(config).save_pretrained(folder)
    return _with_words(folder, siglip=True)


def clip_eye(folder: Path) -> Path:
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**_VISION, projection_dim=8)).save_pretrained(
        folder
    )
    CLIPImageProcessor(size=_SIZE, crop_size=_SIZE).save_pretrained(folder)
    return folder


def _with_words(folder: Path, *, siglip: bool = False) -> Path:
    tokenizer = _tokenizer(["<end>"], ["a", "photo", "of", "blood", "weapon", "lake"])
    tokenizer.model_max_length = 16
    tokenizer.save_pretrained(folder)
    kind = SiglipImageProcessor if siglip else CLIPImageProcessor
    sizes = {"size": _SIZE} if siglip else {"size": _SIZE, "crop_size": _SIZE}
    kind(**sizes).save_pretrained(folder)
    return folder
