"""The fixed marks that widely used generators write into every picture.

All are written by invisible-watermark's dwtDct: the reference scripts of Stable Diffusion 1 and 2
and InvokeAI write a text, diffusers (after Stability AI's generative-models) writes 48 bits into
pictures of Stable Diffusion XL before they are rounded to 8 bits. That method is often misread
by its own reader, so nothing is decoded here: the blocks are held against each known string.

The probability is right however much the blocks of a picture resemble each other. With m_j the
mean over all blocks of bit j (of the sine that a mark moves to +1 or -1) and s_j = +1 or -1 for
that bit, the evidence is T = sum s_j m_j. The picture, whatever it is, knows nothing of the string:
its m_j are taken as given and the signs as fair coins, so P(T >= t) is at most the least of
exp(-l t) prod cosh(l m_j) over all l > 0 (Chernoff), never below 2^-L. What natural pictures and
texts do share, a constant and a period of eight bits, is taken out of m, and the worse of both
counts. All looks at all strings share one probability of error, the shortest string the most of
it. docs/watermark.md measures it.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels
from provenance.watermark.blocks import Blocks, averages, averages_of_floats
from provenance.watermark.presence import SCALE

SDXL_BITS: Final = 0b101100111110110010010000011110111011000110011110
"""diffusers' WATERMARK_MESSAGE (pipelines/stable_diffusion_xl/watermark.py)."""


class Look(NamedTuple):
    """A way to weigh the blocks. ``most_lead``: of a block's largest average over its second, in
    its units, counts up to here; None counts all blocks alike. ``offset``: how far beside its aim
    a mark is looked for."""

    most_lead: float | None
    offset: float


STANDING_OUT: Final = Look(9.0, 0.0)
"""A block whose largest average was raised stands out, one that was lowered is misread."""

AFTER_JPEG: Final = Look(None, -2.0)
"""Which takes the lead away and lowers what is left."""


class KnownMark(NamedTuple):
    """A fixed mark. ``floats``: written into a picture that was not yet rounded to 8 bits.
    ``trials``: each look has one in so many of the probability of error."""

    written_by: str
    payload: bytes
    trials: int = 12
    looks: tuple[Look, ...] = (STANDING_OUT, AFTER_JPEG)
    floats: bool = False


KNOWN_MARKS: Final = (
    KnownMark("Stable Diffusion 1 (reference scripts)", b"StableDiffusionV1"),
    KnownMark("Stable Diffusion 2 (reference scripts)", b"SDV2", 2, (STANDING_OUT,)),
    KnownMark("Stable Diffusion XL (diffusers)", SDXL_BITS.to_bytes(6), floats=True),
    KnownMark("InvokeAI", b"InvokeAI"),
)


class Recognised(NamedTuple):
    """The known mark that a picture bears, and how likely one without a mark looks so."""

    mark: KnownMark
    false_positive_probability: float


_ENOUGH: Final = 0.3
"""Of a mean, beyond which a bit is taken for told: one that is clearer still outweighs no other."""

_TEXT_PERIOD: Final = 8  # bits of a character, whose first is always 0
_SHARPNESS: Final = np.geomspace(0.01, 200.0, 80)[:, None]  # l, where the largest m_j is 1


def recognise(image: Pixels) -> Recognised:
    """The known mark that ``image`` (H, W, 3) uint8 RGB most likely bears; judge by the
    probability whether it does. 512x512 takes a few milliseconds."""
    readings = {False: _read(averages(image)), True: _read(averages_of_floats(image))}
    return min(
        (_held_against(readings[mark.floats], mark) for mark in KNOWN_MARKS),
        key=lambda found: found.false_positive_probability,
    )


class _Reading(NamedTuple):
    """Of each block, what is quantised and its lead over the next."""

    value: NDArray[np.float64]
    lead: NDArray[np.float64]


def _read(blocks: Blocks) -> _Reading:
    second, largest = np.partition(np.abs(blocks[1:]), -2, axis=0)[-2:]
    return _Reading(largest, largest - second)


def _held_against(reading: _Reading, mark: KnownMark) -> Recognised:
    bits = np.unpackbits(np.frombuffer(mark.payload, dtype=np.uint8))
    signs: NDArray[np.float64] = 1.0 - 2.0 * bits.astype(np.float64)
    chance = min(max(_chances(_means(reading, len(bits), look), signs)) for look in mark.looks)
    return Recognised(mark, min(1.0, chance * mark.trials))


def _means(reading: _Reading, length: int, look: Look) -> NDArray[np.float64]:
    weight = np.ones_like(reading.lead)
    if look.most_lead is not None:
        weight = np.minimum(reading.lead, look.most_lead)
    sine = np.sin((reading.value - look.offset) * (2.0 * np.pi / SCALE))
    bit = np.arange(len(sine)) % length
    total = np.maximum(np.bincount(bit, weight, length), 1e-9)
    return np.clip(np.bincount(bit, weight * sine, length) / total, -_ENOUGH, _ENOUGH)


def _chances(means: NDArray[np.float64], signs: NDArray[np.float64]) -> tuple[float, float]:
    classes = means.reshape(-1, _TEXT_PERIOD)
    apart = (classes - classes.mean(axis=0)).ravel()
    return _chance(means, signs), _chance(apart, signs)


def _chance(means: NDArray[np.float64], signs: NDArray[np.float64]) -> float:
    """Bound on P(sum s_j m_j >= what it is) over fair signs."""
    most = float(np.abs(means).max())
    evidence = float((means * signs).sum())
    if evidence <= 0.0 or most < 1e-9:
        return 1.0
    steps = _SHARPNESS * (np.abs(means) / most)
    log_cosh = np.logaddexp(steps, -steps) - np.log(2.0)
    bounds = log_cosh.sum(axis=1) - _SHARPNESS[:, 0] * (evidence / most)
    return float(min(1.0, np.exp(bounds.min())))
