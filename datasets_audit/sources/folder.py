"""A folder of picture files, with all that lies below it."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.source import Stray, Taken
from datasets_audit.sources.spool import Spool, Strays
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import read_file

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".avif",
     ".bmp", ".heic", ".heif", ".jxl", ".ppm", ".pgm"}
)  # fmt: skip
"""Names that promise a picture. What cannot be decoded all the same becomes a finding."""

BATCH_PICTURES: Final = 32  # some 0.1 s of work: small beside the pass, large beside a message


@dataclass(frozen=True, slots=True)
class FolderBatch:
    """Files below ``root`` by their relative paths."""

    root: Path
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.names)

    def read(self) -> Iterator[Taken]:
        """The files in order."""
        for name in self.names:
            try:
                yield Taken(key_of(name), read_file(self.root / name))
            except (PictureInvalid, PictureTooLarge) as error:
                yield Taken(key_of(name), None, str(error).replace(str(self.root) + os.sep, ""))


    def stamps(self) -> list[str]:
        """Place, size and time of change of each file."""
        return [stamp_of(self.root / name) for name in self.names]

    def only(self, places: Sequence[int]) -> "FolderBatch":
        """The files at these places."""
        return FolderBatch(self.root, tuple(self.names[at] for at in places))


class Folder:
    """Pictures below ``root``, sorted by path. Links are not followed: they could lead anywhere."""

    kind = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root

    def batches(self) -> Iterator[FolderBatch]:
        """Everything, sorted by path."""
        # By key, so that the order does not depend on the file system.
        names = (os.fsdecode(name) for _, name in self._listing[0].sorted())
        while some := tuple(islice(names, BATCH_PICTURES)):
            yield FolderBatch(self._root, some)

    def count(self) -> int:
        """How many files have a picture's name."""
        return len(self._listing[0])

    def strays(self) -> Iterable[Stray]:
        """Links, and files whose names promise no picture."""
        return self._listing[1]

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        names = tuple(os.fsdecode(name) for _, name in self._listing[0].of(keys))
        return FolderBatch(self._root, names).read()

    def annotations(self, _workspace: Path) -> Path | None:
        """None."""
        return None

    @cached_property
    def _listing(self) -> tuple[Spool, Strays]:
        pictures, strays = Spool(2), Strays()
        folders = [""]
        while folders:
            inside = folders.pop()
            try:
                with os.scandir(self._root / inside) as entries:
                    pictures.add(self._pictures(inside, entries, folders, strays))
            except OSError as error:
                where = error.filename or self._root
                raise SourceInvalid(
                    f"{where} cannot be listed: {error.strerror}. Check its permissions."
                ) from error
        return pictures, strays

    @staticmethod
    def _pictures(
        inside: str, entries: Iterable[os.DirEntry[str]], folders: list[str], strays: Strays
    ) -> Iterator[tuple[str, bytes]]:
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_symlink():
                strays.add(key_of(path), "a link; links are not followed")
            elif entry.is_dir():
                folders.append(path)
            elif Path(entry.name).suffix.lower() in PICTURE_SUFFIXES:
                yield key_of(path), os.fsencode(path)
            else:
                strays.add(key_of(path), "its name is not a picture's")


def stamp_of(path: Path) -> str:
    """What changes when a file does; a file that is not there has a stamp of its own."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return f"{key_of(str(path))}|absent"
    return f"{key_of(str(path))}|{status.st_size}|{status.st_mtime_ns}"


def key_of(name: str) -> str:
    """A file name that is not UTF-8 still gets a key that can be written and read."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
