"""A mark in the noise that a picture begins with: 64 bits in the signs of the noise, under a key.

A diffusion model draws by turning noise into a picture, and can turn a picture back into something
like its noise. The sign of each number of the noise is set by a keyed pseudorandom word, its size
is left to chance, so that the noise is standard normal to whoever lacks the key (Gaussian Shading,
Yang et al., CVPR 2024). Instead of a code of few bits under one pad, which would mark all
pictures alike, the payload goes down a tree: its first two bytes choose one of 65,536 words for a
quarter of the signs, the next two one of 65,536 others for the next quarter, and so on. Each word
follows from the key and all bytes before it.

    signs(payload, cells) -> (cells,) of -1 and 1
    read(noise) -> NoiseReading | None

Reading takes no threshold from data. Under a key that the picture does not depend on, the sum of n
numbers with random signs exceeds t times their norm with at most exp(-t^2 / 2) (Hoeffding), and
there are 2^64 payloads: their product bounds how often any picture at all looks marked.
"""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.errors import InvalidRequest

PAYLOAD_BYTES: Final = 8
PART_BYTES: Final = 2
PARTS: Final = PAYLOAD_BYTES // PART_BYTES
WORDS: Final = 1 << (8 * PART_BYTES)  # from which a part of the payload chooses one
LEAST_CELLS: Final = 8 * PARTS  # one byte of signs for each part

_DOMAIN: Final = b"wardmark-noise-mark/1\x00"
_ORDER: Final = b"order"
_WORD: Final = b"word"
_BLOCK: Final = 16  # bytes of AES


class NoiseReading(NamedTuple):
    """``false_positive_probability``: an upper bound for any unmarked picture, 0..1."""

    payload: bytes
    false_positive_probability: float


@dataclass(frozen=True)
class NoiseMark:
    """Marks under one secret ``key`` of 32 bytes. Immutable, safe to share."""

    key: bytes = field(repr=False)

    def signs(self, payload: bytes, cells: int) -> NDArray[np.float32]:
        """-1 or 1 for each of ``cells`` numbers of noise. Those that fill no whole byte of a word
        get the sign 0: it is left to chance. Raises InvalidRequest for a payload that is not of 8
        bytes, or less than 32 cells."""
        if len(payload) != PAYLOAD_BYTES or cells < LEAST_CELLS:
            raise InvalidRequest(
                f"A mark in noise holds {PAYLOAD_BYTES} bytes in at least {LEAST_CELLS} numbers, "
                f"not {len(payload)} in {cells}; choose a larger picture."
            )
        length = _word_bytes(cells)
        words = b"".join(
            self._words(payload[:at], length, int.from_bytes(payload[at : at + PART_BYTES]), 1)
            for at in range(0, PAYLOAD_BYTES, PART_BYTES)
        )
        bits = np.unpackbits(np.frombuffer(words, np.uint8))
        signs = np.zeros(cells, np.float32)
        signs[self._order(cells)[: len(bits)]] = bits.astype(np.float32) * 2 - 1
        return signs

    def read(self, noise: NDArray[np.float32]) -> NoiseReading | None:
        """The likeliest payload, part by part, in what inversion made of the noise, (cells,); None
        if there are too few cells, or nothing but zeros. It may be chance: it says how well."""
        if noise.size < LEAST_CELLS or not noise.any() or not np.isfinite(noise).all():
            return None
        length = _word_bytes(noise.size)
        parts = noise[self._order(noise.size)][: 8 * length * PARTS].reshape(PARTS, length, 8)
        score, payload = 0.0, b""
        for part in parts:
            # What each value of each byte of a word adds: (length, 256).
            adds = part.astype(np.float32) @ _BYTE_SIGNS.T
            words = np.frombuffer(self._words(payload, length, 0, WORDS), np.uint8)
            scores = _scores(words.reshape(WORDS, length), adds)
            best = int(scores.argmax())
            score += float(scores[best])
            payload += best.to_bytes(PART_BYTES)
        deviations = score / float(np.linalg.norm(parts))
        exponent = 8 * PAYLOAD_BYTES * math.log(2) - deviations**2 / 2
        return NoiseReading(payload, math.exp(min(0.0, exponent)) if score > 0 else 1.0)

    def _words(self, begun: bytes, length: int, first: int, count: int) -> bytes:
        """``count`` words of ``length`` bytes from number ``first``, for payloads that begin so:
        AES-256 in counter mode, which starts anywhere."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        key = hmac.digest(self.key, _DOMAIN + _WORD + begun, "sha256")
        block, skipped = divmod(first * length, _BLOCK)
        stream = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(_BLOCK))).encryptor()
        return stream.update(bytes(skipped + count * length))[skipped:]

    def _order(self, cells: int) -> NDArray[np.int64]:
        """Which cell each sign goes to: every part lies scattered over the whole picture."""
        return _order_of(self.key, cells)


@lru_cache(maxsize=64)
def _order_of(key: bytes, cells: int) -> NDArray[np.int64]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(
        algorithms.AES(hmac.digest(key, _DOMAIN + _ORDER, "sha256")), modes.CTR(bytes(_BLOCK))
    ).encryptor()
    ranks = np.frombuffer(stream.update(bytes(8 * cells)), np.uint64)
    return np.argsort(ranks, kind="stable")


def _word_bytes(cells: int) -> int:
    return cells // (8 * PARTS)


_BYTES: Final = np.arange(256, dtype=np.uint8)[:, None]
_BYTE_SIGNS: Final = np.unpackbits(_BYTES, axis=1).astype(np.float32) * 2 - 1
"""(256, 8): the signs that a byte stands for."""


def _scores(words: NDArray[np.uint8], adds: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well each word (words, bytes) agrees with the noise: sums of ``adds`` (bytes, 256)."""
    scores = np.zeros(len(words), np.float32)
    for values, added in zip(np.ascontiguousarray(words.T), adds, strict=True):
        scores += added[values]
    return scores
