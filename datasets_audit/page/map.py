"""A map of a data set: pictures that look alike lie together, and each region shows one of them.

The two directions in which PDQ hashes differ most (principal components of their bits), over at
most MAX_POINTS pictures. It needs no model and shows layout and light, not meaning. Pictures whose
consent or privacy is at issue count as points and are never shown.
"""

# ruff: noqa: S704, S608 - numbers and our own data URLs; a query of our own names

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from datasets_audit.figures import FINDINGS, SAMPLES
from datasets_audit.page.thumbnails import PRIVATE, thumbnail
from datasets_audit.sources import Source
from provenance.fingerprint import MIN_QUALITY

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_POINTS: Final = 5_000
COLUMNS: Final = 6
ROWS: Final = 4
WIDTH: Final = 640  # units of the viewBox
HEIGHT: Final = 400
MIN_POINTS: Final = 12
EDGE: Final = 0.5  # per cent of points that are cut on each side: a few must not squeeze all


class Region(NamedTuple):
    """A cell of the map: column, row, its pictures, and a key to show, if any may be shown."""

    column: int
    row: int
    pictures: int
    key: str | None


def draw_map(connection: "DuckDBPyConnection", source: Source) -> Markup | None:
    """The map as inline SVG, None for fewer than MIN_POINTS pictures that can be placed."""
    private = ", ".join(f"'{code}'" for code in sorted(PRIVATE))
    rows = connection.execute(
        f"SELECT key, pdq, key IN (SELECT key FROM {FINDINGS} WHERE code IN ({private}) "
        f"AND key IS NOT NULL) FROM {SAMPLES} WHERE pdq_quality >= {MIN_QUALITY} "
        f"ORDER BY salt, key LIMIT {MAX_POINTS}"  # salts are keyed at random: a fair sample
    ).fetchall()
    if len(rows) < MIN_POINTS:
        return None
    hashes = np.frombuffer(bytes.fromhex("".join(pdq for _, pdq, _ in rows)), np.uint8)
    points = principal_plane(np.unpackbits(hashes.reshape(-1, 32), axis=1))
    regions = regions_of(points, [None if hidden else key for key, _, hidden in rows])
    wanted = {region.key for region in regions if region.key is not None}
    pictures = {
        taken.key: url
        for taken in source.fetch(wanted)
        if taken.data is not None and (url := thumbnail(taken.data))
    }
    return _svg(points, regions, pictures)


def principal_plane(bits: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 256) bits -> (n, 2) in [0, 1]: the first two principal components, cut at the edges.

    Signs are fixed by the heaviest bit, so that the same hashes give the same map.
    """
    centred = bits.astype(np.float64) - bits.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    plane = vectors[:, [-1, -2]]
    plane *= np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    placed = centred @ plane
    low, high = np.percentile(placed, [EDGE, 100 - EDGE], axis=0)
    scaled = (placed - low) / np.maximum(high - low, 1e-12)
    return np.asarray(np.clip(scaled, 0.0, 1.0))


def regions_of(points: NDArray[np.float64], keys: list[str | None]) -> list[Region]:
    """The cells that hold pictures, each with the showable picture nearest to its middle."""
    sizes = np.array([COLUMNS, ROWS])
    cells = np.minimum((points * sizes).astype(int), sizes - 1)
    found = []
    for column, row in np.unique(cells, axis=0).tolist():
        members = np.flatnonzero((cells == (column, row)).all(axis=1))
        middle = points[members].mean(axis=0)
        near = members[np.argsort(((points[members] - middle) ** 2).sum(axis=1), kind="stable")]
        key = next((keys[at] for at in near if keys[at] is not None), None)
        found.append(Region(column, row, len(members), key))
    return found


def _svg(
    points: NDArray[np.float64], regions: list[Region], pictures: dict[str, str]
) -> Markup:
    wide, high = WIDTH / COLUMNS, HEIGHT / ROWS
    parts = [
        f'<circle class="point" cx="{x * WIDTH:.1f}" cy="{y * HEIGHT:.1f}" r="1.6"/>'
        for x, y in points.tolist()
    ]
    for region in regions:
        x, y = region.column * wide, region.row * high
        url = pictures.get(region.key or "")
        image = (
            f'<image href="{url}" x="{x + wide / 2 - 34:.0f}" y="{y + 8:.0f}" width="68" '
            'height="68" preserveAspectRatio="xMidYMid meet"/>'
            if url
            else ""
        )
        parts.append(
            f'<rect class="region" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
            f'{image}<text class="count" x="{x + wide / 2:.0f}" y="{y + high - 8:.0f}">'
            f"{region.pictures:,}</text>"
        )
    return Markup(
        f'<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="map of the pictures by look">{"".join(parts)}</svg>'
    )
