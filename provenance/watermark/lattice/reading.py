"""Reading a folded tile: where the pilots lie, what the data says, and how sure that is."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.lattice.carrier import TILE, Carrier, Waves
from provenance.watermark.lattice.code import CHECK_BYTES, Decoded, decode

ORIENTATIONS: Final = 8  # four quarter turns, each as it is or mirrored

_RINGS: Final = 5  # in which the pilots tell how much of the mark is left
_LEAST_WEIGHT: Final = 0.02

class Sighting(NamedTuple):
    """The best place for a carrier in a folded tile.

    ``score``: agreement of the pilots in standard deviations of what an unmarked picture gives.
    ``orientation``: quarter turns in its low two bits, 4 for mirrored. ``shift``: (rows, columns).
    ``waves`` (n,): what was read, each wave at most 1, before the shift is taken out.
    """

    score: float
    orientation: int
    shift: tuple[float, float]
    waves: Waves


def _turned(grid: NDArray[np.int64], orientation: int) -> NDArray[np.int64]:
    """A spectrum's points as they come to lie when its tile is mirrored left to right, if
    ``orientation`` says so, then turned counter-clockwise by quarters. Shifts come as they may."""
    backwards = -np.arange(TILE) % TILE
    if orientation & 4:
        grid = grid[:, backwards]
    for _ in range(orientation & 3):
        grid = grid.T[backwards, :]
    return grid


_POINTS: Final = np.stack(
    [
        _turned(np.arange(TILE * TILE).reshape(TILE, TILE), orientation)
        for orientation in range(ORIENTATIONS)
    ]
)
"""(ORIENTATIONS, TILE, TILE): where in a tile's spectrum each point of the turned one is."""


def turned_back(orientation: int, right: float, down: float) -> tuple[float, float]:
    """A step in the turned tile, in the coordinates that it had before."""
    for _ in range(orientation & 3):
        right, down = -down, right
    return (-right if orientation & 4 else right), down


def sight(carrier: Carrier, folded: NDArray[np.float32]) -> Sighting:
    """The best of all orientations and shifts."""
    waves = _waves(carrier, folded, slice(None))
    surfaces = agreement(carrier, waves[:, : carrier.pilots])
    best = int(surfaces.argmax())
    orientation, place = divmod(best, TILE * TILE)
    surface = surfaces[orientation]
    score = float(surfaces.reshape(-1)[best])
    return Sighting(score, orientation, summit(surface, *divmod(place, TILE)), waves[orientation])


def pilots_of(carrier: Carrier, folded: NDArray[np.float32], orientation: int) -> Waves:
    """(1, pilots) of a folded tile turned by ``orientation``."""
    one = slice(orientation, orientation + 1)
    return _waves(carrier, folded, one)[:, : carrier.pilots]


def _waves(carrier: Carrier, folded: NDArray[np.float32], orientations: slice) -> Waves:
    """(orientations, n): each wave's phase without the key's, and of its strength only whether it
    is more or less than usual; at most 1."""
    from scipy import fft

    points = _POINTS[orientations, carrier.rows, carrier.columns]
    waves = fft.fft2(folded).reshape(-1)[points] * carrier.phase.conj()
    strength = np.abs(waves)
    usual = float(np.median(strength[0]))  # the same for all: they turn one half plane into another
    bounded: Waves = waves / (strength + max(usual, 1e-9))
    return bounded


def agreement(carrier: Carrier, pilots: Waves) -> NDArray[np.float32]:
    """(k, TILE, TILE): for each shift the sum of ``pilots`` (k, pilots) in standard deviations.

    A key's phases are independent of a picture that it did not mark, so each sum is one of m terms
    |v| cos(uniform), whose variance is sum |v|^2 / 2 and whose tail is below exp(-score^2 / 2):
    the moment generating function of each term, I0(t |v|), is below exp(t^2 |v|^2 / 4).
    """
    deviation = np.sqrt((np.abs(pilots) ** 2).sum(axis=1) / 2.0)
    scaled = pilots / np.maximum(deviation, 1e-9)[:, None]
    return carrier.surfaces(scaled.astype(np.complex64))


def summit(surface: NDArray[np.float32], row: int, column: int) -> tuple[float, float]:
    """The place of a maximum between the samples, by a parabola each way; the tile is a ring."""
    height, width = surface.shape
    here = float(surface[row, column])
    above, below = surface[(row - 1) % height, column], surface[(row + 1) % height, column]
    left, right = surface[row, (column - 1) % width], surface[row, (column + 1) % width]
    return row + _vertex(above, here, below), column + _vertex(left, here, right)


def _vertex(before: float, here: float, after: float) -> float:
    bend = before - 2.0 * here + after
    return 0.0 if bend == 0.0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def payload_at(carrier: Carrier, sighting: Sighting, key: bytes, words: int) -> Decoded | None:
    """What the data waves say there, of the likeliest ``words`` words; None if no check passes.

    Waves of one ring count by what the ring's pilots kept of the mark over what they kept of noise.
    """
    down, right = sighting.shift
    place = (carrier.rows * down + carrier.columns * right) * (2j * np.pi / TILE)
    waves = sighting.waves * np.exp(place)
    pilots, data = waves[: carrier.pilots], waves[carrier.pilots :]
    edges = np.linspace(carrier.radius.min(), carrier.radius.max() + 0.1, _RINGS + 1)
    ring = np.digitize(carrier.radius, edges[1:-1])
    members = np.maximum(np.bincount(ring[: carrier.pilots], minlength=_RINGS), 1)
    kept = np.bincount(ring[: carrier.pilots], weights=pilots.real, minlength=_RINGS) / members
    power = (
        np.bincount(ring[: carrier.pilots], weights=np.abs(pilots) ** 2, minlength=_RINGS) / members
    )
    signal = np.maximum(kept, 0.0)
    weight = np.maximum(signal, _LEAST_WEIGHT) / np.maximum(power - signal**2, 0.05)
    return decode(carrier.soft(data * weight[ring[carrier.pilots :]]), key, words)


def chance_of(score: float, sightings: int) -> float:
    """A bound on how likely a picture without a mark shows pilots that agree this well, in any of
    so many ``sightings``. A score of 0 is one that counts for nothing."""
    places = ORIENTATIONS * TILE * TILE * sightings
    return min(1.0, places * math.exp(-score * score / 2.0))


def false_positive_bound(chances: float) -> float:
    """How likely any of several words passes its check in a picture without a mark.

    ``chances``: words that were tried, each times ``chance_of`` the sighting that let it be tried:
    pilots, data and check depend on independent parts of the key.
    """
    return chances * 2.0 ** (-8 * CHECK_BYTES)
