"""Which word drew what: where each word of a prompt had its say while a UNet drew.

At each step each cross-attention layer asks, for each place of the picture, how much it looks at
each token. The mean over heads, layers and steps is the word's map (Tang et al., What the DAAM,
ACL 2023). A map says where a word was looked at, not that what it means is to be seen there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from guard.errors import InvalidRequest
from provenance.picture import Pixels

if TYPE_CHECKING:
    from torch import Tensor

CROSS_ATTENTION: Final = ".attn2."
GRID: Final = 64  # places of a map along the longer side
_WORDS: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")

Map = NDArray[np.float32]
"""(rows, columns) of a coarse grid over the picture; sums to 1."""


@dataclass(frozen=True, eq=False)
class WordMap:
    """``word`` as typed, from ``start`` to ``end`` in the prompt; ``share``: see Map."""

    word: str
    start: int
    end: int
    share: Map


class Watch:
    """What cross-attention looked at in one run that draws one picture."""

    def __init__(self, width: int, height: int) -> None:
        scale = GRID / max(width, height)
        self._grid = max(1, round(height * scale)), max(1, round(width * scale))
        self._aspect = height / width
        self._sum: Tensor | None = None

    def add(self, looked: Tensor) -> None:
        """``looked``: (heads, places, tokens) of one layer at one step."""
        import torch

        places, tokens = looked.shape[1:]
        rows = max(1, round(math.sqrt(places * self._aspect)))
        columns = places // rows
        if rows * columns != places:
            return  # a layer of another shape than the picture's
        coarse = looked.float().mean(dim=0).T.reshape(1, tokens, rows, columns)
        fine = torch.nn.functional.interpolate(
            coarse, self._grid, mode="bilinear", align_corners=False
        )[0]
        self._sum = fine if self._sum is None else self._sum + fine

    def maps(self, prompt: str, tokenizer: Any) -> tuple[WordMap, ...]:
        """One for each word that the text encoder read; what it cut off has none."""
        if self._sum is None:
            return ()
        looked = self._sum.cpu().numpy().astype(np.float32)
        maps = []
        at = 1  # behind the token that begins a text
        for word, tokens in _tokens(prompt, tokenizer):
            if at + tokens > len(looked) - 1:
                break
            if word is not None:
                share = looked[at : at + tokens].mean(axis=0)
                maps.append(WordMap(word[0], *word.span(), share / max(float(share.sum()), 1e-12)))
            at += tokens
        return tuple(maps)


@contextmanager
def watching(unet: Any, width: int, height: int) -> Iterator[Watch]:
    """Watches every run of ``unet`` until the block ends; nothing that it draws changes."""
    watch = Watch(width, height)
    before = unet.attn_processors
    unet.set_attn_processor(
        {
            name: _Watched(processor, watch) if CROSS_ATTENTION in f".{name}" else processor
            for name, processor in before.items()
        }
    )
    try:
        yield watch
    finally:
        unet.set_attn_processor(before)


class _Watched:
    """A processor of an attention layer that tells what the layer looked at."""

    def __init__(self, processor: Callable[..., Any], watch: Watch) -> None:
        self._processor, self._watch = processor, watch

    def __call__(
        self, attn: Any, hidden: Tensor, encoder_hidden_states: Tensor, *rest: Any, **named: Any
    ) -> Any:
        flat = hidden if hidden.ndim == 3 else hidden.flatten(2).transpose(1, 2)
        # The last of the batch is the picture with its prompt; the one without stands before it.
        query = attn.head_to_batch_dim(attn.to_q(flat[-1:]))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states[-1:]))
        self._watch.add(attn.get_attention_scores(query, key))
        return self._processor(attn, hidden, encoder_hidden_states, *rest, **named)


def unet_of(pipeline: Any) -> Any:
    """The UNet of a loaded pipeline. Raises InvalidRequest where it draws with something else."""
    unet = getattr(pipeline, "unet", None)
    if unet is None:
        raise InvalidRequest(
            "This core shows no maps of words: it draws with a transformer, not with a UNet."
        )
    return unet


def overlay(pixels: Pixels, word_map: WordMap) -> Pixels:
    """``pixels`` (H, W, 3) uint8 RGB, darkened but for where the word was looked at."""
    import cv2

    height, width = pixels.shape[:2]
    share = cv2.resize(word_map.share, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = np.quantile(share, (0.05, 0.995))
    light = np.clip((share - low) / max(float(high - low), 1e-12), 0.0, 1.0)[..., None]
    shown = pixels * (0.2 + 0.8 * light)
    lit: Pixels = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return lit


def _tokens(prompt: str, tokenizer: Any) -> Iterator[tuple[re.Match[str] | None, int]]:
    """The words of a prompt and what stands between them (None), each with its tokens."""
    end = 0
    for word in _WORDS.finditer(prompt):
        yield None, _count(prompt[end : word.start()], tokenizer)
        yield word, _count(word[0], tokenizer)
        end = word.end()


def _count(text: str, tokenizer: Any) -> int:
    return len(tokenizer(text, add_special_tokens=False).input_ids) if text.strip() else 0
