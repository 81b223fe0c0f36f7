"""Which files a person means: files, folders and patterns become paths of files."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from provenance.credential.container import kind_of
from provenance.errors import PictureInvalid

HEAD_BYTES = 16  # what a kind of file is told by


def named_files(arguments: Sequence[Path]) -> Iterator[Path]:
    """Each file once, in the order named; those of a folder or pattern in order of their names.

    A folder stands for the pictures in it and below, told by their first bytes; hidden files and
    links to folders are passed over. A pattern (``*``, ``?``, ``[...]``, ``**``) is one only where
    no file has that very name. What leads to no file is returned as it stands, so that whoever
    opens it says what is wrong.
    """
    seen: set[Path] = set()
    for argument in arguments:
        for path in _meant(argument):
            if path not in seen:
                seen.add(path)
                yield path


def _meant(argument: Path) -> Iterator[Path]:
    if not argument.exists() and glob.has_magic(str(argument)):
        names = glob.glob(str(argument), recursive=True)  # noqa: PTH207  # Path.glob has no "/a/*"
        found = [Path(name) for name in sorted(names)]
    else:
        found = [argument]
    empty = True
    for path in found:
        inside = _pictures_below(path) if path.is_dir() else iter((path,))
        for file in inside:
            empty = False
            yield file
    if empty:
        yield argument


def _pictures_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place) / name
            if not name.startswith(".") and _is_picture(path):
                yield path


def _is_picture(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe or a device would be waited for
            return False
        with path.open("rb") as file:
            kind_of(file.read(HEAD_BYTES))
    except PictureInvalid:
        return False
    except OSError:
        return True  # it cannot be told, and verify says why
    return True
