"""The error-correcting code: 64 bits of payload and a keyed check of 32, in 384 signs.

A convolutional code of rate 1/4 and constraint length 13, bent into a ring (tail-biting), so that
no bit is spent on its ends. Decoded by the Viterbi algorithm from soft values: with 2.7 times the
noise's variance of energy for each of the 96 bits, 97 in 100 words come back whole. The check also
tells which of several likely words is right, so a list of them can be asked for (Seshadri and
Sundberg, List Viterbi Decoding Algorithms with Applications, 1994). Generators: Proakis, Digital
Communications, table 8.2-3.

The check is the first half of an HMAC, so that to any reader without the key, and in any picture
without a mark, a decoded word passes it with probability 2^-32.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BYTES: Final = 8
CHECK_BYTES: Final = 4

_BITS: Final = 8 * (PAYLOAD_BYTES + CHECK_BYTES)
_MEMORY: Final = 12  # bits that an output depends on, besides the newest
_GENERATORS: Final = (0o11145, 0o12477, 0o15537, 0o16727)
_STATES: Final = 1 << _MEMORY
_HALF: Final = _STATES // 2
_OVERLAP: Final = 48  # steps that the decoder goes round again on either side, to close the ring

_ORDER: Final = np.arange(-_OVERLAP, _BITS + _OVERLAP) % _BITS

CODE_LENGTH: Final = _BITS * len(_GENERATORS)

Signs = NDArray[np.float32]


def encode(payload: bytes, key: bytes) -> Signs:
    """(CODE_LENGTH,) of -1 and 1 for a payload of PAYLOAD_BYTES."""
    bits = np.unpackbits(np.frombuffer(payload + _check(payload, key), dtype=np.uint8))
    ages = np.arange(_MEMORY + 1)
    past = np.stack([np.roll(bits, age) for age in ages])  # a ring: the first bits follow the last
    taps = np.array(_GENERATORS)[:, None] >> (_MEMORY - ages) & 1
    return (1 - 2 * (taps @ past % 2)).T.reshape(-1).astype(np.float32)


class Decoded(NamedTuple):
    """A payload whose check passed, and how many words were tried for it."""

    payload: bytes
    tried: int


def decode(soft: NDArray[np.float64], key: bytes, words: int = 1) -> Decoded | None:
    """The payload whose signs agree best with ``soft`` (CODE_LENGTH,) among the likeliest ``words``
    words; None if the check of each fails."""
    for tried, bits in enumerate(_likeliest(soft, words), start=1):
        word = np.packbits(bits).tobytes()
        payload, check = word[:PAYLOAD_BYTES], word[PAYLOAD_BYTES:]
        if hmac.compare_digest(check, _check(payload, key)):
            return Decoded(payload, tried)
    return None


def _check(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"lattice check" + payload, hashlib.sha256)[:CHECK_BYTES]


def _parity(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bitwise_count(numbers).astype(np.int64) & 1


_OUTPUTS: Final[Signs] = np.stack(
    [1 - 2 * _parity(np.arange(0, _STATES, 2) & generator) for generator in _GENERATORS], axis=-1
).astype(np.float32)
"""(_HALF, 4): what each even state puts out when a 0 comes in. All generators tap the newest and
the oldest bit, so a 1 that comes in, and the odd state, only turn all four signs."""


def _likeliest(soft: NDArray[np.float64], words: int) -> Iterator[NDArray[np.uint8]]:
    """At most ``words`` of (_BITS,): the one nearest to ``soft``, then those whose path leaves the
    nearest one's once, the likelier first.

    State: the last _MEMORY bits, the newest on top. States n and n + _HALF have the same two
    predecessors, 2n and 2n + 1.
    """
    branches = soft.reshape(_BITS, -1).astype(np.float32) @ _OUTPUTS.T
    metrics, from_odd = _survivors(branches, kept=2)
    last = int(metrics[len(_ORDER) % 2].argmax())
    yield _bits(_path(from_odd, last))
    if words == 1:
        return
    metrics, _ = _survivors(branches, kept=len(_ORDER) + 1)
    new = _path(from_odd, last)[_OVERLAP + 1 :]
    steps = np.arange(_OVERLAP, len(_ORDER))  # who leaves before changes no bit that counts
    older = (new << 1) % _STATES
    branch = branches[_ORDER[steps], new % _HALF] * np.where(new < _HALF, 1.0, -1.0)
    loss = np.abs(metrics[steps, older] - metrics[steps, older + 1] + 2.0 * branch)
    for leaves in steps[np.argsort(loss, kind="stable")[: words - 1]]:
        yield _bits(_path(from_odd, last, leaves))


def _survivors(branches: Signs, kept: int) -> tuple[Signs, NDArray[np.bool_]]:
    """(kept, _STATES): the metric of each state before step i in row i modulo ``kept``; (steps,
    _STATES): whether its survivor comes from the odd predecessor."""
    metrics = np.empty((kept, _STATES), np.float32)
    metrics[0] = 0.0
    from_odd = np.empty((len(_ORDER), _STATES), np.bool_)
    even_path, odd_path = np.empty(_HALF, np.float32), np.empty(_HALF, np.float32)
    for step, position in enumerate(_ORDER):
        before, after = metrics[step % kept], metrics[(step + 1) % kept]
        branch = branches[position]
        for new, sign in ((slice(None, _HALF), branch), (slice(_HALF, None), -branch)):
            np.add(before[0::2], sign, out=even_path)
            np.subtract(before[1::2], sign, out=odd_path)
            np.greater(odd_path, even_path, out=from_odd[step, new])
            np.maximum(even_path, odd_path, out=after[new])
    return metrics, from_odd


def _path(from_odd: NDArray[np.bool_], last: int, leaves: int = -1) -> NDArray[np.int64]:
    """(steps + 1,): the states of the survivor that ends in ``last``, but for the other predecessor
    at the step ``leaves``."""
    states = np.empty(len(from_odd) + 1, np.int64)
    states[-1] = state = last
    for step in range(len(from_odd) - 1, -1, -1):
        state = (state << 1) % _STATES | int(from_odd[step, state]) ^ (step == leaves)
        states[step] = state
    return states


def _bits(states: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(_BITS,) that a path's states took in, without the overlaps."""
    taken = states[_OVERLAP + 1 : _OVERLAP + 1 + _BITS] >> (_MEMORY - 1)
    return taken.astype(np.uint8)
