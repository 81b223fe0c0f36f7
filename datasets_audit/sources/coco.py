"""COCO: the JSON of an object detection set. Its ``images`` are the list.

Their licence, address and categories become annotations, and annotations of images that are not in
it are strays. The document is read piece by piece into a database on disk: the masks of a large one
are gigabytes that nobody needs here.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.jsonparts import parts
from datasets_audit.sources.listing import Listing
from datasets_audit.sources.source import Stray
from datasets_audit.sources.spool import Spool

IMAGE_FOLDERS: Final = ("", "images", "train2017", "val2017", "../images", "../train2017",
                        "../val2017")  # fmt: skip
MAX_NAMED: Final = 5  # images at fault, in one message
_TABLES: Final = """
CREATE TABLE image (nth INTEGER PRIMARY KEY, id, file TEXT, licence, url);
CREATE TABLE label (image, category, id);
CREATE TABLE category (id PRIMARY KEY ON CONFLICT IGNORE, name);
CREATE TABLE licence (id PRIMARY KEY ON CONFLICT IGNORE, said);
"""
_INSERTS: Final = {
    "images": "INSERT INTO image (id, file, licence, url) VALUES (?, ?, ?, ?)",
    "annotations": "INSERT INTO label VALUES (?, ?, ?)",
    "categories": "INSERT INTO category VALUES (?, ?)",
    "licenses": "INSERT INTO licence VALUES (?, ?)",
}
_CARRIED: Final = """
SELECT file, coalesce(said, ''), coalesce(url, ''),
       -- A picture of several categories has no single label.
       CASE WHEN count(DISTINCT name) = 1 THEN min(name) ELSE '' END
FROM image LEFT JOIN licence ON licence.id = image.licence
LEFT JOIN label ON label.image = image.id LEFT JOIN category ON category.id = label.category
GROUP BY nth ORDER BY nth
"""
_STRAY: Final = """
SELECT id, image FROM label WHERE image IS NULL OR image NOT IN (SELECT id FROM image
WHERE id IS NOT NULL) ORDER BY CAST(id AS TEXT)
"""


def open_coco(path: Path) -> Listing:
    """A COCO file. Raises SourceInvalid where it is none, naming the entries at fault."""
    database = sqlite3.connect("", check_same_thread=False)
    database.executescript(_TABLES)
    _load(path, database)
    listed = Spool(2)
    listed.add(database.execute("SELECT file, file FROM image ORDER BY nth"))
    first = next(iter(listed), ("", ""))[1]
    places = [path.parent / name for name in IMAGE_FOLDERS]
    folder = next((one for one in places if (one / first).is_file()), path.parent)
    root = path.parent.parent if path.parent.name == "annotations" else path.parent

    def carried(workspace: Path) -> Path:
        written = workspace / "carried.jsonl"
        names = ("key", "licence", "source_url", "label")
        with written.open("w", encoding="utf-8") as file:
            for row in database.execute(_CARRIED):
                file.write(json.dumps(dict(zip(names, map(str, row), strict=True))) + "\n")
        return written

    return Listing("coco", root, folder, listed, _Unlisted(database), carried)


class _Unlisted:
    """Annotations of images that are not listed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __iter__(self) -> Iterator[Stray]:
        for number, image in self._database.execute(_STRAY):
            yield Stray(str(number), f"an annotation of the image {image}, which is not listed")


def _load(path: Path, database: sqlite3.Connection) -> None:
    """Fill the tables. Raises SourceInvalid."""
    bad: list[int] = []
    images = -1
    try:
        for name, at, given in parts(path):
            if name == "images":
                images = max(images, at)
                if at >= 0 and not _names_a_file(given):
                    bad.append(at)
                    continue
            if name in _INSERTS and isinstance(given, dict):
                database.execute(_INSERTS[name], _row(name, given))
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path.name} cannot be read as JSON: {error}.") from error
    if bad:
        named = ", ".join(map(str, bad[:MAX_NAMED]))
        raise SourceInvalid(f"{path.name}: images {named} have no file_name. Correct them.")
    if images < 0:
        raise SourceInvalid(f"{path.name} has no images; a COCO file lists them under images.")


def _names_a_file(image: object) -> bool:
    return isinstance(image, dict) and isinstance(image.get("file_name"), str)


def _row(name: str, given: dict[str, Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...]
    match name:
        case "images":
            url = given.get("flickr_url") or given.get("coco_url")
            row = (given.get("id"), given["file_name"], given.get("license"), url)
        case "annotations":
            row = (given.get("image_id"), given.get("category_id"), given.get("id"))
        case "categories":
            row = (given.get("id"), given.get("name"))
        case _:
            row = (given.get("id"), given.get("url") or given.get("name"))
    # What is no plain value is kept as its text: it equals nothing that is one.
    return tuple(one if isinstance(one, str | int | float | None) else str(one) for one in row)
