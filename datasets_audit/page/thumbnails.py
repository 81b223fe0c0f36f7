"""Small pictures of what the report complains about, inlined as data URLs.

Only where looking helps: quality and copies. Pictures whose consent or privacy is at issue are not
shown; a report travels further than a data set.
"""

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from datasets_audit.figures import FINDINGS
from datasets_audit.report import FindingGroup
from datasets_audit.sources import Source
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import decode, encode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHOWN: Final = frozenset(
    {"duplicate_exact", "duplicate_near", "picture_dark", "picture_light", "picture_blurred",
     "picture_plain", "picture_narrow", "picture_small"}
)  # fmt: skip
PRIVATE: Final = frozenset(
    {"consent_withdrawn", "consent_expired", "consent_unknown", "consent_contradicted",
     "exif_gps", "exif_owner", "text_personal", "face_possible"}
)  # fmt: skip
SIDE: Final = 112  # pixels
MAX_THUMBNAILS: Final = 24
QUALITY: Final = 72  # JPEG


def thumbnails(
    groups: Iterable[FindingGroup], source: Source, connection: "DuckDBPyConnection"
) -> dict[str, str]:
    """A data URL for each picture to be shown, by its key."""
    wanted = [
        example.key
        for group in groups
        if group.code in SHOWN
        for example in group.examples
        if example.key is not None
    ]
    # Asked of all findings: a report names only the first of each kind.
    withheld = connection.execute(
        f"SELECT DISTINCT key FROM {FINDINGS} "  # noqa: S608 - our own name
        "WHERE code IN (SELECT unnest($1)) AND key IN (SELECT unnest($2))",
        [sorted(PRIVATE), wanted],
    ).fetchall()
    shown = dict.fromkeys(key for key in wanted if (key,) not in withheld)
    chosen = set(list(shown)[:MAX_THUMBNAILS])
    return {
        taken.key: url
        for taken in source.fetch(chosen)
        if taken.data is not None and (url := thumbnail(taken.data))
    }


def thumbnail(data: bytes) -> str | None:
    """A data URL of the picture, small; None if it changed since the pass and cannot be decoded."""
    import cv2
    import numpy as np

    try:
        picture = decode(data)
    except (PictureInvalid, PictureTooLarge):
        return None
    scale = min(1.0, SIDE / max(picture.width, picture.height))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = np.asarray(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    jpeg = encode(small, "jpeg", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
