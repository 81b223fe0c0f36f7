"""Is this picture on a list? SHA-256 first, then PDQ over all turns and flips."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from guard.images.finding import Finding, KnownMatch, Subject
from guard.images.known_list import KnownContentList, pdq_words
from guard.images.scale import reduced
from provenance.fingerprint import MATCH_DISTANCE, dihedral, fingerprint
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


SMALL: Final = 128  # pixels; twice PDQ's own grid
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
        digests = [pixels_sha256(subject.pixels)]
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

    The picture, its 7 other turns and flips, and the picture once more out of a copy of 128 pixels:
    PDQ's own way of averaging depends on the size, and a copy of half the size is found by one of
    the two where the other misses it (docs/image-guard.md).
    """
    variants = dihedral(pixels)
    if not variants[0].usable:
        return None
    small = fingerprint(reduced(pixels, SMALL).pixels)
    return pdq_words([each.pdq for each in (*variants, small)])
