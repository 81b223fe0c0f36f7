"""Labelled pictures: a folder with one file of labels beside the pictures.

``labels.jsonl``: lines ``{"image", "unsafe"?, "categories"?, "boxes"?, "source"?}``, a box being
``{"x", "y", "width", "height", "label"}``. ``labels.csv``: columns image, unsafe, categories
(parted by spaces), source, and x, y, width, height, label for a box; rows of the same image are one
picture. ``labels.json``: COCO. Pixels are those of the picture upright. A box's label is a
category, or what a region's ``kind`` says ("text", "code"). Without "unsafe", a picture is so where
one of its categories, boxes included, is a core category.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, Field, ValidationError

from guard.errors import InvalidRequest
from guard.evaluate.labelled import UNNAMED
from policies.categories import CORE_CATEGORIES
from policies.decision import Frozen
from policies.errors import Unavailable

NAMES: Final = ("labels.jsonl", "labels.csv", "labels.json")
_SHOWN: Final = 5  # bad entries that the message tells of
_FORM: Final = "docs/image-guard.md gives the forms."
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})


class LabelledBox(Frozen):
    """Pixels from the top left corner; ``label`` is a category or the kind of a region."""

    x: float = Field(allow_inf_nan=False)
    y: float = Field(allow_inf_nan=False)
    width: float = Field(gt=0, allow_inf_nan=False)
    height: float = Field(gt=0, allow_inf_nan=False)
    label: str = Field(min_length=1)


class LabelledImage(Frozen):
    """One picture. ``unsafe``: whether a core category applies. ``line``: counted from 1.

    ``categories`` holds those of the boxes too.
    """

    path: Path
    unsafe: bool
    categories: frozenset[str]
    boxes: tuple[LabelledBox, ...]
    source: str
    line: int


class LabelledFolder(NamedTuple):
    """The file of labels, and every picture that it names."""

    labels: Path
    images: list[LabelledImage]


def read_labelled_images(folder: Path) -> LabelledFolder:
    """All labelled pictures of ``folder``.

    Raises InvalidRequest where there is not exactly one file of labels, or that names the first
    entries which are wrong; Unavailable where it cannot be read. Pictures are not opened.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder. Name one of pictures and their labels.")
    there = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(there) != 1:
        held = " and ".join(path.name for path in there) or "none of them"
        raise InvalidRequest(
            f"{folder} should hold one of {', '.join(NAMES)}, and holds {held}. {_FORM}"
        )
    (labels,) = there
    try:
        entries = list(_READERS[labels.suffix](labels.read_bytes()))
    except OSError as error:
        raise Unavailable(f"{labels} cannot be read: {error.strerror}. Check the path.") from error
    except (ValueError, csv.Error) as error:  # of JSON and of Unicode too
        raise InvalidRequest(f"{labels}: {error}. {_FORM}") from error
    images: list[LabelledImage] = []
    wrong: list[str] = []
    for line, entry in entries:
        try:
            images.append(_image(folder, line, entry))
        except InvalidRequest as error:
            wrong.append(f"entry {line}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise InvalidRequest(f"{labels}: {'; '.join(wrong[:_SHOWN])}{more}. {_FORM}")
    if not images:
        raise InvalidRequest(f"{labels} names no picture. {_FORM}")
    return LabelledFolder(labels, images)


class _Entry(BaseModel):
    image: Annotated[str, Field(min_length=1)]
    unsafe: bool | None = None
    categories: frozenset[str] = frozenset()
    boxes: tuple[LabelledBox, ...] = ()
    source: str = UNNAMED


def _image(folder: Path, line: int, given: Any) -> LabelledImage:
    if isinstance(given, InvalidRequest):
        raise given
    try:
        entry = _Entry.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise InvalidRequest(f"{place}: {first['msg']}") from error
    categories = entry.categories | {box.label for box in entry.boxes}
    implied = bool(categories & frozenset(CORE_CATEGORIES))
    path = folder / entry.image
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidRequest(f"{entry.image} lies outside of the folder")
    if not path.is_file():
        raise InvalidRequest(f"there is no picture {entry.image}")
    return LabelledImage(
        path=path,
        unsafe=implied if entry.unsafe is None else entry.unsafe,
        categories=categories,
        boxes=entry.boxes,
        source=entry.source,
        line=line,
    )


Entries = Iterator[tuple[int, Any]]


def _jsonl(data: bytes) -> Entries:
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, InvalidRequest(f"not JSON: {error.msg}")


def _csv(data: bytes) -> Entries:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for row in rows:
        given = {(name or "").strip(): (value or "").strip() for name, value in row.items() if name}
        image = given.get("image", "")
        _, entry = found.setdefault(image, (rows.line_num, {"image": image, "boxes": []}))
        if given.get("unsafe"):
            entry["unsafe"] = _flag(given["unsafe"])
        if given.get("categories"):
            entry["categories"] = given["categories"].split()
        if given.get("source"):
            entry["source"] = given["source"]
        if given.get("label"):
            sides = ("x", "y", "width", "height", "label")
            entry["boxes"].append({name: given.get(name, "") for name in sides})
    yield from found.values()


def _flag(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(f"unsafe is true or false, not {text!r}")
    return text.lower() in _TRUE


class _CocoImage(BaseModel):
    id: int
    file_name: str


class _CocoAnnotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _CocoCategory(BaseModel):
    id: int
    name: str


class _Coco(BaseModel):
    images: list[_CocoImage]
    annotations: list[_CocoAnnotation]
    categories: list[_CocoCategory]


def _coco(data: bytes) -> Entries:
    """Crowds are left out: their box is around many things, of which none is said to be where."""
    try:
        given = _Coco.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"no COCO file: {place}: {first['msg']}") from error
    names = {category.id: category.name for category in given.categories}
    boxes: dict[int, list[Mapping[str, Any]]] = {image.id: [] for image in given.images}
    for each in given.annotations:
        if each.image_id not in boxes or each.category_id not in names:
            raise ValueError(f"annotation of image {each.image_id}: not all it names is there")
        if not each.iscrowd:
            sides = zip(("x", "y", "width", "height"), each.bbox, strict=True)
            boxes[each.image_id].append({**dict(sides), "label": names[each.category_id]})
    for number, image in enumerate(given.images, start=1):
        yield number, {"image": image.file_name, "boxes": boxes[image.id]}


_READERS: Final = {".jsonl": _jsonl, ".csv": _csv, ".json": _coco}


def labels_of(images: Iterable[LabelledImage]) -> list[str]:
    """The labels of all boxes, sorted."""
    return sorted({box.label for image in images for box in image.boxes})
