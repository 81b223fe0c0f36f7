"""Pictures that something lists by path: a manifest, COCO, Croissant. Order and keys are its own.

A manifest is CSV, TSV or JSON lines with a column that leads to pictures (``row``) and those of
annotations beside it. COCO is the JSON of an object detection set: its ``images`` are the list,
their licence, address and categories become annotations, and annotations of images that are not
in it are strays.
"""

import csv
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.row import PATH_COLUMNS, file_of
from datasets_audit.sources.source import Stray, Taken

BATCH_PICTURES: Final = 32
MAX_COCO_BYTES: Final = 1 << 30  # it is one JSON document, which is read whole
IMAGE_FOLDERS: Final = ("", "images", "train2017", "val2017", "../images", "../train2017",
                        "../val2017")  # fmt: skip
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


class Listed(NamedTuple):
    """A picture by its key, and where it lies below the folder of the list."""

    key: str
    path: str


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """Some listed pictures. ``root``: what no path may leave."""

    root: Path
    folder: Path
    listed: tuple[Listed, ...]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.listed)

    def read(self) -> Iterator[Taken]:
        """The files in order."""
        for key, path in self.listed:
            yield file_of(key, path, self.folder, self.root)

    def stamps(self) -> list[str]:
        """Those of the files, with the key, which another list may give otherwise."""
        return [f"{key}|{stamp_of(self.folder / path)}" for key, path in self.listed]

    def only(self, places: Sequence[int]) -> "ListedBatch":
        """The pictures at these places."""
        return ListedBatch(self.root, self.folder, tuple(self.listed[at] for at in places))


class Listing:
    """Pictures of a list. ``carried``: the annotations that came with it, if any."""

    def __init__(
        self,
        kind: str,
        root: Path,
        folder: Path,
        listed: Sequence[Listed],
        strays: Sequence[Stray] = (),
        carried: Path | Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        self.kind = kind
        self._root = root
        self._folder = folder
        self._listed = listed
        self._strays = strays
        self._carried = carried

    def batches(self) -> Iterator[ListedBatch]:
        """Everything in the order of the list."""
        for start in range(0, len(self._listed), BATCH_PICTURES):
            listed = tuple(self._listed[start : start + BATCH_PICTURES])
            yield ListedBatch(self._root, self._folder, listed)

    def count(self) -> int:
        """How many the list names."""
        return len(self._listed)

    def strays(self) -> Sequence[Stray]:
        """What the list speaks of and does not list."""
        return self._strays

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        listed = tuple(one for one in self._listed if one.key in keys)
        return ListedBatch(self._root, self._folder, listed).read()

    def annotations(self, workspace: Path) -> Path | None:
        """The manifest itself, or what COCO says of its images."""
        if self._carried is None or isinstance(self._carried, Path):
            return self._carried
        path = workspace / "carried.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in self._carried)
        return path


def open_manifest(path: Path) -> Listing:
    """A CSV, TSV or JSON-lines file that lists pictures. Raises SourceInvalid with row numbers."""
    rows = _rows(path)
    listed: list[Listed] = []
    without: list[int] = []
    for number, row in rows:
        name = next((row[one] for one in PATH_COLUMNS if row.get(one)), None)
        if name is None:
            without.append(number)
            continue
        plain = str(name).replace("\\", "/")
        key = next((row[one] for one in ("key", *PATH_COLUMNS, "id") if row.get(one)), plain)
        listed.append(Listed(str(key).replace("\\", "/").removeprefix("./"), plain))
    if without:
        some = ", ".join(map(str, without[:5]))
        more = f" and {len(without) - 5:,} more" if len(without) > 5 else ""
        raise SourceInvalid(
            f"{path.name}: rows {some}{more} lead to no picture ({', '.join(PATH_COLUMNS)}). "
            "Correct them."
        )
    return Listing("manifest", path.parent, path.parent, listed, carried=path)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows with their number as a spreadsheet has it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix in _DELIMITERS:
                reader = csv.DictReader(file, delimiter=_DELIMITERS[path.suffix])
                if not {*PATH_COLUMNS} & {*(reader.fieldnames or ())}:
                    raise SourceInvalid(
                        f"{path.name} has no column that leads to a picture "
                        f"({', '.join(PATH_COLUMNS)}); it has {', '.join(reader.fieldnames or ())}."
                    )
                yield from enumerate(reader, 2)
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    yield number, row if isinstance(row, dict) else {}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise SourceInvalid(f"{path.name} cannot be read: {error}. Write it as UTF-8.") from error


def open_coco(path: Path) -> Listing:
    """A COCO file. Raises SourceInvalid where it is none, naming the entries at fault."""
    try:
        if path.stat().st_size > MAX_COCO_BYTES:
            raise SourceInvalid(f"{path.name} is larger than {MAX_COCO_BYTES:,} bytes. Split it.")
        given = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path.name} cannot be read as JSON: {error}.") from error
    images = given.get("images") if isinstance(given, dict) else None
    if not isinstance(images, list):
        raise SourceInvalid(f"{path.name} has no images; a COCO file lists them under images.")
    bad = [at for at, one in enumerate(images)
           if not (isinstance(one, dict) and isinstance(one.get("file_name"), str))]  # fmt: skip
    if bad:
        raise SourceInvalid(
            f"{path.name}: images {', '.join(map(str, bad[:5]))} have no file_name. Correct them."
        )
    known = {one.get("id"): one["file_name"] for one in images}
    labels: dict[str, set[str]] = {}
    strays = []
    names = {one.get("id"): str(one.get("name")) for one in _dicts(given.get("categories"))}
    for one in _dicts(given.get("annotations")):
        name = known.get(one.get("image_id"))
        if name is None:
            said = f"an annotation of the image {one.get('image_id')}, which is not listed"
            strays.append(Stray(str(one.get("id")), said))
        elif one.get("category_id") in names:
            labels.setdefault(name, set()).add(names[one["category_id"]])
    licences = {one.get("id"): str(one.get("url") or one.get("name") or "")
                for one in _dicts(given.get("licenses"))}  # fmt: skip
    carried = [_of_image(one, licences, labels) for one in images]
    listed = [Listed(one["file_name"], one["file_name"]) for one in images]
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    return Listing("coco", root, _folder(path.parent, listed), listed, strays, carried)


def _dicts(given: object) -> list[dict[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _of_image(
    image: Mapping[str, Any], licences: Mapping[Any, str], labels: Mapping[str, set[str]]
) -> dict[str, str]:
    name = str(image["file_name"])
    said = {
        "key": name,
        "licence": licences.get(image.get("license"), ""),
        "source_url": image.get("flickr_url") or image.get("coco_url") or "",
        # A picture of several categories has no single label.
        "label": next(iter(labels[name])) if len(labels.get(name, ())) == 1 else "",
    }
    return {column: str(value) for column, value in said.items()}


def _folder(beside: Path, listed: Sequence[Listed]) -> Path:
    """Where the first picture of the list lies, by the usual places."""
    first = listed[0].path if listed else ""
    places = [beside / name for name in IMAGE_FOLDERS]
    return next((place for place in places if (place / first).is_file()), beside)
