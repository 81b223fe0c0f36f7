"""The encoder: a transformer of five layers that reads a folded text as a whole.

MiniLM (Wang et al. 2020) in the form of all-MiniLM-L6-v2, distilled from a larger one that was
tuned on prompts (``guard.prompts.training``); mean over the tokens, placed where the larger one
would place the text, one head a category, all in one ONNX graph with 8-bit weights. Runs on
onnxruntime and tokenizers.

It reads words only: users' prompts are lists of tags, a third of their tokens are commas and
brackets, and every token costs the same.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS = 512  # positions that the encoder has
THREADS = min(2, os.cpu_count() or 1)  # texts read at the same time
_MANY = 4  # texts from which a second thread pays

Matrix = NDArray[np.float32]


class Words:
    """Folded texts as the numbers of their word pieces; what has no letter or digit is left out."""

    def __init__(self, tokenizer: bytes, most: int) -> None:
        """``tokenizer``: its JSON; ``most``: tokens of a text that are read, marks included."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(most)
        self._marks = frozenset(
            number
            for piece, number in self._tokenizer.get_vocab().items()
            if not any(map(str.isalnum, piece))
        )

    def of(self, text: str) -> list[int]:
        """The numbers, between those that begin and end a text."""
        marks = self._marks
        return [number for number in self._tokenizer.encode(text).ids if number not in marks]


class Encoder:
    """Scores folded texts. Immutable, safe to share between threads.

    Every text is a run of its own: 8-bit runtimes scale by the largest value of a batch, and a
    prompt's score must not depend on its neighbours.
    """

    def __init__(self, graph: bytes, tokenizer: bytes) -> None:
        """``graph``: ONNX, int64 (1, tokens) -> float32 (1, heads); ``tokenizer``: its JSON.

        Raises ValueError where either is not what it should be.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
            self._words = Words(tokenizer, MAX_TOKENS)
        except Exception as error:
            raise ValueError(f"no encoder: {error}") from error
        self._input = self._session.get_inputs()[0].name
        self.heads = int(self._session.get_outputs()[0].shape[-1])

    def _read(self, text: str) -> Matrix:
        ids = np.array([self._words.of(text)], dtype=np.int64)
        return np.asarray(self._session.run(None, {self._input: ids})[0][0], dtype=np.float32)

    def logits(self, texts: Iterable[str]) -> Matrix:
        """(N, H) logits of one or more folded texts; beyond ``MAX_TOKENS`` they are not read.

        Texts are read while ``texts`` still makes the next ones.
        """
        coming = iter(texts)
        first = list(islice(coming, _MANY))
        if len(first) < _MANY or THREADS == 1:
            return np.stack([self._read(text) for text in chain(first, coming)])
        with ThreadPoolExecutor(THREADS) as pool:
            return np.stack(list(pool.map(self._read, chain(first, coming))))
