"""Is there a mark at all? Evidence that a picture's blocks obey a repeated payload.

The decoders of invisible-watermark answer with bits for any picture, marked or not. The methods
behind them quantise one number of each 8x8 block: its remainder by ``SCALE`` lies at 1/4 for a 0
and at 3/4 for a 1, and block i carries bit i mod L. In an unmarked picture the remainders are
whatever the content makes them: alike in flat regions, drifting in gradients, and, where the
blocks' rows are as long as the payload, alike down whole columns. So neighbouring blocks are no
independent evidence, and two tests are made whose worse answer counts:

1. *Aim.* Averaged over all blocks of one bit, the remainder is a vector on a circle. A mark aims
   it at +i (0) or -i (1); content aims it anywhere. One vector is taken for each run of equal
   bits (flat content makes one long run, hence no evidence), its angle from the aim is uniform
   without a mark, and the sum of m such angles, scaled to 0..1, is below x with probability at
   most x^m / m! (Irwin-Hall). This holds however strongly rows resemble each other.
2. *Steadiness.* The difference of two neighbouring blocks has the same mean over all repetitions
   of the payload, bit pair by bit pair, unless a mark makes it differ: a one-way analysis of
   variance over the bit pairs. Repetitions that resemble their predecessor count for less (the
   effective sample size of a first-order autoregression). This holds where quantised colours
   make all angles alike, which the first test cannot tell from a mark.

docs/watermark.md measures both on unmarked pictures.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SCALE: Final = 36.0
"""The quantisation step of invisible-watermark 0.2.0 (its ``scales``), in units of the block's
coefficient."""

FEWEST_REPETITIONS: Final = 4
"""Of the payload in a picture; below, there is no variance to judge by."""

_FINEST_AIM: Final = 0.1
"""Of a quarter turn. No run counts as better aimed: flat content of 8-bit pixels has few angles to
choose from, and two or three lucky ones must not make a mark."""

_SHORT_PERIOD: Final = 4
"""Bits. Where the blocks' rows share no more with the payload's length than this, columns that are
alike from top to bottom leave a pattern of this period; the aim must hold without it too."""


_FEWEST_OF_A_KIND: Final = 2
"""Bits of either value in a class of that period. In a class of one value (the first bit of each
digit of deadbeef, say) nothing departs from the pattern, so it is no evidence for or against."""


class Reading(NamedTuple):
    """``bits`` (L,) of 0 and 1 as the package's decoder gives them, and how likely it is that a
    picture without a mark looks as marked."""

    bits: NDArray[np.uint8]
    false_positive_probability: float


def read(values: NDArray[np.float64], length: int, offsets: tuple[float, ...] = (0.0,)) -> Reading:
    """The payload in the blocks' ``values`` (n,), in raster order.

    ``length``: of the payload in bits, a multiple of 4.
    ``offsets``: how far beside 1/4 and 3/4 a writer may land, in units of the values; the best
    one counts, and their number multiplies the probability.
    """
    repetitions = len(values) // length
    if repetitions < FEWEST_REPETITIONS:
        return Reading(np.zeros(length, dtype=np.uint8), 1.0)
    bits = _majority(values, length)
    whole = values[: repetitions * length].reshape(repetitions, length)
    angle = whole * (2.0 * np.pi / SCALE)
    sine = np.sin(angle)
    mean = np.cos(angle).mean(axis=0) + 1j * sine.mean(axis=0)
    classes, told = mean.reshape(-1, _SHORT_PERIOD), bits.reshape(-1, _SHORT_PERIOD)
    ones = told.sum(axis=0)
    mixed = (ones >= _FEWEST_OF_A_KIND) & (ones <= len(told) - _FEWEST_OF_A_KIND)
    departures = (classes - classes.mean(axis=0))[:, mixed].ravel()
    turns = [np.exp(-2j * np.pi * offset / SCALE) for offset in offsets]
    aim = max(
        min(_aim(part * turn, of) for turn in turns)
        for part, of in ((mean, bits), (departures, told[:, mixed].ravel()))
    )
    return Reading(bits, max(min(1.0, len(turns) * aim), _steadiness(sine)))


def distinct_runs(bits: NDArray[np.uint8]) -> int:
    """How many runs of equal bits are independent evidence, the bits read as a ring.

    A payload that nearly repeats within itself looks like a picture that does: columns that are
    alike from top to bottom, in rows of b blocks, repeat every gcd(b, L). So for each period the
    runs of one period count, and every bit that departs from it; the least of these is taken.
    """
    length = len(bits)

    def evidence(period: int) -> int:
        once = bits[:period]
        return int((once != np.roll(once, 1)).sum() + (bits != np.roll(bits, period)).sum())

    return min(evidence(period) for period in range(1, length + 1) if length % period == 0)


def _majority(values: NDArray[np.float64], length: int) -> NDArray[np.uint8]:
    """Each block's vote, averaged by bit. The odd threshold is the package's."""
    votes = (values % SCALE) > SCALE / 2
    index = np.arange(len(values)) % length
    share = np.bincount(index, weights=votes, minlength=length) / np.bincount(
        index, minlength=length
    )
    return (share * 255 > 127).astype(np.uint8)


def _aim(mean: NDArray[np.complex128], bits: NDArray[np.uint8]) -> float:
    towards = np.where(bits == 0, mean.imag, -mean.imag)
    off_aim = np.arctan2(np.abs(mean.real), towards) / (np.pi / 2)  # 0 on aim, 1 across
    first_of_run = bits != np.roll(bits, 1)
    if not first_of_run.any():
        return 1.0
    runs = distinct_runs(bits)
    # where runs depend on each other, those aimed worst are taken for the independent ones
    worst = np.sort(np.clip(off_aim[first_of_run], _FINEST_AIM, 1.0))[-runs:]
    total = float(worst.sum())
    return _irwin_hall(total, runs)


def _irwin_hall(total: float, count: int) -> float:
    """Bound on the probability that ``count`` uniform numbers in 0..1 sum to at most ``total``."""
    return min(1.0, math.exp(count * math.log(total) - math.lgamma(count + 1)))


def _steadiness(sine: NDArray[np.float64]) -> float:
    even = _pairs_differ(sine[:, 0::2] - sine[:, 1::2])
    odd = _pairs_differ(sine[:, 1:-1:2] - sine[:, 2::2])
    return min(1.0, 2.0 * min(even, odd))  # the better of two looks


def _pairs_differ(differences: NDArray[np.float64]) -> float:
    """p-value of the hypothesis that all columns of (repetitions, pairs) have mean zero."""
    from scipy.special import betainc

    repetitions, pairs = differences.shape
    means = differences.mean(axis=0)
    rest = differences - means
    within = float((rest**2).sum())
    between = float((means**2).sum()) * repetitions
    if between <= 0.0:
        return 1.0
    if within <= 0.0:
        return 0.0
    likeness = float((rest[1:] * rest[:-1]).sum()) / within  # lag-1 autocorrelation
    likeness = min(max(likeness, 0.0), 0.99)
    shrink = (1.0 - likeness) / (1.0 + likeness)
    degrees = pairs * max(repetitions * shrink - 1.0, 1.0)
    ratio = shrink * between / within * (repetitions - 1)  # F with (pairs, degrees)
    return float(betainc(degrees / 2, pairs / 2, degrees / (degrees + pairs * ratio)))
