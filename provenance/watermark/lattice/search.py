"""Finding the grid of tiles without knowing what is in them: the peaks of the autocorrelation.

A picture that was scaled, turned, cropped or stretched still repeats by its tiles. The residual's
autocorrelation, its spectrum made flat first, then shows a grid of peaks. Two ways to find it:
adding the heights at all points of a square grid, for each size and turn of it (weak marks), and
trying pairs of single peaks as its edges (strong marks in any affine form).
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.lattice.carrier import TILE
from provenance.watermark.lattice.plane import Plane
from provenance.watermark.lattice.reading import summit

SMALLEST, LARGEST = 0.6, 2.3
"""Tile edge over TILE. A crop to a quarter doubles it; borders shrink it."""

_MAPS: Final = ((0.0, 5), (1.5, 2))
"""(pixels of blur, grids tried): as it is, and for peaks that perspective has smeared."""

_REACH: Final = 2.6  # tiles: how far apart places are compared
_LEAST_SHARE: Final = 0.75  # of the shorter side is compared at most
_FLATTENING: Final = 17  # bins over which the spectrum is made flat
_LOUDEST_BIN: Final = 6.0  # times its surroundings
_BAND: Final = (0.02, 0.40)  # waves a pixel that are compared
_AXES: Final = 0.003  # waves a pixel: borders and horizons lie there
_NEAR: Final = 0.35  # tiles: closer places resemble each other in any picture
_TALLEST: Final = 7.0  # standard deviations that a peak counts for
_STEP: Final = 0.75  # pixels between grid sizes
_POINTS: Final = (
    (1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (-1, 2), (2, -1),
)  # fmt: skip
_LEAST_PEAK: Final = 3.5  # standard deviations
_PEAKS: Final = 14
_PAIRS: Final = 4  # of peaks that are tried
_SQUARENESS: Final = (0.35, 1.5)  # cosine between a tile's edges, and their ratio, at most
_FIT: Final = (2, 2.5)  # pixels around a grid point where its peak is looked for; its least height
_FARTHEST_FIT: Final = 4.0  # pixels that a fit may move a tile's corner

Basis = NDArray[np.float64]
"""(2, 2): columns are a tile's edges, x and y, in pixels of the plane."""


class Map(NamedTuple):
    """``height`` (2 r + 1, 2 r + 1) of the autocorrelation in standard deviations, shift 0 in the
    middle; ``weight``: the root of the share of the picture that was compared."""

    height: NDArray[np.float32]
    weight: NDArray[np.float32]

    @property
    def reach(self) -> int:
        return int(self.height.shape[0]) // 2


def grids(rest: Plane) -> Iterator[Basis]:
    """The likeliest grids of tiles in a residual, best first, none twice."""
    seen: list[Basis] = []
    sharp = autocorrelation(rest)
    for blur, count in _MAPS:
        chart = sharp if blur == 0.0 else _blurred(sharp, blur)
        for basis in _on(chart, count):
            shape = _reduced(basis)
            if all(np.abs(shape - other).max() >= 1.0 for other in seen):
                seen.append(shape)
                yield basis


def autocorrelation(rest: Plane) -> Map:
    """Of ``rest``, its spectrum flattened, over shifts up to _REACH tiles."""
    import cv2
    from scipy import fft

    height, width = rest.shape
    reach = int(min(_REACH * TILE, _LEAST_SHARE * min(height, width)))
    padded = (fft.next_fast_len(height + reach, True), fft.next_fast_len(width + reach, True))
    spectrum = fft.rfft2(rest - rest.mean(), padded)
    power: NDArray[np.float32] = spectrum.real**2 + spectrum.imag**2
    power /= cv2.blur(power, (_FLATTENING, _FLATTENING)) + np.float32(1e-6)
    np.minimum(power, _LOUDEST_BIN, out=power)
    power -= 1.0
    down = np.abs(fft.fftfreq(padded[0]))[:, None]
    across = fft.rfftfreq(padded[1])[None]
    squared = down**2 + across**2
    power *= (squared > _BAND[0] ** 2) & (squared < _BAND[1] ** 2)
    power *= (down > _AXES) & (across > _AXES)
    ring = fft.irfft2(power, padded)
    chart = np.roll(ring, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    shift = np.abs(np.arange(-reach, reach + 1, dtype=np.float32))
    shared = (1.0 - shift / height)[:, None] * (1.0 - shift / width)[None]
    near = np.hypot(shift[:, None], shift[None]) < _NEAR * TILE
    chart = np.where(near, np.float32(0.0), chart)
    return Map(_in_deviations(chart), np.sqrt(np.maximum(shared, 0.0)).astype(np.float32))


def _in_deviations(chart: NDArray[np.float32]) -> NDArray[np.float32]:
    deviation = float(np.median(np.abs(chart[chart != 0.0]))) / 0.6745
    return (chart / max(deviation, 1e-12)).astype(np.float32)


def _blurred(chart: Map, sigma: float) -> Map:
    import cv2

    return Map(_in_deviations(cv2.GaussianBlur(chart.height, (0, 0), sigma)), chart.weight)


def _on(chart: Map, count: int) -> list[Basis]:
    """Up to ``count`` grids of one map, fitted to its peaks."""
    found: list[Basis] = []
    ranked = sorted([*_squares(chart, count), *_pairs(chart)], key=lambda pair: -pair[0])
    for _, guess in ranked:
        basis = _fitted(chart, guess)
        if all(np.abs(_reduced(basis) - _reduced(other)).max() >= 0.5 for other in found):
            found.append(basis)
        if len(found) == count:
            break
    return found


def _squares(chart: Map, count: int) -> list[tuple[float, Basis]]:
    """The best square grids, with their scores: each point of the result is a tile's first edge,
    and sampling the map at m edge + k (edge turned by 90 degrees) is one turned and scaled copy."""
    import cv2

    reach = chart.reach
    farthest = min(LARGEST * TILE, reach)
    columns, rows = int(farthest / _STEP), int(2 * farthest / _STEP)
    capped = np.minimum(chart.height, _TALLEST) * chart.weight
    squared = chart.weight**2
    total = np.zeros((rows, columns), np.float32)
    compared = np.full((rows, columns), 0.3, np.float32)
    for m, k in _POINTS:
        place = np.array(
            [
                [m * _STEP, -k * _STEP, reach + k * farthest],
                [k * _STEP, m * _STEP, reach - m * farthest],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        total += cv2.warpAffine(capped, place, (columns, rows), flags=flags)
        compared += cv2.warpAffine(squared, place, (columns, rows), flags=flags)
    score = total / np.sqrt(compared)
    down = (np.arange(rows) * _STEP - farthest)[:, None]
    across = (np.arange(columns) * _STEP)[None]
    length = np.hypot(down, across)
    score[(length < SMALLEST * TILE) | (length > farthest)] = -np.inf
    best = []
    for _ in range(count):
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        x, y = column * _STEP, row * _STEP - farthest
        best.append((float(score[row, column]), np.array([[x, -y], [y, x]])))
        score[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = -np.inf
    return best


def _pairs(chart: Map) -> list[tuple[float, Basis]]:
    """Pairs of peaks that could be a tile's edges, with their grids' scores."""
    import cv2

    reach = chart.reach
    half = chart.height.copy()
    half[:, :reach] = half[: reach + 1, reach] = -np.inf  # the other half is the same
    peaks = (half == cv2.dilate(half, np.ones((5, 5), np.uint8))) & (half > _LEAST_PEAK)
    rows, columns = np.nonzero(peaks)
    best = np.argsort(-half[rows, columns] * chart.weight[rows, columns])[:_PEAKS]
    points = np.stack([columns[best], rows[best]], axis=1).astype(np.float64) - reach
    one, other = np.triu_indices(len(points), 1)
    first, second = points[one], points[other]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    second = np.where(area[:, None] < 0.0, -second, second)
    lengths = np.hypot(*first.T), np.hypot(*second.T)
    cosine = np.abs((first * second).sum(axis=1)) / (lengths[0] * lengths[1] + 1e-9)
    ratio = np.maximum(lengths[0], lengths[1]) / np.maximum(np.minimum(*lengths), 1e-9)
    edge = np.sqrt(np.abs(area)) / TILE
    fit = (edge > SMALLEST) & (edge < LARGEST)
    fit &= (cosine < _SQUARENESS[0]) & (ratio < _SQUARENESS[1])
    first, second = first[fit], second[fit]
    if not len(first):
        return []
    total, compared = np.zeros(len(first)), np.full(len(first), 0.3)
    for m, k in _POINTS:
        place = np.rint(m * first + k * second).astype(np.int64)
        inside = (np.abs(place) <= reach).all(axis=1)
        column, row = np.clip(place + reach, 0, 2 * reach).T
        weight = chart.weight[row, column] * inside
        total += np.minimum(chart.height[row, column], _TALLEST) * weight
        compared += weight**2
    score = total / np.sqrt(compared)
    best = np.argsort(-score)[:_PAIRS]
    return [(float(score[i]), np.stack([first[i], second[i]], axis=1)) for i in best]


def _fitted(chart: Map, basis: Basis) -> Basis:
    """``basis`` moved onto the peaks near its grid, from the inner ones outwards."""
    reach, (window, least) = chart.reach, _FIT
    for far in (1, 2, 3):
        grid, peaks, weights = [], [], []
        for m in range(far + 1):
            for k in range(-far if m else 1, far + 1):
                column, row = np.rint(basis @ (m, k)).astype(np.int64) + reach
                if not (window < row < 2 * reach - window and window < column < 2 * reach - window):
                    continue
                around = chart.height[
                    row - window : row + window + 1, column - window : column + window + 1
                ]
                down, right = np.unravel_index(int(around.argmax()), around.shape)
                edge = {0, 2 * window}
                if around[down, right] < least or down in edge or right in edge:
                    continue
                top = summit(chart.height, int(row - window + down), int(column - window + right))
                grid.append((m, k))
                peaks.append((top[1] - reach, top[0] - reach))
                weights.append(float(around[down, right]))
        if len(grid) < 2 or np.linalg.matrix_rank(np.array(grid)) < 2:
            continue
        weight = np.array(weights)[:, None]
        moved: Basis = np.linalg.lstsq(np.array(grid) * weight, np.array(peaks) * weight)[0].T
        edge_length = math.sqrt(abs(float(np.linalg.det(moved)))) / TILE
        far_off = bool(np.abs(moved - basis).max() > _FARTHEST_FIT)
        if far_off or not SMALLEST < edge_length < 1.1 * LARGEST:
            break
        basis = moved
    return basis


def _reduced(basis: Basis) -> Basis:
    """The same for a grid however its edges are named."""
    return np.abs(basis[:, np.argsort(-np.abs(basis[0]))])
