"""Lists of known content made out of pictures, and out of other lists."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from guard.errors import InvalidRequest, KnownListInvalid
from guard.images.known import pixels_sha256
from guard.images.known_list import KnownContentList, export_list, pdq_words
from provenance.errors import PictureInvalid
from provenance.fingerprint import fingerprint
from provenance.picture import decode, read_file

Progress = Callable[[str, int, int], None]


def merged(lists: Sequence[KnownContentList], *, name: str) -> KnownContentList:
    """All hashes of ``lists``; of one that several hold, the first one's label.

    Raises KnownListInvalid where there is none.
    """
    sha256 = {digest: label for known in reversed(lists) for digest, label in known.sha256.items()}
    labels: dict[str, str] = {}
    for known in lists:
        digits = np.ascontiguousarray(known.pdq).tobytes().hex()
        for row, label in enumerate(known.pdq_labels):
            labels.setdefault(digits[64 * row : 64 * row + 64], label)
    notes = tuple(f"{known.name}: {note}" for known in lists for note in known.notes)
    return _listed(name, sha256, labels, notes)


def list_of(
    places: Sequence[Path], name: str, *, label: str = "", progress: Progress | None = None
) -> KnownContentList:
    """The list of all pictures in ``places``, files and folders.

    Each stands there with the SHA-256 of its file and with its PDQ; one that is too flat for PDQ
    with that of its pixels, so that it is found in whatever file it comes. Files that are no
    pictures are named in the notes. Raises InvalidRequest for a place that is not there,
    KnownListInvalid where there is no picture.
    """
    if missing := [str(place) for place in places if not place.exists()]:
        raise InvalidRequest(f"there is no {', '.join(missing)}; name pictures or folders of them")
    files: list[Path] = []
    for place in places:
        within = sorted(place.rglob("*")) if place.is_dir() else [place]
        files += [file for file in within if file.is_file()]
    sha256: dict[str, str] = {}
    pdq: dict[str, str] = {}
    notes = []
    for number, file in enumerate(files, start=1):
        try:
            data = read_file(file)
            pixels = decode(data).pixels
        except PictureInvalid as error:
            notes.append(f"left out {file}: {error}")
            continue
        finally:
            if progress:
                progress("hash", number, len(files))
        sha256[hashlib.sha256(data).hexdigest()] = label
        print_ = fingerprint(pixels)
        if print_.usable:
            pdq[print_.pdq] = label
        else:
            sha256[pixels_sha256(pixels)] = label
    return _listed(name, sha256, pdq, tuple(notes))


def _listed(
    name: str, sha256: dict[str, str], pdq: dict[str, str], notes: tuple[str, ...]
) -> KnownContentList:
    if not sha256 and not pdq:
        told = f": {'; '.join(notes[:3])}" if notes else ""
        raise KnownListInvalid(f"list {name} would hold no hash{told}; name some pictures or lists")
    known = KnownContentList(
        name=name,
        digest="",
        sha256=sha256,
        pdq=pdq_words(list(pdq)) if pdq else np.empty((0, 4), np.uint64),
        pdq_labels=tuple(pdq.values()),
        notes=notes,
    )
    return replace(known, digest=hashlib.sha256(export_list(known)).hexdigest())
