"""Laying a picture back onto upright tiles, and mending what a grid alone cannot: perspective.

A homography (3, 3) leads from places (x, y, 1) on the upright surface to places on the plane.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.lattice.carrier import TILE, Carrier
from provenance.watermark.lattice.plane import Plane, fold, residual
from provenance.watermark.lattice.reading import (
    Sighting,
    agreement,
    pilots_of,
    sight,
    summit,
    turned_back,
)
from provenance.watermark.lattice.search import Basis

Homography = NDArray[np.float64]

_LARGEST: Final = 1.1  # times the plane's longer side is looked at; what is beyond is border
_SOFTENING: Final = 0.45  # pixels of blur before shrinking, times the root of (scale^2 - 1)
_BLOCKS: Final = 3  # each way, overlapping by half
_FARTHEST: Final = 7  # pixels that a block may lie off
_LEAST_SCORE: Final = 2.6  # of a block that is believed
_STIFFNESS: Final = (0.5, 2.0, 2.0, 0.5, 2.0, 2.0, 4.0, 4.0)  # against moving, tilting, bending
_OUTLIER: Final = 1.5  # pixels


class Laid(NamedTuple):
    """A picture's residual on upright tiles, and how it was laid there."""

    rest: Plane
    homography: Homography


class Upright(NamedTuple):
    """The same, and what is seen in it of one carrier."""

    rest: Plane
    homography: Homography
    sighting: Sighting


def upright(surface: Plane, basis: Basis) -> Laid:
    """``surface`` with the grid of ``basis`` laid upright about the picture's middle."""
    height, width = surface.shape
    matrix = basis / TILE
    corners = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * np.array([[width], [height]]) / 2
    reach = np.ceil(2.0 * np.abs(np.linalg.inv(matrix) @ corners).max(axis=1))
    reach = np.minimum(reach, math.ceil(_LARGEST * max(height, width)))
    homography = np.eye(3)
    homography[:2, :2] = matrix
    homography[:2, 2] = np.array([width, height]) / 2 - matrix @ reach / 2
    return laid(surface, homography, (int(reach[0]), int(reach[1])))


def laid(surface: Plane, homography: Homography, size: tuple[int, int]) -> Laid:
    """``surface`` laid out by ``homography`` on (width, height) = ``size``."""
    import cv2

    scale = math.sqrt(abs(float(np.linalg.det(homography[:2, :2]))))
    if scale > 1.3:
        sigma = _SOFTENING * math.sqrt(scale * scale - 1.0)
        surface = cv2.GaussianBlur(surface, (0, 0), sigma)
    flat = bool(np.abs(homography[2, :2]).max() < 1e-12)
    warp, matrix = (
        (cv2.warpAffine, homography[:2]) if flat else (cv2.warpPerspective, homography)
    )
    flags = cv2.WARP_INVERSE_MAP
    out = warp(
        surface, matrix, size, flags=flags | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    everywhere = np.ones(surface.shape, np.uint8)
    inside = warp(everywhere, matrix, size, flags=flags | cv2.INTER_NEAREST)
    rest: Plane = residual(out) * inside
    return Laid(rest, homography)


def bent(surface: Plane, found: Upright, carrier: Carrier) -> Upright | None:
    """``found`` laid anew so that its blocks agree; None if too few can be told."""
    import cv2

    height, width = found.rest.shape
    offsets = _offsets(found, carrier)
    if len(offsets) < _BLOCKS + 1:
        return None
    x, y, right, down, weight = np.array(offsets).T
    aspect = height / width
    one, none = np.ones_like(x), np.zeros_like(x)
    terms = np.concatenate(
        [
            np.stack([one, x, y, none, none, none, x * x, x * y], axis=1),
            np.stack([none, none, none, one, x, y, x * y * aspect, y * y * aspect], axis=1),
        ]
    )
    wanted, weight = np.concatenate([right, down]), np.concatenate([weight, weight])
    believed = weight
    for _ in range(3):
        weighted = terms * believed[:, None]
        bend = np.linalg.solve(weighted.T @ terms + np.diag(_STIFFNESS), weighted.T @ wanted)
        believed = weight / (1.0 + (np.abs(terms @ bend - wanted) / _OUTLIER) ** 2)
    x, y = np.array([[-1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    corners = np.stack([x + 1.0, y + 1.0], axis=1) * np.array([width, height]) / 2.0
    quadratic = bend[6] * x + bend[7] * y
    moves = np.stack(
        [
            bend[0] + bend[1] * x + bend[2] * y + quadratic * x,
            bend[3] + bend[4] * x + bend[5] * y + quadratic * y * aspect,
        ],
        axis=1,
    )
    update = cv2.getPerspectiveTransform(
        corners.astype(np.float32), (corners + moves).astype(np.float32)
    )
    homography = found.homography @ update
    after = laid(surface, homography / homography[2, 2], (width, height))
    return Upright(*after, sight(carrier, fold(after.rest)))


def _offsets(found: Upright, carrier: Carrier) -> list[tuple[float, float, float, float, float]]:
    """(x, y, right, down, weight) of each block that shows the pilots near the common place: its
    middle in -1..1, how many pixels it lies off, and how much it is to be believed."""
    height, width = found.rest.shape
    down_edges = np.linspace(0, height, _BLOCKS + 2).astype(int)
    right_edges = np.linspace(0, width, _BLOCKS + 2).astype(int)
    around = np.arange(-_FARTHEST, _FARTHEST + 1)
    row, column = (round(part) for part in found.sighting.shift)
    offsets = []
    for top, bottom in zip(down_edges[:-2], down_edges[2:], strict=True):
        for left, end in zip(right_edges[:-2], right_edges[2:], strict=True):
            block = np.zeros_like(found.rest)
            block[top:bottom, left:end] = found.rest[top:bottom, left:end]
            pilots = pilots_of(carrier, fold(block), found.sighting.orientation)
            surface = agreement(carrier, pilots)[0]
            near = surface[np.ix_((row + around) % TILE, (column + around) % TILE)]
            best = divmod(int(near.argmax()), len(around))
            score = float(near[best])
            if score < _LEAST_SCORE or {0, 2 * _FARTHEST} & set(best):
                continue
            down, right = (part - _FARTHEST for part in summit(near, *best))
            right, down = turned_back(found.sighting.orientation, right, down)
            x = (left + end) / width - 1.0
            y = (top + bottom) / height - 1.0
            offsets.append((x, y, right, down, score - 2.0))
    return offsets
