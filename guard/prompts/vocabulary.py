"""Which English words there are, and how common: the judge of every repair.

A repair of an obfuscated text is believed when it yields words. The words are kept as 32-bit
hashes (CRC-32), so that no list of slurs lies about in clear; with 30,000 words a random string
is taken for one once in 140,000 times.
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_UNKNOWN = -25.0  # log probability of a letter that belongs to no word
_REMEMBERED = 32_768  # words looked up that are kept, some 4 MB; a prompt asks for 400, often again
_LONGEST = 24  # letters of such a word
_ONE_LETTER_WORDS = frozenset("ai")


def word_hash(word: str) -> int:
    """CRC-32 of a folded word."""
    return crc32(word.encode("utf-8", "surrogatepass"))


class Vocabulary:
    """Log probabilities (natural, of a word in running prompts) by hash of the word."""

    def __init__(self, log_probabilities: Mapping[int, float]) -> None:
        self._log = log_probabilities
        self._seen: dict[str, float] = {}

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

    def _looked_up(self, word: str) -> float:
        found = self._seen.get(word)
        if found is None:
            found = self._log.get(word_hash(word), _UNKNOWN)
            if len(word) <= _LONGEST:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[word] = found
        return found

    def knows(self, word: str) -> bool:
        """Whether a folded word of two letters or more is on record."""
        return len(word) > 1 and self._looked_up(word) > _UNKNOWN

    def known(self, words: Iterable[str]) -> list[tuple[float, str]]:
        """Those of many folded words that are on record, each after its log probability.

        For the hundreds of spellings of a slip, of which hardly any is a word or comes again.
        """
        found = ((self._log.get(word_hash(word)), word) for word in words)
        return [(likelihood, word) for likelihood, word in found if likelihood is not None]

    def log_probability(self, word: str) -> float:
        """Natural logarithm; unknown words get a value below that of any known one."""
        if len(word) == 1 and word not in _ONE_LETTER_WORDS:
            return _UNKNOWN
        return self._looked_up(word)
