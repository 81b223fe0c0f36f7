"""The shapes of the networks that are trained, and the tokenizer they read with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from guard.generation.scenes.captions import MAX_TOKENS

LATENT_CHANNELS: Final = 16
TEXT_WIDTH: Final = 128
VOCABULARY: Final = 1200  # entries at most, the 512 single bytes included
_START, _END = "<|startoftext|>", "<|endoftext|>"

# Channels are multiples of 32: the tiles of bf16 matrix units.
UNET: Final[dict[str, Any]] = {
    "sample_size": 16,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "block_out_channels": (64, 96, 128),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": TEXT_WIDTH,
    "attention_head_dim": 4,  # the number of heads, as diffusers names it
    "norm_num_groups": 8,
    "addition_embed_type": "text",  # the whole prompt, pooled, beside the time
    "addition_embed_type_num_heads": 4,
}
SCHEDULER: Final[dict[str, Any]] = {
    "num_train_timesteps": 1000,
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "flow_shift": 1.5,
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "steps_offset": 1,  # without a bearing on flow; diffusers calls any other value outdated
}


def text_config(vocabulary: int, start: int, end: int) -> dict[str, Any]:
    """Settings of the CLIPTextModel that reads prompts."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "projection_dim": TEXT_WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        "bos_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
    }


def train_tokenizer(texts: Iterable[str], directory: Path) -> None:
    """Train byte-pair encoding on captions and write it as a CLIPTokenizer's two files.

    Every byte has an entry, inside and at the end of a word, so that no prompt is unreadable.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    bytes_of = sorted(pre_tokenizers.ByteLevel.alphabet())
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""),
                behavior="removed",
                invert=True,
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    trained.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - 256,
            initial_alphabet=bytes_of,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    entries = [*bytes_of, *(byte + "</w>" for byte in bytes_of)]
    known = set(entries)
    for left, right in merges:
        if left + right not in known:
            known.add(left + right)
            entries.append(left + right)
    entries += [_START, _END]
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    (directory / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (directory / "merges.txt").write_text("\n".join(lines) + "\n")
