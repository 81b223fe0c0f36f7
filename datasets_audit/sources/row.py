"""A row of a table that holds a picture, or the path of one: as Hugging Face datasets write them.

The picture's column is ``image`` (a struct of bytes and path, or plain bytes), ``bytes``, or a path
in ``path``, ``file``, ``file_name`` or ``image_path``, relative to a folder and never leading out
of the data set. The key is the first of ``key``, ``id``, ``file``, ``path``, ``file_name``,
``image.path``, else the number of the row.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from datasets_audit.sources.source import Taken
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import read_file

BYTES_COLUMNS: Final = ("image", "bytes")
PATH_COLUMNS: Final = ("path", "file", "file_name", "image_path")
KEY_COLUMNS: Final = ("key", "id", "file", "path", "file_name")


def taken_of(row: Mapping[str, Any], numbered: str, folder: Path, root: Path) -> Taken:
    """The picture of a row. ``folder``: where its path begins; ``root``: what it may not leave."""
    key, data = key_of(row, numbered), bytes_of(row)
    return Taken(key, data) if data is not None else file_of(key, path_of(row) or "", folder, root)


def bytes_of(row: Mapping[str, Any]) -> bytes | None:
    """The picture that a row holds, if any."""
    image = row.get("image")
    data = image if isinstance(image, bytes) else row.get("bytes")
    if isinstance(image, Mapping):
        data = image.get("bytes")
    return data if isinstance(data, bytes) else None


def key_of(row: Mapping[str, Any], numbered: str) -> str:
    """The key of a row, ``numbered`` where it states none."""
    stated = next((row[name] for name in KEY_COLUMNS if row.get(name) is not None), path_of(row))
    return numbered if stated is None else str(stated)


def path_of(row: Mapping[str, Any]) -> str | None:
    """The path that a row leads to, if any."""
    image = row.get("image")
    if isinstance(image, Mapping):
        image = image.get("path")
    named = (image, *(row.get(name) for name in PATH_COLUMNS))
    return next((one for one in named if isinstance(one, str) and one), None)


def file_of(key: str, path: str, folder: Path, root: Path) -> Taken:
    """The file at ``path`` below ``folder``, if it does not lead out of ``root``."""
    if not path:
        return Taken(key, None, "The row holds neither bytes nor a path.")
    try:
        place = (folder / path).resolve()
        inside = place.is_relative_to(root.resolve())
    except (OSError, ValueError):
        return Taken(key, None, f"The path {path!r} is none.")
    if not inside:
        return Taken(key, None, f"The path {path!r} leads out of the data set.")
    try:
        return Taken(key, read_file(place))
    except (PictureInvalid, PictureTooLarge) as error:
        return Taken(key, None, str(error).replace(str(place), path))
