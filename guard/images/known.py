"""Is this picture on a list? SHA-256 first, then PDQ over all turns and flips."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from guard.images.finding import Finding, KnownMatch, Subject
from guard.images.known_list import KnownContentList, pdq_words
from provenance.fingerprint import MATCH_DISTANCE, fingerprint
from provenance.picture import Pixels


def pixels_sha256(pixels: Pixels) -> str:
    """SHA-256 (hex) of a decoded picture, whatever file it came in.

    Over the text ``<width>x<height>`` and a line feed, then the RGB bytes row by row. Lists may
    hold it in the place of a file's: it is the only exact match for a picture that is generated.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


SQUARE: Final = 128  # pixels of a side; twice PDQ's own grid
CONCLUSIVE: Final = "match.conclusive"
"""The field that says that nothing else about the picture matters."""


class KnownContent:
    """The part that searches lists, in their order: put the gravest first, the first match tells.

    A picture too flat for PDQ (quality below 50) is looked up by SHA-256 only.
    """

    def __init__(self, lists: Sequence[KnownContentList]) -> None:
        self._lists = tuple(lists)

    @property
    def digest(self) -> str:
        told = " ".join(f"{known.digest} {known.conclusive}" for known in self._lists)
        return hashlib.sha256(told.encode()).hexdigest()

    def find(self, subject: Subject) -> Finding:
        match = self._first_match(subject)
        if match is None:
            return Finding(fields={"match.known_content": False})
        return Finding(
            match=match,
            fields={
                "match.known_content": True,
                "match.list": match.list_name,
                "match.distance": match.distance,
                CONCLUSIVE: match.conclusive,
            },
        )

    def _first_match(self, subject: Subject) -> KnownMatch | None:
        digests = []
        if any(known.sha256 for known in self._lists):
            digests.append(pixels_sha256(subject.pixels))
            if subject.file is not None:
                digests.append(hashlib.sha256(subject.file).hexdigest())
        queries = self._queries(subject.pixels)
        for known in self._lists:
            for digest in digests:
                if digest in known.sha256:
                    return KnownMatch(known.name, known.sha256[digest], 0, known.conclusive)
            nearest = known.nearest(queries) if queries is not None else None
            if nearest is not None and nearest.distance <= MATCH_DISTANCE:
                label = known.pdq_labels[nearest.row]
                return KnownMatch(known.name, label, nearest.distance, known.conclusive)
        return None

    def _queries(self, pixels: Pixels) -> NDArray[np.uint64] | None:
        """The hashes to look for, if any list and the picture allow it."""
        if not any(len(known.pdq) for known in self._lists):
            return None
        return pdq_queries(pixels)


def pdq_queries(pixels: Pixels) -> NDArray[np.uint64] | None:
    """The nine hashes by which a picture is looked up, (9, 4) uint64; None where it is too flat.

    The picture as it stands, and a copy drawn into a small square, turned and mirrored in all 8
    ways. How far PDQ averages goes by each side's length, in steps that make copies of some sizes
    differ in 30 bits and more; a square of twice its grid is always averaged alike, and near what
    any size gives (docs/image-guard.md).
    """
    import cv2

    as_it_stands = fingerprint(pixels)
    if not as_it_stands.usable:
        return None
    small = np.asarray(cv2.resize(pixels, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA), np.uint8)
    turned = (np.rot90(side, k) for side in (small, small[:, ::-1]) for k in range(4))
    prints = (fingerprint(np.ascontiguousarray(view)) for view in turned)
    return pdq_words([as_it_stands.pdq, *(each.pdq for each in prints)])
