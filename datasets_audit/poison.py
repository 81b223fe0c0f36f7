"""Signs of poisoning that rows alone show: captions repeated, and patches shared, by pictures that
have nothing else in common. (Files that are not what was listed are found with the sample.)

A sign is no proof: a logo is a shared patch too. So these are findings to look at.
"""

# ruff: noqa: S608 - built of our own names and of constants

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from datasets_audit.duplicates import groups
from datasets_audit.figures import DUPLICATES, SAMPLES
from datasets_audit.findings import Finding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CAPTION_LENGTH: Final = 16  # characters; shorter ones ("a dog") are repeated honestly
CAPTION_PICTURES: Final = 10  # distinct pictures under one caption
PATCH_PICTURES: Final = 5  # distinct pictures that share a corner
PATCH_BITS: Final = 4  # of 64 that may differ: what a JPEG at quality 75 does to a patch
BANDS: Final = 4  # of 16 bits; two hashes up to 3 bits apart are equal in one of them for certain

_DISTINCT: Final = (
    f"SELECT min(key) AS key, coalesce(near, sha256) AS same, {{}} FROM {SAMPLES} "
    f"LEFT JOIN {DUPLICATES} USING (sha256) WHERE problem IS NULL AND {{}} GROUP BY ALL"
)


def poison_findings(connection: "DuckDBPyConnection") -> Iterator[Finding]:
    """Findings on captions and corners that distinct pictures share."""
    long = f"length(caption) >= {CAPTION_LENGTH}"
    distinct = _DISTINCT.format("lower(trim(caption)) AS said", long)
    rows = connection.execute(
        f"WITH one AS ({distinct}) SELECT min(key), count(*) FROM one GROUP BY said "
        f"HAVING count(*) >= {CAPTION_PICTURES} ORDER BY count(*) DESC, 1"
    ).fetchall()
    for key, count in rows:
        yield Finding("caption_repeated", key, detail=f"the caption of {count:,} distinct pictures")
    yield from _patches(connection)


def _patches(connection: "DuckDBPyConnection") -> Iterator[Finding]:
    rows = connection.execute(
        f"WITH one AS ({_DISTINCT.format('corners', 'corners IS NOT NULL')}) "
        "SELECT same, min(key), min(corners) FROM one GROUP BY same ORDER BY 2"
    ).fetchall()
    corners: list[tuple[int, str, int]] = [
        (int(corner, 16), key, place)
        for _, key, listed in rows
        for place, corner in enumerate(listed.split(" "))
        if corner != "-"
    ]
    hashes = np.array([bits for bits, _, _ in corners], dtype=np.uint64)
    for members in _alike(hashes):
        keys = sorted({corners[at][1] for at in members})
        if len(keys) >= PATCH_PICTURES:
            places = sorted({PLACES[corners[at][2]] for at in members})
            detail = f"in {len(keys):,} distinct pictures, {' and '.join(places)}"
            yield Finding("trigger_patch", keys[0], detail=f"{detail}: {', '.join(keys[:5])}")


PLACES: Final = ("top left", "top right", "bottom left", "bottom right")


def _alike(hashes: np.ndarray) -> Iterator[list[int]]:
    """Indices of hashes that chains of at most PATCH_BITS lead to, groups of two and more."""
    bands = hashes.reshape(-1, 1).view(np.uint16)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for band in range(BANDS if len(hashes) else 0):
        order = np.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        for shift in range(1, 64):  # a band that more share is a plain gradient
            equal = np.flatnonzero(values[shift:] == values[:-shift])
            if not len(equal):
                break
            left, right = order[equal], order[equal + shift]
            near = np.bitwise_count(hashes[left] ^ hashes[right]) <= PATCH_BITS
            pairs.append(np.sort(np.stack([left[near], right[near]], axis=1), axis=1))
    group = groups(len(hashes), np.concatenate(pairs))
    members: dict[int, list[int]] = defaultdict(list)
    for at, first in enumerate(group.tolist()):
        members[first].append(at)
    yield from (held for held in members.values() if len(held) > 1)
