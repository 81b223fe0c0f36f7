"""Which English words there are, and how common: the judge of every repair.

A repair of an obfuscated text is believed when it yields words. The words are kept as 32-bit
hashes (CRC-32), so that no list of slurs lies about in clear; with 30,000 words a random string
is taken for one once in 140,000 times.
"""

from collections.abc import Mapping
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_UNKNOWN = -25.0  # log probability of a letter that belongs to no word
_ONE_LETTER_WORDS = frozenset("ai")


def word_hash(word: str) -> int:
    """CRC-32 of a folded word."""
    return crc32(word.encode("utf-8", "surrogatepass"))


class Vocabulary:
    """Log probabilities (natural, of a word in running prompts) by hash of the word."""

    def __init__(self, log_probabilities: Mapping[int, float]) -> None:
        self._log = log_probabilities

    def __len__(self) -> int:
        return len(self._log)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The two arrays of the weights file, from which ``LinearModel`` makes this again."""
        hashes = sorted(self._log)
        return {
            "vocabulary.hashes": np.array(hashes, dtype=np.uint32),
            "vocabulary.log_probabilities": np.array(
                [self._log[each] for each in hashes], dtype=np.float16
            ),
        }

    def knows(self, word: str) -> bool:
        """Whether a folded word of two letters or more is on record."""
        return len(word) > 1 and word_hash(word) in self._log

    def log_probability(self, word: str) -> float:
        """Natural logarithm; unknown words get a value below that of any known one."""
        if len(word) == 1 and word not in _ONE_LETTER_WORDS:
            return _UNKNOWN
        return self._log.get(word_hash(word), _UNKNOWN)
