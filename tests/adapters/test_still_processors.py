"""LlavaGuard's and QwenGuard's own classes look at pictures without what they need for films."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

from guard.images.adapters.answering import Rater
from guard.images.adapters.weights import _still
from guard.prompts.adapters.checkpoint import digest_of

SIDE = 32
POLICY = 'policy {"rating": "Safe Unsafe", "category": "O1 O2"},\n'
TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 512, "initializer_range": 0.3,
}  # fmt: skip


def letter_by_letter(marks: Mapping[str, str]) -> transformers.PreTrainedTokenizerFast:
    known = ["<pad>", "<unk>", *marks.values(), *sorted(set(POLICY))]
    vocabulary = {token: number for number, token in enumerate(known)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=dict(marks),
    )  # fmt: skip


def qwen(folder: Path) -> str:
    marks = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
        "begin": "<|vision_start|>", "end": "<|vision_end|>",
    }  # fmt: skip
    tokenizer = letter_by_letter(marks)
    number = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **TEXT, "vocab_size": len(tokenizer), "rope_parameters": rope,
            "bos_token_id": None, "eos_token_id": None,
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "patch_size": 8,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 32,
            "window_size": 32, "fullatt_block_indexes": [1],
        },
        image_token_id=number(marks["image_token"]),
        video_token_id=number(marks["video_token"]),
        vision_start_token_id=number(marks["begin"]),
        vision_end_token_id=number(marks["end"]),
    )  # fmt: skip
    transformers.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    prepare = transformers.Qwen2VLImageProcessorPil(
        patch_size=8, merge_size=2, temporal_patch_size=2,
        min_pixels=SIDE**2, max_pixels=4 * SIDE**2,
    )  # fmt: skip
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    return saved(folder, "Qwen2_5_VLProcessor", prepare, tokenizer, picture)


def llava(folder: Path) -> str:
    tokenizer = letter_by_letter({"image_token": "<image>", "video_token": "<video>"})
    number = tokenizer.convert_tokens_to_ids
    shapes = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    config = transformers.LlavaOnevisionConfig(
        text_config={
            **TEXT, "model_type": "qwen2", "vocab_size": len(tokenizer),
            "bos_token_id": None, "eos_token_id": None,
        },
        vision_config={
            "model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE, "patch_size": 8,
            "vision_use_head": False, "initializer_range": 0.5,
        },
        image_token_id=number("<image>"),
        video_token_id=number("<video>"),
        image_grid_pinpoints=shapes,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )  # fmt: skip
    transformers.LlavaOnevisionForConditionalGeneration(config).save_pretrained(folder)
    prepare = transformers.LlavaOnevisionImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=shapes
    )
    more = {"num_image_tokens": 16, "vision_feature_select_strategy": "full"}
    return saved(folder, "LlavaOnevisionProcessor", prepare, tokenizer, "<image>", more)


def saved(
    folder: Path, named: str, prepare: Any, tokenizer: Any, picture: str, more: Any = None
) -> str:
    """Files as they lie beside the published checkpoints; the name of the processor's class."""
    template = (
        "{% for c in messages[0]['content'] %}{% if c['type'] == 'image' %}"
        + picture
        + "{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    )
    prepare.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(template)
    told = {"processor_class": named, **(more or {})}
    (folder / "processor_config.json").write_text(json.dumps(told))
    file = folder / "preprocessor_config.json"
    told = json.loads(file.read_text())
    told["image_processor_type"] = told["image_processor_type"].removesuffix("Pil")
    file.write_text(json.dumps(told))
    return named


@pytest.mark.parametrize("family", [qwen, llava])
def test_the_own_processor_of_a_family_reads_pictures_and_no_films(
    family: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    named = family(tmp_path)
    rater = Rater(tmp_path, digest_of(tmp_path), POLICY, {"O1": "sexual", "O2": "violence"})
    assert type(rater._processor).__name__ == f"Still{named}"
    assert not hasattr(rater._processor, "video_processor")
    if find_spec("torchvision") is None:  # with it, transformers prepares pictures by its means
        assert type(rater._processor.image_processor).__name__.endswith("Pil")
    dark, light = (np.full((40, 56, 3), level, np.uint8) for level in (20, 250))
    chances = [rater._chances(p, '{"rating": "', ["Safe", "Unsafe"]) for p in (dark, light, dark)]
    assert chances[0] == chances[2]
    assert chances[0] != chances[1]  # it looks at the picture
    assert all(0 < chance < 1 for each in chances for chance in each.values())


def test_other_families_keep_their_own_processor(tmp_path: Path) -> None:
    assert _still(tmp_path) is None
    (tmp_path / "processor_config.json").write_text('{"processor_class": "LlavaProcessor"}')
    assert _still(tmp_path) is None
