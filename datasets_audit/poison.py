"""Signs of poisoning that rows alone show: captions repeated, and patches shared, by pictures that
have nothing else in common. (Files that are not what was listed are found with the sample.)

A sign is no proof: a logo is a shared patch too. So these are findings to look at.
"""

# ruff: noqa: S608 - built of our own names and of constants

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datasets_audit.alike import alike
from datasets_audit.figures import ALIKE
from datasets_audit.findings import Finding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CAPTION_LENGTH: Final = 16  # characters; shorter ones ("a dog") are repeated honestly
CAPTION_PICTURES: Final = 10  # distinct pictures under one caption
PATCH_PICTURES: Final = 5  # distinct pictures that share a corner
PATCH_BITS: Final = 4  # of 64 that may differ: what a JPEG at quality 75 does to a patch
MAX_BUCKET: Final = 64  # corners; a band of bits that more share is a plain gradient
FETCHED: Final = 10_000  # rows at once; bounds memory

_DISTINCT: Final = (
    f"SELECT min(key) AS key, same, {{}} FROM {ALIKE} WHERE problem IS NULL AND {{}} GROUP BY ALL"
)


def poison_findings(connection: "DuckDBPyConnection", folder: Path) -> Iterator[Finding]:
    """Findings on captions and corners that distinct pictures share. ``folder``: of the audit."""
    long = f"length(caption) >= {CAPTION_LENGTH}"
    distinct = _DISTINCT.format("md5_number(lower(trim(caption))) AS said", long)
    rows = connection.execute(
        f"WITH one AS ({distinct}) SELECT min(key), count(*) FROM one GROUP BY said "
        f"HAVING count(*) >= {CAPTION_PICTURES} ORDER BY count(*) DESC, 1"
    )
    while some := rows.fetchmany(FETCHED):
        for key, count in some:
            said = f"the caption of {count:,} distinct pictures"
            yield Finding("caption_repeated", key, detail=said)
    yield from _patches(connection, folder)


def _patches(connection: "DuckDBPyConnection", folder: Path) -> Iterator[Finding]:
    corners = (
        f"WITH one AS ({_DISTINCT.format('min(corners) AS corners', 'corners IS NOT NULL')}), "
        "each AS (SELECT key, unnest(string_split(corners, ' ')) AS corner, "
        "unnest([1, 2, 3, 4]) AS place FROM one) "
        "SELECT key, place, unhex(corner) AS hash FROM each WHERE corner <> '-' ORDER BY key, place"
    )
    with alike(
        connection, corners, folder, max_distance=PATCH_BITS, words=1, max_bucket=MAX_BUCKET
    ) as found:
        rows = connection.execute(
            # A trigger is put in one place; what pictures share across corners is sky, or paper.
            "SELECT count(DISTINCT key), min(DISTINCT key, 5), place "
            f"FROM {found.groups} GROUP BY first, place "
            f"HAVING count(DISTINCT key) >= {PATCH_PICTURES} ORDER BY first, place"
        )
        while some := rows.fetchmany(FETCHED):
            for pictures, keys, place in some:
                where = PLACES[place - 1]
                said = f"in {pictures:,} distinct pictures, {where}: {', '.join(keys)}"
                yield Finding("trigger_patch", keys[0], detail=said)


PLACES: Final = ("top left", "top right", "bottom left", "bottom right")
